//! Groups: how one begins, who is in it, and who may change what.
//!
//! A change is first decided as an event ([`Step::allow`] only reads), then carried out from that
//! event alone: the member rows are nothing but the log, folded. As long as anybody is in a group
//! it has an owner; the last one to leave closes it. From level 2 on the row counts the owners, so
//! that no rule scans the members.

use std::collections::BTreeSet;

use xxhash_rust::xxh3::xxh3_128;

use super::conversation::new_conversation;
use super::{Outcome, Step, somebody};
use crate::command::{ChangeGroup, CreateGroup, GroupChange};
use crate::error::Rejection;
use crate::event::{EventKind, Role};
use crate::id::{ClientMessageId, ConversationId, GroupId, Seq, UserId};
use crate::level::Level;
use crate::limits;
use crate::plant::Plant;
use crate::record::{Conversation, Member};
use crate::reply::Reply;

/// Members read in one step when owners are counted.
const COUNT_PAGE: usize = 256;

impl Step<'_> {
    pub(super) fn create_group(&mut self, c: &CreateGroup) -> Outcome {
        let slot = c.slot();
        if let Some(group) = self.state.group_of_request(slot, c.creator, c.request) {
            return Ok(Reply::GroupCreated { group });
        }
        check_create(c)?;
        let others = others(c)?;

        let group = GroupId(self.mint(slot)?);
        let conversation = ConversationId::Group(group);
        self.state.put_group_of_request(slot, c.creator, c.request, group);
        let mut row = new_conversation(self.now);
        row.open = c.open;
        let created = EventKind::Created { name: c.name.clone() };
        self.place(conversation, &mut row, c.creator, c.request, created)?;
        if !others.is_empty() {
            let added = EventKind::Added { users: others };
            self.place(conversation, &mut row, c.creator, id_of_first_members(c.request), added)?;
        }
        Ok(Reply::GroupCreated { group })
    }

    pub(super) fn change_group(&mut self, c: &ChangeGroup) -> Outcome {
        let conversation = ConversationId::Group(c.group);
        check_change(c)?;
        if let Some(reply) = self.duplicate(conversation, c.actor, c.request) {
            return Ok(reply);
        }
        let Some(mut row) = self.state.conversation(conversation) else { return Err(outsider(&c.change)) };
        self.count_owners_once(conversation, &mut row, c);
        let kind = self.allow(conversation, &row, c)?;
        self.place(conversation, &mut row, c.actor, c.request, kind)
    }

    /// Whether the actor may do this now, as the event that would say so.
    fn allow(&self, conversation: ConversationId, row: &Conversation, c: &ChangeGroup) -> Result<EventKind, Rejection> {
        let role_of = |user| self.role(conversation, user);
        let Some(actor) = role_of(c.actor) else {
            return match c.change {
                GroupChange::Join if row.open => added(row, vec![c.actor]),
                _ => Err(outsider(&c.change)),
            };
        };
        match &c.change {
            GroupChange::Join => Err(Rejection::AlreadyMember),
            GroupChange::Rename { name } => {
                demand(actor >= Role::Admin)?;
                Ok(EventKind::Renamed { name: name.clone() })
            }
            GroupChange::Add { users } => {
                let mut users = distinct(users)?;
                users.retain(|&user| role_of(user).is_none());
                added(row, users)
            }
            &GroupChange::Remove { user } => {
                demand(actor >= Role::Admin)?;
                let role = role_of(user).ok_or(Rejection::NoSuchMember)?;
                demand(actor == Role::Owner || role < actor)?;
                Ok(EventKind::Removed { user })
            }
            GroupChange::Leave => {
                let orphaned = actor == Role::Owner && row.members > 1 && self.is_last_owner(conversation, row);
                if orphaned { Err(Rejection::LastOwner) } else { Ok(EventKind::Removed { user: c.actor }) }
            }
            &GroupChange::SetRole { user, role } => {
                demand(actor == Role::Owner)?;
                let before = role_of(user).ok_or(Rejection::NoSuchMember)?;
                let steps_down = before == Role::Owner && role != Role::Owner;
                if steps_down && self.is_last_owner(conversation, row) {
                    return Err(Rejection::LastOwner);
                }
                Ok(EventKind::RoleChanged { user, role })
            }
        }
    }

    /// Rows of 74c331d count no owners. The first change that asks for the number scans the
    /// members, and the row keeps it even if that change is refused: otherwise each repetition of a
    /// refused change would scan again.
    fn count_owners_once(&mut self, conversation: ConversationId, row: &mut Conversation, c: &ChangeGroup) {
        let asks = matches!(c.change, GroupChange::Leave | GroupChange::SetRole { .. });
        if self.level < Level::SECOND
            || row.owners > 0
            || !asks
            || self.role(conversation, c.actor) != Some(Role::Owner)
        {
            return;
        }
        row.owners = self.count_owners(conversation);
        self.state.put_conversation(conversation, row);
    }

    fn count_owners(&self, conversation: ConversationId) -> u32 {
        let (mut owners, mut from) = (0, None);
        loop {
            let page = self.state.members(conversation, from, COUNT_PAGE);
            owners += page.iter().filter(|(_, member)| member.role == Role::Owner).count() as u32;
            match page.last() {
                Some((last, _)) if page.len() == COUNT_PAGE => from = Some(*last),
                _ => return owners,
            }
        }
    }

    /// Of a group whose actor is an owner.
    fn is_last_owner(&self, conversation: ConversationId, row: &Conversation) -> bool {
        let owners = if self.level >= Level::SECOND { row.owners } else { self.count_owners(conversation) };
        owners <= 1
    }

    fn role(&self, conversation: ConversationId, user: UserId) -> Option<Role> {
        self.state.member(conversation, user).map(|member| member.role)
    }

    /// Appends the event and carries it out: member rows, and what their users' shards must hear of
    /// it.
    fn place(
        &mut self,
        conversation: ConversationId,
        row: &mut Conversation,
        sender: UserId,
        id: ClientMessageId,
        kind: EventKind,
    ) -> Outcome {
        match &kind {
            EventKind::Created { name } => {
                row.name.clone_from(name);
                row.members = 1;
                row.owners = u32::from(self.level >= Level::SECOND);
            }
            EventKind::Renamed { name } => row.name.clone_from(name),
            EventKind::Added { users } => row.members = row.members.saturating_add(users.len() as u32),
            EventKind::Removed { user } => {
                row.members = row.members.saturating_sub(1);
                row.owners -= u32::from(row.owners > 0 && self.role(conversation, *user) == Some(Role::Owner));
                // Nobody could make a later visitor its owner.
                row.open &= row.members > 0;
            }
            EventKind::RoleChanged { user, role } if row.owners > 0 => {
                row.owners -= u32::from(self.role(conversation, *user) == Some(Role::Owner));
                row.owners += u32::from(*role == Role::Owner);
            }
            EventKind::Message(_) | EventKind::RoleChanged { .. } | EventKind::Unknown { .. } => {}
        }
        let (seq, time) = self.append(conversation, row, sender, id, kind.clone())?;
        match kind {
            EventKind::Created { .. } => self.enter(conversation, seq, Role::Owner, sender, &[sender]),
            EventKind::Added { users } => self.enter(conversation, seq, Role::Member, sender, &users),
            EventKind::Removed { user } => {
                if self.plant != Some(Plant::RemovedStaysMember) {
                    self.state.delete_member(conversation, user);
                }
                self.owe(conversation, seq, false, sender, &[user]);
            }
            EventKind::RoleChanged { user, role } => {
                let since = self.state.member(conversation, user).map_or(seq, |member| member.since);
                self.state.put_member(conversation, user, &Member { role, since });
            }
            EventKind::Message(_) | EventKind::Renamed { .. } | EventKind::Unknown { .. } => {}
        }
        Ok(Reply::Placed { seq, time, duplicate: false })
    }

    fn enter(&mut self, conversation: ConversationId, since: Seq, role: Role, by: UserId, users: &[UserId]) {
        let sees_from = if self.plant == Some(Plant::AddedSeesAll) { Seq(1) } else { since };
        for &user in users {
            self.state.put_member(conversation, user, &Member { role, since: sees_from });
        }
        self.owe(conversation, since, true, by, users);
    }
}

/// What is refused whatever the state.
pub(super) fn check_create(c: &CreateGroup) -> Result<(), Rejection> {
    somebody(c.creator)?;
    check_name(&c.name)?;
    check_count(&others(c)?)
}

/// The first members, each once and without the creator.
fn others(c: &CreateGroup) -> Result<Vec<UserId>, Rejection> {
    let mut others = distinct(&c.members)?;
    others.retain(|&user| user != c.creator);
    Ok(others)
}

/// What is refused whatever the state, so that it can be checked before the dedup.
pub(super) fn check_change(c: &ChangeGroup) -> Result<(), Rejection> {
    somebody(c.actor)?;
    match &c.change {
        GroupChange::Rename { name } => check_name(name),
        GroupChange::Add { users } => check_count(&distinct(users)?),
        GroupChange::Remove { user } if *user == c.actor => Err(Rejection::LeaveInstead),
        _ => Ok(()),
    }
}

fn check_name(name: &str) -> Result<(), Rejection> {
    let good = (1..=limits::GROUP_NAME_CHARS).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if good { Ok(()) } else { Err(Rejection::BadName) }
}

fn check_count(users: &[UserId]) -> Result<(), Rejection> {
    if users.len() > limits::MEMBERS_PER_REQUEST { Err(Rejection::TooMany) } else { Ok(()) }
}

fn demand(allowed: bool) -> Result<(), Rejection> {
    if allowed { Ok(()) } else { Err(Rejection::NotAllowed) }
}

/// The one answer for a group that is missing and for one that the actor is not in.
// Invariant: private. The ids of groups can be counted through, so that a difference would say
// which of them exist.
fn outsider(change: &GroupChange) -> Rejection {
    if matches!(change, GroupChange::Join) { Rejection::NotOpen } else { Rejection::NotMember }
}

/// Each user once, by id.
fn distinct(users: &[UserId]) -> Result<Vec<UserId>, Rejection> {
    users.iter().try_for_each(|&user| somebody(user))?;
    Ok(users.iter().copied().collect::<BTreeSet<_>>().into_iter().collect())
}

fn added(row: &Conversation, users: Vec<UserId>) -> Result<EventKind, Rejection> {
    if users.is_empty() {
        return Err(Rejection::AlreadyMember);
    }
    let after = (row.members as usize).saturating_add(users.len());
    if after > limits::GROUP_MEMBERS { Err(Rejection::GroupFull) } else { Ok(EventKind::Added { users }) }
}

/// The client message id of seq 2 of a group created with members, whose seq 1 has taken the
/// request's own: the request with its last bit flipped, hashed (xxh3, 128 bits, big-endian) so
/// that it meets no id that a device counts up to.
fn id_of_first_members(request: ClientMessageId) -> ClientMessageId {
    let mut flipped = request.0;
    flipped[15] ^= 1;
    ClientMessageId(xxh3_128(&flipped).to_be_bytes())
}

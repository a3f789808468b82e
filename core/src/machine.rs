//! The rules: the answer, the rows and the effects of each command.
//!
//! The machine performs no action: it reads no clock and sends nothing. Its caller has already
//! checked passwords and that the users of a command exist, because their rows may live in another
//! slot.
//!
//! Invariant: deterministic core. State and command alone decide; time and ids arrive with the
//! command.
//!
//! Each rule checks everything before it writes anything, so that a rejection leaves no trace.
//! [`user`] holds how an account begins, [`inbox`] the conversation list and the invitations of
//! strangers, [`contact`] contacts and blocks, [`profile`] the texts that a user shows,
//! [`account`] the changes of an account, [`session`] who is logged in, [`invite`] and [`audit`]
//! what administrators leave behind; [`conversation`] the log and exactly-once; [`group`] how a
//! group begins; [`import`] events that were decided elsewhere; [`mod@file`] uploads and files;
//! [`room`] the room that they take of each user, [`preview`] small images;
//! [`cursor`] how far members have got; [`outbox`] rows owed to other slots; [`due`] work that has
//! a time; [`report`] the queue for administrators; [`personal`] the properties that a user sets
//! for a conversation, [`favourite`] the messages that it saves; [`bot`] the accounts that a user
//! owns; [`push`] where its browsers get pushes. [`seen`] keeps when a user was last online.
//! [`crate::feature`] has the content of a log, one file per feature.

mod account;
mod audit;
pub mod bot;
pub mod contact;
mod conversation;
mod cursor;
mod due;
pub mod favourite;
pub mod file;
mod group;
pub mod import;
pub mod inbox;
mod invite;
mod outbox;
pub mod personal;
pub mod preview;
mod profile;
pub mod push;
pub mod report;
pub mod room;
mod seen;
pub mod session;
mod user;

pub(crate) use conversation::id_beside;

use crate::command::Command;
use crate::effect::Effect;
use crate::error::Rejection;
use crate::feature;
use crate::id::{SLOTS, Slot, Timestamp, UserId};
use crate::level::Level;
use crate::planted::{Bug, Planted};
use crate::record::{Conversation, Counter};
use crate::reply::Reply;
use crate::state::{Rows, State};

/// The context of a command from outside the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meta {
    /// The proposing leader's wall clock.
    pub now: Timestamp,
    /// The level in force when it was proposed. Rows that were written differently below it stay so
    /// on every replica: rows of one level are equal in every version.
    pub level: Level,
}

/// The machine holds no rows, only settings that change its rules.
#[derive(Clone, Copy, Debug, Default)]
pub struct Machine {
    pub planted: Planted,
}

impl Machine {
    /// Applies one command. Total: never panics on a well-typed command, whatever the state.
    pub fn apply(&self, state: &mut dyn State, meta: Meta, command: &Command) -> (Reply, Vec<Effect>) {
        let imports = matches!(command, Command::Import(_));
        let (now, level, planted) = (meta.now, meta.level, self.planted);
        let mut step = Step { state, now, level, planted, imports, asked: 0, effects: Vec::new() };
        let outcome = match command {
            Command::Register(c) => step.register(c),
            Command::OpenSession(c) => step.open_session(c),
            Command::CloseSession(c) => step.close_session(c),
            Command::UpdateInbox(c) => step.update_inbox(c),
            Command::CreateAccount(c) => step.create_account(c),
            Command::ChangeAccount(c) => step.change_account(c),
            Command::TouchSession(c) => step.touch_session(c),
            Command::ChangeInvite(c) => step.change_invite(c),
            Command::RecordAct(c) => step.record_act(c),
            Command::AcceptInvitation(c) => step.accept_invitation(c),
            Command::ChangeProfile(c) => step.change_profile(c),
            Command::ChangeBot(c) => step.change_bot(c),
            Command::NoteSeen(c) => step.note_seen(c),
            Command::ShowPresence(c) => step.show_presence(c),
            Command::ChangeContact(c) => step.change_contact(c),
            Command::HearContact(c) => step.hear_contact(c),
            Command::SettleContacts(c) => step.settle_contacts(c),
            Command::SetGate(c) => step.set_gate(c),
            Command::FileReport(c) => step.file_report(c),
            Command::CloseReport(c) => step.close_report(c),
            Command::Append(c) => step.append(c),
            Command::CreateGroup(c) => step.create_group(c),
            Command::AdvanceCursors(c) => step.advance_cursors(c),
            Command::ChangePersonal(c) => step.change_personal(c),
            Command::DeleteForMe(c) => step.delete_for_me(c),
            Command::ChangeFavourite(c) => step.change_favourite(c),
            Command::SettleOutbox(c) => step.settle_outbox(c),
            Command::Import(c) => step.import(c),
            Command::Schedule(c) => step.schedule(c),
            Command::CancelScheduled(c) => step.cancel_scheduled(c),
            Command::RunDue(c) => step.run_due(c),
            Command::CreateUpload(c) => step.create_upload(c),
            Command::WriteChunk(c) => step.write_chunk(c),
            Command::CancelUpload(c) => step.cancel_upload(c),
            Command::KeepPreview(c) => step.keep_preview(c),
            Command::ReserveRoom(c) => step.reserve_room(c),
            Command::HearRoom(c) => step.hear_room(c),
            Command::SettleRooms(c) => step.settle_rooms(c),
            Command::ChangeHook(c) => step.change_hook(c),
            Command::PostHook(c) => step.post_hook(c),
            Command::AdvanceHook(c) => step.advance_hook(c),
            Command::WritePiece(c) => step.write_piece(c),
            Command::Vetted(c) => step.vetted(c),
            Command::JudgeScheduled(c) => step.judge_scheduled(c),
            Command::ChangePush(c) => step.change_push(c),
            Command::MakePushKey(c) => step.make_push_key(c),
        };
        match outcome {
            Ok(reply) => (reply, step.effects),
            Err(rejection) => (Reply::Rejected(rejection), Vec::new()),
        }
    }
}

/// The rules that need no state. `apply` checks them first. An edge and the proposing node check
/// them earlier, so that no log carries a command that every replica refuses.
pub fn check(command: &Command) -> Result<(), Rejection> {
    match command {
        Command::Register(c) => user::check_register(c),
        Command::Append(c) => c.check().and_then(|()| c.check_typed()),
        Command::CreateGroup(c) => group::check_create(c),
        Command::CreateAccount(c) => user::check_hash(&c.password_hash),
        Command::ChangeAccount(c) => account::check_change(c),
        Command::ChangeInvite(c) => invite::check_change(c),
        Command::Import(c) => import::check_import(c),
        Command::Schedule(c) => feature::check_schedule(c),
        Command::CancelScheduled(c) => somebody(c.sender),
        Command::ChangeProfile(c) => profile::check_profile(c),
        Command::ChangeBot(c) => bot::check_bot(c),
        Command::ShowPresence(c) => somebody(c.user),
        Command::ChangeContact(c) => contact::check_contact(c),
        Command::FileReport(c) => report::check_report(c),
        Command::CreateUpload(c) => file::check_create(c),
        Command::WriteChunk(c) => file::check_chunk(c),
        Command::ChangePersonal(c) => personal::check_personal(c),
        Command::DeleteForMe(c) => personal::check_delete(c),
        Command::ChangeFavourite(c) => favourite::check_favourite(c),
        Command::KeepPreview(c) => preview::check_preview(c),
        Command::ReserveRoom(c) => somebody(c.user),
        Command::ChangeHook(c) => feature::check_hook(c),
        Command::PostHook(c) => feature::check_post(c),
        Command::WritePiece(c) => feature::check_piece(c),
        Command::Vetted(c) => feature::check_vetted(c),
        Command::ChangePush(c) => push::check_push(c),
        Command::MakePushKey(c) => push::check_push_key(c),
        // Nodes make these from values that are bounded already. Their encoded size is checked like
        // any other.
        Command::OpenSession(_)
        | Command::NoteSeen(_)
        | Command::CloseSession(_)
        | Command::UpdateInbox(_)
        | Command::TouchSession(_)
        | Command::RecordAct(_)
        | Command::AcceptInvitation(_)
        | Command::HearContact(_)
        | Command::SettleContacts(_)
        | Command::SetGate(_)
        | Command::CloseReport(_)
        | Command::AdvanceCursors(_)
        | Command::SettleOutbox(_)
        | Command::RunDue(_)
        | Command::AdvanceHook(_)
        | Command::JudgeScheduled(_)
        | Command::CancelUpload(_)
        | Command::HearRoom(_)
        | Command::SettleRooms(_) => Ok(()),
    }
}

pub(crate) type Outcome = Result<Reply, Rejection>;

/// One command in progress: the rows it sees, its time, and its effects until now.
pub(crate) struct Step<'a> {
    pub(crate) state: &'a mut dyn State,
    now: Timestamp,
    pub(crate) level: Level,
    planted: Planted,
    /// Whether the events were decided elsewhere: no user is asked about them again.
    imports: bool,
    /// The hook that was asked about this command; zero: none.
    pub(crate) asked: u64,
    effects: Vec<Effect>,
}

/// Ids stay below 2^53, so that JSON and JavaScript keep them exact.
const ID_END: u64 = 1 << 53;

impl Step<'_> {
    pub(crate) fn planted(&self, planted: Bug) -> bool {
        self.planted.is(planted)
    }

    /// The time of the next event of this conversation.
    pub(crate) fn time_in(&self, row: &Conversation) -> Timestamp {
        row.time.max(self.now)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    pub(crate) fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    pub(crate) fn imports(&self) -> bool {
        self.imports
    }

    /// Assigns the next id of a slot. Call it when no step can fail any more: it writes the
    /// counter.
    fn mint(&mut self, slot: Slot) -> Result<u64, Rejection> {
        let Counter(last) = self.state.get(&slot).unwrap_or(Counter(0));
        let (counter, id) = last
            .checked_add(1)
            .and_then(|counter| {
                let id = counter.checked_mul(u64::from(SLOTS))?.checked_add(u64::from(slot.0))?;
                (id < ID_END).then_some((counter, id))
            })
            .ok_or(Rejection::BadRequest(
                "all ids of this slot are taken: ask again with another name or request id",
            ))?;
        self.state.put(&slot, &Counter(counter));
        Ok(id)
    }
}

/// Zero is no user: it sends nothing and is a member of nothing.
pub(crate) fn somebody(user: UserId) -> Result<(), Rejection> {
    if user == UserId(0) { Err(Rejection::NoSuchUser) } else { Ok(()) }
}

//! Groups whose members may not get to know each other, apart from its admins and owners.
//!
//! A plain member of such a group sees neither the list of members nor the readers of a message by
//! name, and asks no other plain member for a contact. Two users may share other groups, in other
//! shards, so a node asks the shards of the asking user's groups, and puts their answers together
//! with [`Meeting::and`]. Events have the ids of their senders, so this keeps no secret: it is a
//! rule about requests.

use crate::error::Refused;
use crate::event::Role;
use crate::record::Conversation;

pub const NO_CONTACT: Refused = Refused {
    code: "no_contact",
    text: "you and this user share only groups whose members may not contact each other: ask an admin of one",
};
pub const MEMBERS_HIDDEN: Refused =
    Refused { code: "members_hidden", text: "this group shows its members to its admins only: ask one of them" };

/// The relation of two users by the groups that both are in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Meeting {
    /// They share no group.
    #[default]
    Apart,
    /// They share one that lets its members contact each other, or one of them keeps it.
    Allowed,
    /// They share only groups that do not.
    Refused,
}

impl Meeting {
    /// By one group. `None`: the user is no member.
    pub fn in_group(row: &Conversation, one: Option<Role>, other: Option<Role>) -> Meeting {
        match (one, other) {
            (Some(one), Some(other)) if !row.no_contact || one.max(other) > Role::Member => Meeting::Allowed,
            (Some(_), Some(_)) => Meeting::Refused,
            _ => Meeting::Apart,
        }
    }

    /// By several groups: any that allows it does.
    pub fn and(self, other: Meeting) -> Meeting {
        match (self, other) {
            (Meeting::Allowed, _) | (_, Meeting::Allowed) => Meeting::Allowed,
            (Meeting::Refused, _) | (_, Meeting::Refused) => Meeting::Refused,
            (Meeting::Apart, Meeting::Apart) => Meeting::Apart,
        }
    }
}

/// Whether a member with this role sees the other ones.
pub fn shows_members(row: &Conversation, role: Role) -> bool {
    !row.no_contact || role > Role::Member
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_members_of_a_closed_group_do_not_meet_unless_another_group_lets_them() {
        let closed = Conversation { no_contact: true, ..Conversation::default() };
        let open = Conversation::default();
        let (member, admin) = (Some(Role::Member), Some(Role::Admin));
        assert_eq!(Meeting::in_group(&closed, member, member), Meeting::Refused);
        assert_eq!(Meeting::in_group(&closed, member, admin), Meeting::Allowed);
        assert_eq!(Meeting::in_group(&closed, admin, member), Meeting::Allowed);
        assert_eq!(Meeting::in_group(&closed, member, None), Meeting::Apart);
        assert_eq!(Meeting::in_group(&open, member, member), Meeting::Allowed);
        let by = |all: &[Meeting]| all.iter().copied().fold(Meeting::default(), Meeting::and);
        assert_eq!(by(&[Meeting::Refused, Meeting::Apart, Meeting::Allowed]), Meeting::Allowed);
        assert_eq!(by(&[Meeting::Apart, Meeting::Refused]), Meeting::Refused);
        assert_eq!(by(&[]), Meeting::Apart);
        assert!(shows_members(&open, Role::Member) && shows_members(&closed, Role::Admin));
        assert!(!shows_members(&closed, Role::Member));
    }
}

//! The acts of a group and the least role for each. An owner may change a role within the bounds of
//! its act.

use super::demand;
use crate::error::Rejection;
use crate::event::Role;
use crate::record::Conversation;

/// An act that needs a role. Numbers are those of `client.proto`, and never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    Rename = 1,
    Add = 2,
    Remove = 3,
    Pin = 4,
    Notice = 5,
    Mute = 6,
    Ban = 7,
    Settings = 8,
    Invite = 9,
    /// Of messages of others, at any time.
    Recall = 20,
}

/// Bits of a role in [`Policy`].
const BITS: u32 = 2;

impl Act {
    pub const ALL: [Act; 10] = [
        Act::Rename,
        Act::Add,
        Act::Remove,
        Act::Pin,
        Act::Notice,
        Act::Mute,
        Act::Ban,
        Act::Settings,
        Act::Invite,
        Act::Recall,
    ];

    pub fn of(number: u32) -> Option<Act> {
        Act::ALL.into_iter().find(|act| *act as u32 == number)
    }

    /// For programs, in forms other than protobuf.
    pub const fn name(self) -> &'static str {
        match self {
            Act::Rename => "rename",
            Act::Add => "add",
            Act::Remove => "remove",
            Act::Pin => "pin",
            Act::Notice => "notice",
            Act::Mute => "mute",
            Act::Ban => "ban",
            Act::Settings => "settings",
            Act::Invite => "invite",
            Act::Recall => "recall",
        }
    }

    /// The least role in a group whose owner has set none.
    pub const fn usual(self) -> Role {
        match self {
            Act::Add => Role::Member,
            _ => Role::Admin,
        }
    }

    /// The lowest role that an owner may choose. Acts against a member are never for members.
    pub const fn lowest(self) -> Role {
        match self {
            Act::Remove | Act::Mute | Act::Ban | Act::Settings | Act::Recall => Role::Admin,
            Act::Rename | Act::Add | Act::Pin | Act::Notice | Act::Invite => Role::Member,
        }
    }
}

/// The roles that an owner has set, two bits for each act; zero is the usual one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy(pub u64);

impl Policy {
    pub fn least(self, act: Act) -> Role {
        let kept = (self.0 >> (BITS * act as u32)) & 3;
        Role::of(kept).unwrap_or(act.usual())
    }

    pub(crate) fn set(&mut self, act: Act, role: Role) {
        let at = BITS * act as u32;
        self.0 = (self.0 & !(3 << at)) | u64::from(role.number()) << at;
    }
}

/// Whether a member of this role may do it in this group.
pub(super) fn permit(role: Option<Role>, row: &Conversation, act: Act) -> Result<(), Rejection> {
    demand(role >= Some(Policy(row.policy).least(act)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_without_a_policy_has_the_usual_roles_and_each_act_keeps_its_own() {
        let mut policy = Policy::default();
        assert!(Act::ALL.into_iter().all(|act| policy.least(act) == act.usual() && act.usual() >= act.lowest()));
        for (act, role) in Act::ALL.into_iter().zip([Role::Owner, Role::Admin, Role::Member].into_iter().cycle()) {
            policy.set(act, role);
        }
        policy.set(Act::Add, Role::Owner);
        assert_eq!(policy.least(Act::Add), Role::Owner);
        assert_eq!((policy.least(Act::Rename), policy.least(Act::Remove)), (Role::Owner, Role::Member));
        assert_eq!(policy.least(Act::Invite), Role::Member);
        assert!(Act::ALL.into_iter().all(|act| Act::of(act as u32) == Some(act)));
        assert_eq!((Act::of(0), Act::of(10)), (None, None));
    }
}

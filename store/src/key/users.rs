//! Family `users`: everything that lives in the slot of a user. Written by the apply of that slot's
//! shard.
//!
//! | key       | layout                                   | value                        | lifetime                           |
//! | --------- | ---------------------------------------- | ---------------------------- | ---------------------------------- |
//! | `Counter` | slot, `c`                                | u64: last number handed out  | for ever                           |
//! | `Inbox`   | slot, `i`, user u64, conversation 17     | record of an inbox entry     | for ever; leaving marks it absent  |
//! | `Name`    | slot, `n`, case-folded name              | u64: the user                | for ever                           |
//! | `Session` | slot, `s`, user u64, device              | record of a session          | until logout or replacement        |
//! | `Restored`| slot, `r` (the first slot of a shard)     | how far a backup was restored | for ever                          |
//! | `Invitation` | slot, 0x40, user u64, conversation 17 | record of an invitation      | until it is answered               |
//! | `Known`   | slot, 0x41, user u64, user u64           | empty                        | for ever                           |
//! | `User`    | slot, `u`, user u64                      | record of a user             | for ever                           |
//! | `Audit`   | slot, 0x50, time u64, number u64         | record of an act             | the last 1,024 of a slot           |
//! | `Invite`  | slot, 0x51, invitation u64               | record of an invitation      | for ever                           |
//! | `Reservation` | slot, 0x52, invitation u64, request 16 | record of a use of it      | until released                     |

use troupe_core::record::{AuditKey, InviteId};
use troupe_core::{ClientMessageId, ConversationId, DeviceId, Slot, Timestamp, UserId};

use super::{CONVERSATION, Parts, Writer};

const AUDIT: u8 = 0x50;
const INVITE: u8 = 0x51;
const RESERVATION: u8 = 0x52;
const COUNTER: u8 = b'c';
const INBOX: u8 = b'i';
const NAME: u8 = b'n';
const RESTORED: u8 = b'r';
const SESSION: u8 = b's';
const USER: u8 = b'u';
const INVITATION: u8 = 0x40;
const KNOWN: u8 = 0x41;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum UsersKey {
    Counter(Slot),
    Inbox(UserId, ConversationId),
    Invitation(UserId, ConversationId),
    /// The first has accepted an invitation by the second.
    Known(UserId, UserId),
    Name {
        slot: Slot,
        folded: String,
    },
    Restored(Slot),
    Session(UserId, DeviceId),
    User(UserId),
    Audit(AuditKey),
    Invite(InviteId),
    Reservation(InviteId, ClientMessageId),
}

impl UsersKey {
    pub fn encode(&self) -> Vec<u8> {
        match self {
            UsersKey::Counter(slot) => Writer::tagged(*slot, COUNTER, 3).done(),
            UsersKey::Inbox(user, conversation) => {
                Writer::tagged(user.slot(), INBOX, 11 + CONVERSATION).number(user.0).conversation(*conversation).done()
            }
            UsersKey::Invitation(user, conversation) => Writer::tagged(user.slot(), INVITATION, 11 + CONVERSATION)
                .number(user.0)
                .conversation(*conversation)
                .done(),
            UsersKey::Known(user, other) => {
                Writer::tagged(user.slot(), KNOWN, 19).number(user.0).number(other.0).done()
            }
            UsersKey::Name { slot, folded } => name(*slot, folded),
            UsersKey::Restored(slot) => Writer::tagged(*slot, RESTORED, 3).done(),
            UsersKey::Session(user, device) => session(*user, device),
            UsersKey::User(user) => Writer::tagged(user.slot(), USER, 11).number(user.0).done(),
            UsersKey::Audit(AuditKey { slot, time, number }) => {
                Writer::tagged(*slot, AUDIT, 19).number(time.0).number(*number).done()
            }
            UsersKey::Invite(id) => Writer::tagged(id.slot(), INVITE, 11).number(id.0).done(),
            UsersKey::Reservation(id, request) => {
                Writer::tagged(id.slot(), RESERVATION, 27).number(id.0).bytes(&request.0).done()
            }
        }
    }

    pub fn decode(key: &[u8]) -> Option<UsersKey> {
        let mut parts = Parts(key);
        let slot = parts.slot()?;
        let (key, home) = match parts.byte()? {
            COUNTER => (UsersKey::Counter(slot), slot),
            RESTORED => (UsersKey::Restored(slot), slot),
            INBOX => {
                let user = parts.user()?;
                (UsersKey::Inbox(user, parts.conversation()?), user.slot())
            }
            INVITATION => {
                let user = parts.user()?;
                (UsersKey::Invitation(user, parts.conversation()?), user.slot())
            }
            KNOWN => {
                let user = parts.user()?;
                (UsersKey::Known(user, parts.user()?), user.slot())
            }
            NAME => (UsersKey::Name { slot, folded: parts.text()?.to_owned() }, slot),
            SESSION => {
                let user = parts.user()?;
                (UsersKey::Session(user, DeviceId::new(parts.text()?)?), user.slot())
            }
            USER => {
                let user = parts.user()?;
                (UsersKey::User(user), user.slot())
            }
            AUDIT => {
                let (time, number) = (Timestamp(parts.number()?), parts.number()?);
                (UsersKey::Audit(AuditKey { slot, time, number }), slot)
            }
            INVITE => {
                let id = InviteId(parts.number()?);
                (UsersKey::Invite(id), id.slot())
            }
            RESERVATION => {
                let id = InviteId(parts.number()?);
                (UsersKey::Reservation(id, parts.message_id()?), id.slot())
            }
            _ => return None,
        };
        if home == slot { parts.end(key) } else { None }
    }
}

/// The row of a case-folded name; also the prefix of the rows of all names in `slot` that begin so.
pub fn name(slot: Slot, folded: &str) -> Vec<u8> {
    Writer::tagged(slot, NAME, 3 + folded.len()).bytes(folded.as_bytes()).done()
}

pub fn session(user: UserId, device: &DeviceId) -> Vec<u8> {
    let device = device.as_str().as_bytes();
    Writer::tagged(user.slot(), SESSION, 11 + device.len()).number(user.0).bytes(device).done()
}

/// Prefix of all sessions of a user.
pub fn sessions_of(user: UserId) -> Vec<u8> {
    Writer::tagged(user.slot(), SESSION, 11).number(user.0).done()
}

/// Prefix of a user's invitations.
pub fn invitations_of(user: UserId) -> Vec<u8> {
    Writer::tagged(user.slot(), INVITATION, 11).number(user.0).done()
}

/// Prefix of a user's conversation list.
pub fn inbox_of(user: UserId) -> Vec<u8> {
    Writer::tagged(user.slot(), INBOX, 11).number(user.0).done()
}

/// Prefix of a slot's audit log.
pub fn audit_of(slot: Slot) -> Vec<u8> {
    Writer::tagged(slot, AUDIT, 3).done()
}

/// Prefix of the user rows of a slot.
pub fn users_of(slot: Slot) -> Vec<u8> {
    Writer::tagged(slot, USER, 3).done()
}

/// Prefix of a slot's invitations.
pub fn invites_of(slot: Slot) -> Vec<u8> {
    Writer::tagged(slot, INVITE, 3).done()
}

/// Prefix of the uses of an invitation.
pub fn reservations_of(id: InviteId) -> Vec<u8> {
    Writer::tagged(id.slot(), RESERVATION, 11).number(id.0).done()
}

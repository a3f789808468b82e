//! The commands of a shard. Each command touches the rows of one slot only, so that a slot can
//! move.

mod account;
mod bot;
mod contact;
mod due;
mod favourite;
mod file;
mod hook;
mod import;
mod personal;
mod profile;
mod push;
mod report;
mod room;
mod seen;
mod stream;

use crate::id::{ClientMessageId, ConversationId, DeviceId, Seq, Slot, TokenHash, UserId};
use crate::name::Username;
use crate::record::Report;

pub use crate::feature::{Append, Intent};
pub use account::{AccountChange, ChangeAccount, ChangeInvite, CreateAccount, InviteChange, RecordAct, TouchSession};
pub use bot::{BotChange, ChangeBot};
pub use contact::{ChangeContact, ContactAct, HearContact, SetGate, SettleContacts, SettledContact};
pub use due::{CancelScheduled, RunDue, Schedule};
pub use favourite::ChangeFavourite;
pub use file::{CancelUpload, CreateUpload, KeepPreview, WriteChunk};
pub use hook::{AdvanceHook, ChangeHook, GivenUp, HookChange, JudgeScheduled, PostHook, Said, Vetted};
pub(crate) use import::IMPORTER;
pub use import::{Destination, Import};
pub use personal::{ChangePersonal, DeleteForMe, PersonalChange};
pub use profile::{ChangeProfile, ProfileChange};
pub use push::{ChangePush, MakePushKey, PushChange};
pub use report::{CloseReport, FileReport};
pub use room::{HearRoom, ReserveRoom, SettleRooms, SettledRoom};
pub use seen::{NoteSeen, ShowPresence};
pub use stream::WritePiece;

/// Rare and large variants are boxed: a message is moved a dozen times on its way, and is no larger
/// than the largest variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    // In the slot of the user.
    Register(Register),
    OpenSession(OpenSession),
    CloseSession(CloseSession),
    /// Another shard relays a change of the user's conversation list.
    UpdateInbox(UpdateInbox),
    AcceptInvitation(AcceptInvitation),
    CreateAccount(Box<CreateAccount>),
    ChangeAccount(Box<ChangeAccount>),
    TouchSession(TouchSession),
    ChangeProfile(Box<ChangeProfile>),
    ChangeBot(Box<ChangeBot>),
    NoteSeen(NoteSeen),
    ShowPresence(ShowPresence),
    ChangeContact(Box<ChangeContact>),
    ChangeFavourite(ChangeFavourite),
    ChangePush(Box<ChangePush>),
    /// The other user's shard relays its part of a contact.
    HearContact(Box<HearContact>),
    /// Other shards have committed these versions of contacts.
    SettleContacts(SettleContacts),
    ReserveRoom(Box<ReserveRoom>),
    /// The shard of a conversation relays how much room the user takes there.
    HearRoom(Box<HearRoom>),

    // In the slot of the invitation.
    ChangeInvite(Box<ChangeInvite>),
    // In the slot that it names.
    RecordAct(Box<RecordAct>),
    // In the slot of all reports.
    FileReport(Box<FileReport>),
    CloseReport(Box<CloseReport>),

    // In the slot of the conversation.
    Append(Append),
    CreateGroup(CreateGroup),
    AdvanceCursors(AdvanceCursors),
    ChangePersonal(Box<ChangePersonal>),
    DeleteForMe(DeleteForMe),
    /// The shard of a user relays whether it takes messages.
    SetGate(SetGate),
    /// The other shards have committed these rows.
    SettleOutbox(SettleOutbox),
    Import(Box<Import>),
    Schedule(Box<Schedule>),
    CancelScheduled(CancelScheduled),
    CreateUpload(Box<CreateUpload>),
    WriteChunk(Box<WriteChunk>),
    CancelUpload(CancelUpload),
    KeepPreview(Box<KeepPreview>),
    /// The shards of users have committed these versions.
    SettleRooms(SettleRooms),
    ChangeHook(Box<ChangeHook>),
    PostHook(Box<PostHook>),
    AdvanceHook(Box<AdvanceHook>),
    WritePiece(Box<WritePiece>),
    Vetted(Box<Vetted>),
    JudgeScheduled(Box<JudgeScheduled>),
    // In the slot of `everyone`.
    MakePushKey(Box<MakePushKey>),

    // In the slot that it names.
    RunDue(RunDue),
}

const _: () = assert!(size_of::<Command>() <= size_of::<Append>() + 8);

macro_rules! boxed {
    ($($command:ident),*) => {$(
        impl From<$command> for Command {
            fn from(command: $command) -> Command {
                Command::$command(Box::new(command))
            }
        }
    )*};
}

boxed!(
    CreateAccount,
    ChangeAccount,
    ChangeInvite,
    RecordAct,
    Import,
    Schedule,
    ChangeProfile,
    ChangeBot,
    ChangeHook,
    PostHook,
    AdvanceHook,
    ChangeContact,
    HearContact,
    FileReport,
    CloseReport,
    CreateUpload,
    WriteChunk,
    ChangePersonal,
    ReserveRoom,
    HearRoom,
    KeepPreview,
    WritePiece,
    Vetted,
    JudgeScheduled,
    ChangePush,
    MakePushKey
);

impl Command {
    pub fn slot(&self) -> Slot {
        match self {
            Command::Register(c) => c.name.slot(),
            Command::OpenSession(c) => c.user.slot(),
            Command::CloseSession(c) => c.user.slot(),
            Command::UpdateInbox(c) => c.user.slot(),
            Command::CreateAccount(c) => c.name.slot(),
            Command::ChangeAccount(c) => c.user.slot(),
            Command::TouchSession(c) => c.user.slot(),
            Command::ChangeProfile(c) => c.user.slot(),
            Command::ChangeBot(c) => c.owner.slot(),
            Command::NoteSeen(c) => c.user.slot(),
            Command::ShowPresence(c) => c.user.slot(),
            Command::FileReport(_) | Command::CloseReport(_) => Report::slot(),
            Command::ChangeContact(c) => c.user.slot(),
            Command::HearContact(c) => c.user.slot(),
            Command::SettleContacts(c) => c.slot,
            Command::ChangeFavourite(c) => c.user.slot(),
            Command::ReserveRoom(c) => c.user.slot(),
            Command::HearRoom(c) => c.user.slot(),
            Command::SettleRooms(c) => c.slot,
            Command::SetGate(c) => c.conversation.slot(),
            Command::ChangeInvite(c) => c.id.slot(),
            Command::RecordAct(c) => c.slot,
            Command::AcceptInvitation(c) => c.user.slot(),
            Command::Append(c) => c.conversation.slot(),
            Command::CreateGroup(c) => c.slot(),
            Command::AdvanceCursors(c) => c.conversation.slot(),
            Command::ChangePersonal(c) => c.conversation.slot(),
            Command::DeleteForMe(c) => c.conversation.slot(),
            Command::SettleOutbox(c) => c.slot,
            Command::Import(c) => c.slot(),
            Command::Schedule(c) => c.conversation.slot(),
            Command::CancelScheduled(c) => c.conversation.slot(),
            Command::RunDue(c) => c.slot,
            Command::CreateUpload(c) => c.conversation.slot(),
            Command::WriteChunk(c) => c.conversation.slot(),
            Command::CancelUpload(c) => c.conversation.slot(),
            Command::KeepPreview(c) => c.conversation.slot(),
            Command::ChangeHook(c) => c.conversation.slot(),
            Command::PostHook(c) => c.conversation.slot(),
            Command::AdvanceHook(c) => c.conversation.slot(),
            Command::WritePiece(c) => c.conversation.slot(),
            Command::Vetted(c) => c.said.conversation().slot(),
            Command::JudgeScheduled(c) => c.conversation.slot(),
            Command::ChangePush(c) => c.user.slot(),
            Command::MakePushKey(_) => ConversationId::Everyone.slot(),
        }
    }
}

impl Command {
    /// Whether it adds permanent data. Such commands are refused while disks are almost full; the
    /// others still pass, because they take little, free space, or keep the cluster in order.
    pub fn grows(&self) -> bool {
        match self {
            Command::Register(_) | Command::CreateGroup(_) => true,
            Command::Append(c) => c.intent.grows(),
            // A user has a bounded number of sessions, and must be able to log in to read.
            Command::OpenSession(_) | Command::CloseSession(_) => false,
            // Administrators work while disks are almost full; the data of their acts is bounded,
            // except new accounts and codes.
            Command::CreateAccount(_) => true,
            Command::ChangeInvite(c) => {
                matches!(c.change, InviteChange::Create { .. } | InviteChange::Reserve { .. })
            }
            Command::ChangeAccount(_) | Command::TouchSession(_) | Command::RecordAct(_) => false,
            Command::AdvanceCursors(_) => false,
            // A user has one row per conversation, which is bounded.
            Command::ChangePersonal(_) | Command::DeleteForMe(_) => false,
            Command::ChangeFavourite(c) => !c.removed,
            // A user has one profile, and the number of reports is bounded.
            Command::ChangeProfile(_) | Command::FileReport(_) | Command::CloseReport(_) => false,
            Command::ChangeBot(c) => matches!(c.change, BotChange::Create { .. }),
            Command::NoteSeen(_) | Command::ShowPresence(_) => false,
            // Blocks and ends pass also when there is no room.
            Command::ChangeContact(c) => matches!(c.act, ContactAct::Ask { .. }),
            Command::Import(c) => !c.events.is_empty(),
            Command::CreateUpload(_) | Command::WriteChunk(_) | Command::ReserveRoom(_) | Command::WritePiece(_) => {
                true
            }
            Command::KeepPreview(_) => true,
            Command::HearRoom(_) | Command::SettleRooms(_) => false,
            Command::PostHook(_) => true,
            Command::Vetted(c) => match &c.said {
                Said::Append(append) => append.intent.grows(),
                Said::Post(_) | Said::Piece(_) => true,
            },
            // A user has few subscriptions, and the cluster one key.
            Command::ChangePush(_) | Command::MakePushKey(_) | Command::JudgeScheduled(_) => false,
            // Hooks, and the events that they hold, are bounded.
            Command::ChangeHook(_) | Command::AdvanceHook(_) => false,
            // It frees space.
            Command::CancelUpload(_) => false,
            // Consequences of earlier commits.
            Command::UpdateInbox(_) | Command::SettleOutbox(_) | Command::RunDue(_) => false,
            Command::Schedule(_) => true,
            Command::CancelScheduled(_) => false,
            Command::HearContact(_) | Command::SetGate(_) | Command::SettleContacts(_) => false,
            // It turns an invitation, whose number is bounded per user, into an entry of the list.
            Command::AcceptInvitation(_) => false,
        }
    }
}

/// Name and id are taken in one commit. A repeat with the same `request` returns the same user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Register {
    pub name: Username,
    /// PHC string of argon2id; hashed by the caller.
    pub password_hash: String,
    pub request: ClientMessageId,
}

/// Opens a session, replacing one of the same device. The caller has verified the password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenSession {
    pub user: UserId,
    pub device: DeviceId,
    pub token: TokenHash,
    /// The revision of the verified password: a newer password causes a refusal.
    pub revision: u64,
    /// Origin of the login, kept as that of the user's last one; empty: nothing is kept.
    pub from: String,
}

/// Logs one session out. `token` given: only if it is still that session, so that a late logout
/// spares a newer login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseSession {
    pub user: UserId,
    pub device: DeviceId,
    pub token: Option<TokenHash>,
}

/// One outbox row at its destination. Applied only if `version` is above the one held, so repeats
/// are harmless.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateInbox {
    pub user: UserId,
    pub conversation: ConversationId,
    /// Whether the user is in the conversation.
    pub present: bool,
    /// The seq of the event that caused it.
    pub version: Seq,
    /// The other user that caused it, whom the list's owner may not know.
    pub by: Option<UserId>,
    /// The cluster adds strangers to groups at once.
    pub unasked: bool,
}

/// The user enters a conversation that a stranger has begun or has added it to, or declines it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptInvitation {
    pub user: UserId,
    pub conversation: ConversationId,
    /// Of the invitation, so that a late repeat accepts no newer one.
    pub version: Seq,
    /// Ends the invitation instead.
    pub decline: bool,
}

/// The group's slot is drawn from creator and request, so that a repeat finds the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateGroup {
    pub creator: UserId,
    pub request: ClientMessageId,
    pub name: String,
    /// Whether any user may join by id.
    pub open: bool,
    pub members: Vec<UserId>,
}

impl CreateGroup {
    pub fn slot(&self) -> Slot {
        let mut key = [0u8; 24];
        key[..8].copy_from_slice(&self.creator.0.to_be_bytes());
        key[8..].copy_from_slice(&self.request.0);
        Slot::of(&key)
    }
}

/// Many members' cursors in one command. Positions behind the held ones, or beyond the head, change
/// nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdvanceCursors {
    pub conversation: ConversationId,
    pub moves: Vec<CursorMove>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CursorMove {
    pub user: UserId,
    pub delivered: Seq,
    pub read: Seq,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettleOutbox {
    pub slot: Slot,
    pub rows: Vec<crate::record::OutboxKey>,
}

//! One test program for the whole crate. [`values`] draws any value of any type; the other modules
//! test properties of them.

mod client;
mod content;
mod event;
mod frame;
mod golden;
mod protocol_page;
mod record;
mod total;
mod values;

use troupe_core::feature::{
    ActiveCall, Ban, Edits, GroupLink, GroupProfile, JoinRequest, Mute, OpenStream, OpenStreams, OwnReactions, Pins,
    Reactions, Scheduled, ScheduledCount, StreamPiece, Tally, Vote,
};
use troupe_core::form::DecodeError;
use troupe_core::record::{
    AuditRow, Block, Bot, Contact, ContactBook, Conversation, Cursor, DeadEvent, Favourite, FavouriteBook, File,
    FileUsage, Gate, Hook, InboxEntry, Invitation, Invite, LastLogin, Member, OutboxRow, OwedContact, OwedRoom,
    Personal, Profile, PushKey, PushSubscription, Report, ReportBook, Reservation, Room, RoomReserved, RoomUsed, Seen,
    Session, Upload, User,
};
use troupe_core::{Command, Event};
use troupe_proto::StampedBatch;

/// Rows have their kept forms in core, and entries of a shard's log have them here: both as one.
trait Kept: Sized {
    const VERSION: u8;

    fn encode(&self) -> Vec<u8>;
    fn decode(bytes: &[u8]) -> Result<Self, DecodeError>;
}

macro_rules! kept {
    ($form:path: $($value:ty),*) => {$(
        impl Kept for $value {
            const VERSION: u8 = <$value as $form>::VERSION;

            fn encode(&self) -> Vec<u8> {
                <$value as $form>::encode(self)
            }

            fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
                <$value as $form>::decode(bytes)
            }
        }
    )*};
}

kept!(
    troupe_core::form::Record: ActiveCall,
    AuditRow,
    Ban,
    Block,
    Bot,
    Contact,
    ContactBook,
    Conversation,
    Cursor,
    DeadEvent,
    PushKey,
    PushSubscription,
    Event,
    Favourite,
    FavouriteBook,
    Gate,
    File,
    FileUsage,
    GroupLink,
    JoinRequest,
    Pins,
    GroupProfile,
    Hook,
    InboxEntry,
    Invitation,
    Invite,
    LastLogin,
    Member,
    Mute,
    OpenStream,
    OpenStreams,
    OutboxRow,
    OwedContact,
    OwedRoom,
    OwnReactions,
    Edits,
    Personal,
    Profile,
    Reactions,
    Tally,
    Vote,
    Report,
    ReportBook,
    Reservation,
    Room,
    RoomReserved,
    RoomUsed,
    Scheduled,
    ScheduledCount,
    Seen,
    Session,
    StreamPiece,
    Upload,
    User
);
kept!(troupe_proto::Record: Command, StampedBatch);

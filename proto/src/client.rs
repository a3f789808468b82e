//! The client protocol as types of core, and back.
//!
//! Requests arrive as generated types of `client.proto` and leave as core's commands, validated
//! field by field. [`Failure`]s are made here, so that each code has one meaning. Core decides
//! about permissions and sizes. Servers and Rust clients both use this; `docs/protocol.md` is for
//! other clients.
//!
//! [`Failure`]: crate::wire::client::Failure

mod body;
mod call;
mod contact;
mod end;
mod failure;
mod personal;
mod profile;
mod push;
mod request;
mod settings;
mod token;

pub use body::role;
pub use call::call;
pub use contact::{change_contact, contact, contact_change};
pub use end::EndReason;
pub use failure::{Limit, NO_LEADER, OVERLOADED, Refusal, SHUTTING_DOWN, STORAGE_LOW, UNAVAILABLE};
pub use personal::{change_personal, personal};
pub use profile::change_profile;
pub use push::{event_frame, event_of_frame, push_frame, push_of_frame};
pub use request::{
    body, change, change_group, client_message_id, close_poll, conversation, create_group, device, edit_message,
    end_stream, file_hash, optional_client_message_id, recall_message, schedule, send, user, vote, write_piece,
};
pub use token::SessionToken;

/// The version of the client protocol that this program speaks.
pub const PROTOCOL_VERSION: u32 = 1;

/// `client.proto` as a FileDescriptorSet.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/client.bin"));

/// TCP port for native clients.
pub const CLIENT_PORT: u16 = 7700;
/// TCP port for HTTP and WebSocket.
pub const HTTP_PORT: u16 = 7780;
/// TCP port that nodes use among themselves.
pub const CLUSTER_PORT: u16 = 7800;

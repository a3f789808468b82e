//! Checks of single fields, shared by all conversions of this crate so that each kind of field has
//! one rule.

use troupe_core::{ClientMessageId, ConversationId, DeviceId, FileHash, SLOTS, Slot, TokenHash, UserId};

use troupe_core::form::DecodeError;

/// Ids of users and groups stay below this, so that JSON and JavaScript keep them exact.
const ID_LIMIT: u64 = 1 << 53;

pub fn invalid(field: &'static str, why: &'static str) -> DecodeError {
    DecodeError::Invalid { field, why }
}

pub fn required<T>(field: &'static str, value: Option<T>) -> Result<T, DecodeError> {
    value.ok_or(DecodeError::Missing { field })
}

pub fn conversation(field: &'static str, text: &str) -> Result<ConversationId, DecodeError> {
    text.parse().map_err(|_| invalid(field, "a conversation is written 'everyone', 'd<low>-<high>' or 'g<id>'"))
}

pub fn client_message_id(field: &'static str, bytes: &[u8]) -> Result<ClientMessageId, DecodeError> {
    bytes.try_into().map(ClientMessageId).map_err(|_| invalid(field, "it must be 16 bytes"))
}

/// Empty bytes stand for none.
pub fn optional_client_message_id(field: &'static str, bytes: &[u8]) -> Result<Option<ClientMessageId>, DecodeError> {
    if bytes.is_empty() { Ok(None) } else { client_message_id(field, bytes).map(Some) }
}

pub fn token_hash(field: &'static str, bytes: &[u8]) -> Result<TokenHash, DecodeError> {
    bytes.try_into().map(TokenHash).map_err(|_| invalid(field, "it must be 32 bytes"))
}

pub fn file_hash(field: &'static str, bytes: &[u8]) -> Result<FileHash, DecodeError> {
    bytes.try_into().map(FileHash).map_err(|_| invalid(field, "it must be 32 bytes"))
}

pub fn device(field: &'static str, text: &str) -> Result<DeviceId, DecodeError> {
    DeviceId::new(text).ok_or(invalid(field, "a device is 1 to 64 printable ASCII characters without spaces"))
}

pub fn slot(field: &'static str, number: u32) -> Result<Slot, DecodeError> {
    match u16::try_from(number) {
        Ok(slot) if slot < SLOTS => Ok(Slot(slot)),
        _ => Err(invalid(field, "a slot is below 1024")),
    }
}

/// A user named by a client. Records do not use this: everything that a shard has committed must
/// stay readable, and the machine answers for unknown ids.
pub fn user(field: &'static str, number: u64) -> Result<UserId, DecodeError> {
    if (1..ID_LIMIT).contains(&number) { Ok(UserId(number)) } else { Err(invalid(field, "no user has this id")) }
}

//! The place of record types in a protobuf message. Zero and empty values are not written, as in
//! every message of proto3.

use bytes::Bytes;
use prost::encoding::{self, DecodeContext, WireType, decode_key};

use super::DecodeError;
use crate::event::{Body, Role};
use crate::feature::{CallAnswer, CallOutcome};
use crate::file::FileHash;
use crate::id::{ClientMessageId, ConversationId, DeviceId, GroupId, SLOTS, Seq, Slot, Timestamp, TokenHash, UserId};
use crate::record::Viewers;

type Malformed = prost::DecodeError;

/// The usual form of a type.
pub struct Kept;
/// A number of eight bytes that is large as a rule.
pub struct Fixed;

/// A type of a field, in one of its forms.
pub trait Field<As = Kept>: Sized {
    /// As the message has it, before it is checked.
    type Raw: Default;

    fn write(&self, number: u32, out: &mut Vec<u8>);
    fn merge(raw: &mut Self::Raw, wire: WireType, from: &mut &[u8], context: DecodeContext) -> Result<(), Malformed>;
    fn checked(raw: Self::Raw, field: &'static str) -> Result<Self, DecodeError>;
}

/// Hands over the fields of a message, one by one.
pub fn decode_message(
    mut message: &[u8],
    mut field: impl FnMut(u32, WireType, &mut &[u8], DecodeContext) -> Result<(), Malformed>,
) -> Result<(), DecodeError> {
    while !message.is_empty() {
        let (number, wire) = decode_key(&mut message)?;
        field(number, wire, &mut message, DecodeContext::default())?;
    }
    Ok(())
}

fn invalid(field: &'static str, why: &'static str) -> DecodeError {
    DecodeError::Invalid { field, why }
}

/// Types that are one scalar: how they become it, and how it becomes them.
macro_rules! scalars {
    ($($type:ty, $form:ty, $raw:ty, $codec:ident, |$value:ident| $out:expr, |$back:ident, $field:ident| $in:expr;)*) => {$(
        impl Field<$form> for $type {
            type Raw = $raw;

            fn write(&self, number: u32, out: &mut Vec<u8>) {
                let $value = self;
                let raw: $raw = $out;
                if raw != <$raw>::default() {
                    encoding::$codec::encode(number, &raw, out);
                }
            }

            fn merge(raw: &mut $raw, wire: WireType, from: &mut &[u8], context: DecodeContext) -> Result<(), Malformed> {
                encoding::$codec::merge(wire, raw, from, context)
            }

            fn checked($back: $raw, $field: &'static str) -> Result<Self, DecodeError> {
                $in
            }
        }
    )*};
}

scalars! {
    bool, Kept, bool, bool, |value| *value, |raw, _field| Ok(raw);
    u32, Kept, u32, uint32, |value| *value, |raw, _field| Ok(raw);
    u64, Kept, u64, uint64, |value| *value, |raw, _field| Ok(raw);
    u64, Fixed, u64, fixed64, |value| *value, |raw, _field| Ok(raw);
    Seq, Kept, u64, uint64, |value| value.0, |raw, _field| Ok(Seq(raw));
    Timestamp, Kept, u64, uint64, |value| value.0, |raw, _field| Ok(Timestamp(raw));
    UserId, Kept, u64, uint64, |value| value.0, |raw, _field| Ok(UserId(raw));
    GroupId, Kept, u64, uint64, |value| value.0, |raw, _field| Ok(GroupId(raw));
    // Zero stands for none.
    Option<UserId>, Kept, u64, uint64, |value| value.map_or(0, |user| user.0),
        |raw, _field| Ok(Some(UserId(raw)).filter(|user| user.0 != 0));
    Slot, Kept, u32, uint32, |value| value.0.into(), |raw, field| match u16::try_from(raw) {
        Ok(slot) if slot < SLOTS => Ok(Slot(slot)),
        _ => Err(invalid(field, "a slot is below 1024")),
    };
    Role, Kept, u64, uint64, |value| value.number().into(), |raw, field| {
        Role::of(raw).ok_or(invalid(field, "a role is member, admin or owner"))
    };
    Viewers, Kept, u64, uint64, |value| value.number().into(), |raw, field| {
        Viewers::of(raw).ok_or(invalid(field, "presence is shown to everyone, contacts or no one"))
    };
    CallAnswer, Kept, u64, uint64, |value| value.number().into(), |raw, field| {
        CallAnswer::of(raw).ok_or(invalid(field, "an answer to a call is accept, refuse or busy"))
    };
    CallOutcome, Kept, u64, uint64, |value| value.number().into(), |raw, field| {
        CallOutcome::of(raw).ok_or(invalid(field, "this version does not know how the call ended"))
    };
    String, Kept, String, string, |value| value.clone(), |raw, _field| Ok(raw);
    ConversationId, Kept, String, string, |value| value.to_string(), |raw, field| {
        raw.parse().map_err(|_| invalid(field, "a conversation is written 'everyone', 'd<low>-<high>' or 'g<id>'"))
    };
    DeviceId, Kept, String, string, |value| value.as_str().to_owned(), |raw, field| {
        DeviceId::new(&raw).ok_or(invalid(field, "a device is 1 to 64 printable ASCII characters without spaces"))
    };
    ClientMessageId, Kept, Vec<u8>, bytes, |value| value.0.to_vec(), |raw, field| client_message_id(&raw, field);
    // Empty stands for none.
    Option<ClientMessageId>, Kept, Vec<u8>, bytes, |value| value.map_or_else(Vec::new, |id| id.0.to_vec()),
        |raw, field| if raw.is_empty() { Ok(None) } else { client_message_id(&raw, field).map(Some) };
    Option<FileHash>, Kept, Vec<u8>, bytes, |value| value.map_or_else(Vec::new, |hash| hash.0.to_vec()),
        |raw, field| match raw.as_slice() {
            [] => Ok(None),
            raw => raw.try_into().map(|hash| Some(FileHash(hash))).map_err(|_| invalid(field, "it must be 32 bytes")),
        };
    TokenHash, Kept, Vec<u8>, bytes, |value| value.0.to_vec(), |raw, field| {
        raw.as_slice().try_into().map(TokenHash).map_err(|_| invalid(field, "it must be 32 bytes"))
    };
}

fn client_message_id(bytes: &[u8], field: &'static str) -> Result<ClientMessageId, DecodeError> {
    bytes.try_into().map(ClientMessageId).map_err(|_| invalid(field, "it must be 16 bytes"))
}

impl Field for Vec<ClientMessageId> {
    type Raw = Vec<Vec<u8>>;

    fn write(&self, number: u32, out: &mut Vec<u8>) {
        self.iter().for_each(|id| encoding::bytes::encode(number, &id.0.to_vec(), out));
    }

    fn merge(raw: &mut Self::Raw, wire: WireType, from: &mut &[u8], context: DecodeContext) -> Result<(), Malformed> {
        encoding::bytes::merge_repeated(wire, raw, from, context)
    }

    fn checked(raw: Self::Raw, field: &'static str) -> Result<Self, DecodeError> {
        raw.iter().map(|bytes| client_message_id(bytes, field)).collect()
    }
}

impl Field for Vec<Seq> {
    type Raw = Vec<u64>;

    fn write(&self, number: u32, out: &mut Vec<u8>) {
        let seqs: Vec<u64> = self.iter().map(|seq| seq.0).collect();
        encoding::uint64::encode_packed(number, &seqs, out);
    }

    fn merge(raw: &mut Self::Raw, wire: WireType, from: &mut &[u8], context: DecodeContext) -> Result<(), Malformed> {
        encoding::uint64::merge_repeated(wire, raw, from, context)
    }

    fn checked(raw: Self::Raw, _: &'static str) -> Result<Self, DecodeError> {
        Ok(raw.into_iter().map(Seq).collect())
    }
}

impl Field for Vec<Timestamp> {
    type Raw = Vec<u64>;

    fn write(&self, number: u32, out: &mut Vec<u8>) {
        let times: Vec<u64> = self.iter().map(|time| time.0).collect();
        encoding::uint64::encode_packed(number, &times, out);
    }

    fn merge(raw: &mut Self::Raw, wire: WireType, from: &mut &[u8], context: DecodeContext) -> Result<(), Malformed> {
        encoding::uint64::merge_repeated(wire, raw, from, context)
    }

    fn checked(raw: Self::Raw, _: &'static str) -> Result<Self, DecodeError> {
        Ok(raw.into_iter().map(Timestamp).collect())
    }
}

impl Field for Vec<UserId> {
    type Raw = Vec<u64>;

    fn write(&self, number: u32, out: &mut Vec<u8>) {
        let users: Vec<u64> = self.iter().map(|user| user.0).collect();
        encoding::uint64::encode_packed(number, &users, out);
    }

    fn merge(raw: &mut Self::Raw, wire: WireType, from: &mut &[u8], context: DecodeContext) -> Result<(), Malformed> {
        encoding::uint64::merge_repeated(wire, raw, from, context)
    }

    fn checked(raw: Self::Raw, _: &'static str) -> Result<Self, DecodeError> {
        Ok(raw.into_iter().map(UserId).collect())
    }
}

impl Field for Vec<u32> {
    type Raw = Vec<u32>;

    fn write(&self, number: u32, out: &mut Vec<u8>) {
        encoding::uint32::encode_packed(number, self, out);
    }

    fn merge(raw: &mut Self::Raw, wire: WireType, from: &mut &[u8], context: DecodeContext) -> Result<(), Malformed> {
        encoding::uint32::merge_repeated(wire, raw, from, context)
    }

    fn checked(raw: Self::Raw, _: &'static str) -> Result<Self, DecodeError> {
        Ok(raw)
    }
}

impl Field for Body {
    type Raw = Option<Vec<u8>>;

    fn write(&self, number: u32, out: &mut Vec<u8>) {
        encoding::message::encode(number, self, out);
    }

    fn merge(raw: &mut Self::Raw, wire: WireType, from: &mut &[u8], context: DecodeContext) -> Result<(), Malformed> {
        merge_message(raw, wire, from, context)
    }

    fn checked(raw: Self::Raw, field: &'static str) -> Result<Self, DecodeError> {
        let raw = raw.ok_or(DecodeError::Missing { field })?;
        Ok(<Body as prost::Message>::decode(Bytes::from(raw))?)
    }
}

/// A record within another one. One that comes in two pieces is their sum, as in every message.
pub(crate) fn merge_message(
    raw: &mut Option<Vec<u8>>,
    wire: WireType,
    from: &mut &[u8],
    context: DecodeContext,
) -> Result<(), Malformed> {
    let mut piece = Vec::new();
    encoding::bytes::merge(wire, &mut piece, from, context)?;
    raw.get_or_insert_default().extend_from_slice(&piece);
    Ok(())
}

/// Writes a record within another one, also an empty one.
pub(crate) fn write_message(number: u32, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let mut message = Vec::new();
    write(&mut message);
    encoding::bytes::encode(number, &message, out);
}

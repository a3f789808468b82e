//! The forms that kinds of rows have had, and their migrations.
//!
//! A reader accepts every version that was ever written, as long as such rows may exist: each form
//! knows its predecessor and converts it. The level in force decides which version is written,
//! because old replicas must read it too.

use prost::Message;

use crate::error::DecodeError;

pub(super) trait Form: Sized {
    const VERSION: u8;
    type Previous: Form;

    fn parse(message: &[u8]) -> Result<Self, DecodeError>;

    fn migrate(previous: Self::Previous) -> Self;

    /// Of a message of this version or an earlier one.
    fn open(version: u8, message: &[u8]) -> Result<Self, DecodeError> {
        if version == Self::VERSION {
            return Self::parse(message);
        }
        let unknown = DecodeError::Version { found: version, known: Self::VERSION };
        if version > Self::VERSION {
            return Err(unknown);
        }
        match Self::Previous::open(version, message) {
            Ok(previous) => Ok(Self::migrate(previous)),
            Err(DecodeError::Version { .. }) => Err(unknown),
            Err(error) => Err(error),
        }
    }
}

/// The predecessor of the first form: there is no such row.
pub(super) enum Nothing {}

impl Form for Nothing {
    const VERSION: u8 = 0;
    type Previous = Nothing;

    fn parse(_: &[u8]) -> Result<Self, DecodeError> {
        Err(DecodeError::Version { found: 0, known: 0 })
    }

    fn migrate(previous: Nothing) -> Nothing {
        previous
    }
}

/// The bytes of a message of this version.
pub(super) fn seal(version: u8, message: &impl Message) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1 + message.encoded_len());
    bytes.push(version);
    message.encode_raw(&mut bytes);
    bytes
}

pub(super) fn open<F: Form>(bytes: &[u8]) -> Result<F, DecodeError> {
    match bytes.split_first() {
        Some((&version, message)) => F::open(version, message),
        None => Err(DecodeError::Missing { field: "record.version" }),
    }
}

//! The kept byte forms of values: one byte of version, then one protobuf message.
//!
//! A reader accepts every version that was ever written, as long as such rows may exist: each
//! [`Form`] knows its predecessor and converts it. The level in force decides which version is
//! written, because old replicas must read it too. Fields may be added under the same version. The
//! macro `record` declares a struct with its field numbers, which is all that most kinds need.

mod field;

pub use field::{Field, Fixed, Kept, decode_message};
pub(crate) use field::{merge_message, write_message};
use prost::Message;

/// The fault of received or stored bytes. The holder cannot repair them: a client gets a definite
/// failure, a node peer is disconnected, and an undecodable row stops the node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("not a protobuf message of the expected type: {0}")]
    Malformed(#[from] prost::DecodeError),
    /// A record of a later format, or not a record.
    #[error("unknown format version {found}; this program reads version {known}")]
    Version { found: u8, known: u8 },
    #[error("{field} is missing")]
    Missing { field: &'static str },
    #[error("{field} is wrong: {why}")]
    Invalid { field: &'static str, why: &'static str },
}

impl DecodeError {
    /// The field at fault, where it is one field.
    pub fn field(&self) -> Option<&'static str> {
        match self {
            DecodeError::Missing { field } | DecodeError::Invalid { field, .. } => Some(field),
            DecodeError::Malformed(_) | DecodeError::Version { .. } => None,
        }
    }
}

/// The version of all forms that have had no other.
pub const RECORD_VERSION: u8 = 1;

/// A value with one kept byte form.
pub trait Record: Sized {
    /// The newest version that this program knows; it reads this one and all before it.
    const VERSION: u8;

    fn encode(&self) -> Vec<u8>;
    /// Total: any bytes give a value or an error.
    fn decode(bytes: &[u8]) -> Result<Self, DecodeError>;
}

/// One version of a kind of record, and how it comes from the version before it.
pub trait Form: Sized {
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
pub enum Nothing {}

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
pub fn seal(version: u8, message: &impl Message) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1 + message.encoded_len());
    bytes.push(version);
    message.encode_raw(&mut bytes);
    bytes
}

pub fn open<F: Form>(bytes: &[u8]) -> Result<F, DecodeError> {
    match bytes.split_first() {
        Some((&version, message)) => F::open(version, message),
        None => Err(DecodeError::Missing { field: "record.version" }),
    }
}

/// Declares a struct whose fields have numbers, and the first version of its kept form. `as` names
/// another form of a field than the usual one of its type.
macro_rules! record {
    (
        $name:literal;
        $(#[$about:meta])*
        pub struct $record:ident {
            $( $(#[$of:meta])* pub $field:ident: $type:ty = $number:literal $(as $form:ty)?, )*
        }
    ) => {
        $(#[$about])*
        pub struct $record {
            $( $(#[$of])* pub $field: $type, )*
        }

        impl $record {
            #[allow(dead_code, reason = "not every record stands in another one")]
            pub(crate) fn write(&self, out: &mut Vec<u8>) {
                $( <$type as $crate::form::Field<$crate::form::form_of!($($form)?)>>::write(
                    &self.$field, $number, out,
                ); )*
            }

            #[allow(dead_code, reason = "not every record stands in another one")]
            pub(crate) fn read(message: &[u8]) -> Result<Self, $crate::form::DecodeError> {
                $( let mut $field =
                    <<$type as $crate::form::Field<$crate::form::form_of!($($form)?)>>::Raw>::default(); )*
                $crate::form::decode_message(message, |number, wire, from, context| match number {
                    $( $number => <$type as $crate::form::Field<$crate::form::form_of!($($form)?)>>::merge(
                        &mut $field, wire, from, context,
                    ), )*
                    _ => prost::encoding::skip_field(wire, number, from, context),
                })?;
                Ok($record {
                    $( $field: <$type as $crate::form::Field<$crate::form::form_of!($($form)?)>>::checked(
                        $field, concat!($name, ".", stringify!($field)),
                    )?, )*
                })
            }
        }

        impl $crate::form::Record for $record {
            const VERSION: u8 = $crate::form::RECORD_VERSION;

            fn encode(&self) -> Vec<u8> {
                let mut bytes = vec![$crate::form::RECORD_VERSION];
                self.write(&mut bytes);
                bytes
            }

            fn decode(bytes: &[u8]) -> Result<Self, $crate::form::DecodeError> {
                match bytes.split_first() {
                    Some((&$crate::form::RECORD_VERSION, message)) => $record::read(message),
                    Some((&found, _)) => {
                        Err($crate::form::DecodeError::Version { found, known: $crate::form::RECORD_VERSION })
                    }
                    None => Err($crate::form::DecodeError::Missing { field: "record.version" }),
                }
            }
        }
    };
}

macro_rules! form_of {
    () => {
        $crate::form::Kept
    };
    ($form:ty) => {
        $form
    };
}

pub(crate) use {form_of, record};

//! The one error of every conversion from bytes or generated types to `troupe-core`'s types.

/// What is wrong with received or stored bytes. Whoever holds them cannot repair them: a client
/// gets a definite failure, a node peer is disconnected, a row that does not decode stops the node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("not a protobuf message of the expected type: {0}")]
    Malformed(#[from] prost::DecodeError),
    /// A record of a later format, or no record at all.
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

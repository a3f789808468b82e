//! The one error of every conversion from bytes or generated types to `troupe-core`'s types.

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

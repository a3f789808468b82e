//! Pieces of streams.

use troupe_core::command::WritePiece;
use troupe_core::form::DecodeError;
use troupe_core::{Seq, UserId};

use crate::field;
use crate::wire::record as wire;

impl From<&WritePiece> for wire::WritePiece {
    fn from(c: &WritePiece) -> Self {
        wire::WritePiece {
            conversation: c.conversation.to_string(),
            sender: c.sender.0,
            message: c.message.0,
            index: c.index,
            text: c.text.clone(),
        }
    }
}

impl TryFrom<wire::WritePiece> for WritePiece {
    type Error = DecodeError;

    fn try_from(c: wire::WritePiece) -> Result<Self, DecodeError> {
        Ok(WritePiece {
            conversation: field::conversation("write_piece.conversation", &c.conversation)?,
            sender: UserId(c.sender),
            message: Seq(c.message),
            index: c.index,
            text: c.text,
        })
    }
}

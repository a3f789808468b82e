//! An event that is too large to be read for a number: [`crate::unread`]. The row has no value.

use super::{Family, Table};
use crate::form::DecodeError;
use crate::id::{ConversationId, Seq};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Large;

impl Table for Large {
    const FAMILY: Family = Family::Conversations;
    const TAG: Option<u8> = Some(0x41);
    type Key = (ConversationId, Seq);

    fn to_value(&self) -> Vec<u8> {
        Vec::new()
    }

    fn from_value(_: &[u8]) -> Result<Large, DecodeError> {
        Ok(Large)
    }
}

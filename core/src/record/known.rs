//! The first user has accepted an invitation by the second. The row says nothing more.

use super::{Family, Table};
use crate::form::DecodeError;
use crate::id::UserId;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known;

impl Table for Known {
    const FAMILY: Family = Family::Users;
    const TAG: Option<u8> = Some(0x41);
    type Key = (UserId, UserId);

    fn to_value(&self) -> Vec<u8> {
        Vec::new()
    }

    fn from_value(_: &[u8]) -> Result<Known, DecodeError> {
        Ok(Known)
    }
}

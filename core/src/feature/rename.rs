//! A group's name.

use super::policy::{Act, permit};
use crate::error::Rejection;
use crate::event::{EventKind, Role};
use crate::limits;
use crate::record::Conversation;

pub(crate) fn check_name(name: &str) -> Result<(), Rejection> {
    let good = (1..=limits::GROUP_NAME_CHARS).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if good { Ok(()) } else { Err(Rejection::BadName) }
}

pub(super) fn decide(role: Option<Role>, row: &Conversation, name: &str) -> Result<EventKind, Rejection> {
    permit(role, row, Act::Rename)?;
    Ok(EventKind::Renamed { name: name.to_owned() })
}

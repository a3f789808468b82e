//! A group's name.

use super::demand;
use crate::error::Rejection;
use crate::event::{EventKind, Role};
use crate::limits;

pub(crate) fn check_name(name: &str) -> Result<(), Rejection> {
    let good = (1..=limits::GROUP_NAME_CHARS).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if good { Ok(()) } else { Err(Rejection::BadName) }
}

pub(super) fn decide(role: Option<Role>, name: &str) -> Result<EventKind, Rejection> {
    demand(role >= Some(Role::Admin))?;
    Ok(EventKind::Renamed { name: name.to_owned() })
}

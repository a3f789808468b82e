//! A group's name.

use prost::Message;

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

#[derive(Clone, PartialEq, Message)]
struct Named {
    #[prost(string, tag = "1")]
    name: String,
}

pub(super) fn content(name: &str) -> Vec<u8> {
    Named { name: name.to_owned() }.encode_to_vec()
}

pub(super) fn name_in(content: &[u8]) -> Option<String> {
    Some(Named::decode(content).ok()?.name)
}

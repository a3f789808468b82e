//! The last number that a slot has handed out, for user and group ids alike.

use super::number;
use crate::id::Slot;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counter(pub u64);

number!(Counter, Users, Some(b'c'), Slot);

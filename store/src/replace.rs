//! Both engines require of the content of a [`Replace`](crate::engine::Replace): each key inside
//! one of the ranges, ascending within its family.

use crate::engine::{EngineError, Family};

/// Checks keys in the order of arrival.
pub(crate) struct Order {
    ranges: Vec<(Family, Vec<u8>, Vec<u8>)>,
    last: [Option<Vec<u8>>; Family::ALL.len()],
}

impl Order {
    pub(crate) fn new(ranges: Vec<(Family, Vec<u8>, Vec<u8>)>) -> Order {
        Order { ranges, last: Default::default() }
    }

    pub(crate) fn check(&mut self, family: Family, key: &[u8]) -> Result<(), EngineError> {
        let inside = |(of, from, to): &(Family, Vec<u8>, Vec<u8>)| {
            *of == family && from.as_slice() <= key && key < to.as_slice()
        };
        if !self.ranges.iter().any(inside) {
            return Err(EngineError::Refused(format!("a key of {} lies outside the replaced ranges", family.name())));
        }
        let last = &mut self.last[family as usize];
        match last {
            Some(last) if last.as_slice() >= key => {
                return Err(EngineError::Refused(format!("keys of {} do not ascend", family.name())));
            }
            Some(last) => {
                last.clear();
                last.extend_from_slice(key);
            }
            None => *last = Some(key.to_vec()),
        }
        Ok(())
    }
}

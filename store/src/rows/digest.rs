//! A digest that shows whether two clusters hold the same rows, for any division into shards: a sum
//! over the hashes of all rows.
//!
//! It does not prevent forgery: a writer of the rows could write the digest too.

use std::ops::Bound;

use troupe_core::record::{KeptHead, Table};
use xxhash_rust::xxh3::xxh3_128;

use super::restore::Mark;
use crate::engine::{EngineError, Family, Reader};

/// Rows read at once.
const PAGE: usize = 256;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digest {
    pub rows: u64,
    pub sum: u128,
}

impl Digest {
    /// The marks of a restore record the origin of rows and are not among them.
    pub fn add(&mut self, family: Family, key: &[u8], value: &[u8]) {
        if is_mark(family, key) {
            return;
        }
        let mut row = Vec::with_capacity(5 + key.len() + value.len());
        row.push(family as u8);
        row.extend_from_slice(&(key.len() as u32).to_be_bytes());
        row.extend_from_slice(key);
        row.extend_from_slice(value);
        self.rows += 1;
        self.sum = self.sum.wrapping_add(xxh3_128(&row));
    }

    pub fn join(&mut self, other: Digest) {
        self.rows += other.rows;
        self.sum = self.sum.wrapping_add(other.sum);
    }
}

/// Whether a row is the mark of a restore.
pub fn is_mark(family: Family, key: &[u8]) -> bool {
    match family {
        Family::Users => Mark::key_in(key).is_some(),
        Family::Conversations => KeptHead::key_in(key).is_some(),
        _ => false,
    }
}

/// Of a range of slots (the second is exclusive).
pub fn digest_range(reader: &dyn Reader, slots: (u16, u16)) -> Result<Digest, EngineError> {
    let (from, to) = super::slot_range(slots.0, slots.1);
    let mut digest = Digest::default();
    for family in Family::OF_SLOTS {
        let mut begin = Bound::Included(from.clone());
        loop {
            let page = reader.scan(family, (begin, Bound::Excluded(to.clone())), false, PAGE)?;
            for (key, value) in &page {
                digest.add(family, key, value);
            }
            match page.into_iter().next_back() {
                Some((last, _)) => begin = Bound::Excluded(last),
                None => break,
            }
        }
    }
    Ok(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_cuts_do_not_matter_but_every_byte_does() {
        let rows = [(Family::Users, "a", "1"), (Family::Users, "b", "2"), (Family::Events, "a", "1")];
        let of = |rows: &[(Family, &str, &str)]| {
            let mut digest = Digest::default();
            for (family, key, value) in rows {
                digest.add(*family, key.as_bytes(), value.as_bytes());
            }
            digest
        };
        let whole = of(&rows);
        let mut turned = rows;
        turned.reverse();
        assert_eq!(of(&turned), whole);
        let mut joined = of(&rows[..1]);
        joined.join(of(&rows[1..]));
        assert_eq!(joined, whole);
        assert_ne!(of(&[(Family::Users, "a", "1"), (Family::Users, "b", "2"), (Family::Users, "a", "1")]), whole);
        assert_ne!(of(&[(Family::Users, "a1", ""), rows[1], rows[2]]), whole, "where a key ends counts");
        assert_ne!(of(&rows[..2]), whole);
    }
}

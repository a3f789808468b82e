//! The starts of a data directory, numbered and marked.

use troupe_core::NodeId;
use troupe_core::level::Range;

/// Marks of earlier starts that a node keeps and announces. A replaced disk that starts more often
/// than this before it meets another node is not detected.
const BEFORE: usize = 64;

/// One start of a data directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Boot {
    /// 1 is the first.
    pub number: u64,
    /// Distinguishes two starts with the same number.
    pub mark: [u8; 16],
}

impl Boot {
    pub fn encode(&self) -> Vec<u8> {
        [self.number.to_be_bytes().as_slice(), &self.mark].concat()
    }

    pub fn decode(bytes: &[u8]) -> Option<Boot> {
        let (number, mark) = bytes.split_first_chunk::<8>()?;
        Some(Boot { number: u64::from_be_bytes(*number), mark: mark.try_into().ok()? })
    }
}

/// One start and those before it, as the node itself knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    pub boot: Boot,
    /// Marks of the previous starts, the last one first, as far as they are kept.
    pub before: Vec<[u8; 16]>,
}

impl Start {
    /// Whether a node in this start may have been seen in that one without having lost anything
    /// since.
    pub fn follows(&self, seen: &Boot) -> bool {
        match self.boot.number.checked_sub(seen.number) {
            None => false,
            Some(0) => self.boot == *seen,
            Some(ago) => self.before.get(ago as usize - 1).is_none_or(|mark| *mark == seen.mark),
        }
    }

    pub fn next(last: Option<Boot>, before: Vec<[u8; 16]>, mark: [u8; 16]) -> Start {
        let before = last.iter().map(|last| last.mark).chain(before).take(BEFORE).collect();
        Start { boot: Boot { number: last.map_or(0, |last| last.number) + 1, mark }, before }
    }
}

/// A node announces its present start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    pub cluster_id: [u8; 16],
    pub from: NodeId,
    pub to: NodeId,
    pub start: Start,
    /// The last start in which it has seen the receiver.
    pub seen: Option<Boot>,
    /// Its present address; the one in the table may be outdated.
    pub address: String,
    /// Feature levels that it supports.
    pub levels: Range,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boot(number: u64, mark: u8) -> Boot {
        Boot { number, mark: [mark; 16] }
    }

    /// A node that was started with these marks, one after another.
    fn started(marks: &[u8]) -> Start {
        let first = Start::next(None, Vec::new(), [marks[0]; 16]);
        marks[1..].iter().fold(first, |last, mark| Start::next(Some(last.boot), last.before, [*mark; 16]))
    }

    #[test]
    fn only_the_same_start_or_a_later_one_follows() {
        let told = started(&[1, 2, 3, 4, 5]);
        assert!(told.follows(&boot(5, 5)));
        assert!(told.follows(&boot(2, 2)));
        assert!(!told.follows(&boot(5, 9)), "the same number again");
        assert!(!told.follows(&boot(6, 6)), "an earlier one");
    }

    #[test]
    fn a_disk_that_was_put_back_is_found_out_however_often_it_has_started_since() {
        // Seen in its fourth start; a copy of the second one was restored.
        let seen = boot(4, 4);
        for marks in [&[1, 2, 13][..], &[1, 2, 13, 14], &[1, 2, 13, 14, 15], &[1, 2, 13, 14, 15, 16, 17]] {
            assert!(!started(marks).follows(&seen), "{marks:?}");
        }
        assert!(started(&[1, 2, 3, 4, 5, 6, 7]).follows(&seen));
    }

    #[test]
    fn what_is_no_longer_known_is_believed() {
        let mut told = started(&[1; BEFORE + 20]);
        assert_eq!(told.before.len(), BEFORE);
        assert!(told.follows(&boot(3, 9)));
        // A version that did not announce them.
        told.before.clear();
        assert!(told.follows(&boot(BEFORE as u64, 9)) && !told.follows(&boot(1_000, 1)));
    }

    #[test]
    fn rows_round_trip_and_bent_ones_are_refused() {
        let bytes = boot(7, 3).encode();
        assert_eq!(Boot::decode(&bytes), Some(boot(7, 3)));
        for length in 0..bytes.len() {
            assert_eq!(Boot::decode(&bytes[..length]), None);
        }
    }
}

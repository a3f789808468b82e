//! The rows of a backup, cut into parts for the shards of a cluster.

use anyhow::{Context, Result};
use troupe_core::limits;
use troupe_store::rows::{Part, Row};

/// Bytes of rows in one part of a restore: one Raft entry, which is never larger than
/// `limits::ENTRY_BYTES`.
const PART_BYTES: usize = 256 * 1024;
/// Bytes of a row besides its key and its value, and of a part besides its rows, at most.
const ROW_ENVELOPE: usize = 32;
const PART_ENVELOPE: usize = 256;
const _: () = assert!(PART_BYTES + PART_ENVELOPE <= limits::ENTRY_BYTES);

/// Cuts rows into parts for the shards that they belong to.
pub struct Parts {
    backup: [u8; 16],
    targets: Vec<Target>,
}

struct Target {
    /// The second is exclusive.
    slots: (u16, u16),
    number: u64,
    rows: Vec<Row>,
    bytes: usize,
}

impl Target {
    fn part(&mut self, backup: [u8; 16], last: bool) -> Part {
        let rows = std::mem::take(&mut self.rows);
        let part = Part { backup, number: self.number, last, notes_heads: true, rows };
        self.number += 1;
        self.bytes = 0;
        part
    }
}

impl Parts {
    pub fn new(backup: &[u8; 16], slots: Vec<(u16, u16)>) -> Parts {
        let target = |slots| Target { slots, number: 0, rows: Vec::new(), bytes: 0 };
        Parts { backup: *backup, targets: slots.into_iter().map(target).collect() }
    }

    /// The parts that are full now, each with the place of its target.
    pub fn add(&mut self, rows: Vec<Row>) -> Result<Vec<(usize, Part)>> {
        let mut full = Vec::new();
        for row in rows {
            let slot = row.key.first_chunk::<2>().map(|slot| u16::from_be_bytes(*slot));
            let place = slot.and_then(|slot| {
                self.targets.iter().position(|target| (target.slots.0..target.slots.1).contains(&slot))
            });
            let place = place.context("a row of the backup belongs to no slot: it is damaged")?;
            let target = &mut self.targets[place];
            let more = row.key.len() + row.value.len() + ROW_ENVELOPE;
            if !target.rows.is_empty() && target.bytes + more + PART_ENVELOPE > limits::ENTRY_BYTES {
                full.push((place, target.part(self.backup, false)));
            }
            target.bytes += more;
            target.rows.push(row);
            if target.bytes >= PART_BYTES {
                full.push((place, target.part(self.backup, false)));
            }
        }
        Ok(full)
    }

    /// The rest; every target gets a last part, so that it knows the end.
    pub fn finish(mut self) -> Vec<(usize, Part)> {
        let backup = self.backup;
        self.targets.iter_mut().enumerate().map(|(place, target)| (place, target.part(backup, true))).collect()
    }
}

#[cfg(test)]
mod tests {
    use troupe_core::SLOTS;
    use troupe_store::engine::Family;

    use super::*;

    #[test]
    fn rows_go_to_the_shard_of_their_slot_in_parts_that_end() {
        let row = |slot: u16, bytes: usize| Row {
            family: Family::Events,
            key: slot.to_be_bytes().to_vec(),
            value: vec![0; bytes],
        };
        let mut parts = Parts::new(&[1; 16], vec![(0, 10), (10, SLOTS)]);
        assert!(parts.add(vec![row(3, 10), row(12, 10)]).unwrap().is_empty());
        let full = parts.add(vec![row(9, PART_BYTES), row(10, 5)]).unwrap();
        assert_eq!(full.len(), 1);
        assert_eq!((full[0].0, full[0].1.number, full[0].1.last, full[0].1.rows.len()), (0, 0, false, 2));
        assert!(parts.add(vec![row(SLOTS, 1)]).is_err());
        let rest = parts.finish();
        let shape: Vec<_> =
            rest.iter().map(|(place, part)| (*place, part.number, part.last, part.rows.len())).collect();
        assert_eq!(shape, [(0, 1, true, 0), (1, 0, true, 2)]);
    }
}

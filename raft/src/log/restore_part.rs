//! Entries of a shard's log that carry rows instead of commands: one part of a restored backup, or
//! the note of a recovery.

use bytes::Bytes;
use prost::Message;
use troupe_core::ShardId;
use troupe_proto::wire::raft as wire;
use troupe_store::engine::Family;
use troupe_store::rows::{Part, Row};

/// The first byte of a Raft entry that carries a part of a restore. Entries of commands begin with
/// the record version.
pub const MARK: u8 = b'R';

/// The effect of an entry behind [`MARK`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Restore(Part),
    /// Records the heads of all conversations of the shard.
    Recovered,
}

/// The bytes of a Raft entry.
pub fn entry(part: &wire::RestorePart) -> Bytes {
    [&[MARK], part.encode_to_vec().as_slice()].concat().into()
}

pub fn part_out(shard: ShardId, part: &Part) -> wire::RestorePart {
    let mut rows: Vec<wire::SnapshotPairs> = Vec::new();
    for row in &part.rows {
        let family = row.family as u32;
        let pair = wire::SnapshotPair { key: row.key.clone().into(), value: row.value.clone().into() };
        match rows.last_mut() {
            Some(run) if run.family == family => run.pairs.push(pair),
            _ => rows.push(wire::SnapshotPairs { family, pairs: vec![pair] }),
        }
    }
    let backup = part.backup.to_vec().into();
    wire::RestorePart {
        shard: shard.0,
        backup,
        number: part.number,
        last: part.last,
        rows,
        notes_heads: part.notes_heads,
        recovered: false,
    }
}

/// Decodes the bytes behind [`MARK`].
pub fn change_in(entry: &[u8]) -> Option<Change> {
    let part = wire::RestorePart::decode(entry).ok()?;
    if part.recovered { Some(Change::Recovered) } else { part_from_wire(part).map(Change::Restore) }
}

/// The entry that marks a shard as continued from one copy.
pub fn recovered_entry(shard: ShardId) -> Bytes {
    entry(&wire::RestorePart { shard: shard.0, recovered: true, ..Default::default() })
}

pub(crate) fn part_from_wire(part: wire::RestorePart) -> Option<Part> {
    let mut rows = Vec::new();
    for run in part.rows {
        let family = family(run.family)?;
        let row = |pair: wire::SnapshotPair| Row { family, key: pair.key.into(), value: pair.value.into() };
        rows.extend(run.pairs.into_iter().map(row));
    }
    Some(Part {
        backup: part.backup.as_ref().try_into().ok()?,
        number: part.number,
        last: part.last,
        notes_heads: part.notes_heads,
        rows,
    })
}

pub fn family(number: u32) -> Option<Family> {
    Family::OF_SLOTS.into_iter().find(|family| *family as u32 == number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parts_survive_the_log() {
        let row = |family, key: &str| Row { family, key: key.into(), value: b"v".to_vec() };
        let rows = vec![row(Family::Users, "a"), row(Family::Users, "b"), row(Family::Events, "a")];
        let part = Part { backup: [4; 16], number: 3, last: true, notes_heads: true, rows };
        let entry = entry(&part_out(ShardId(2), &part));
        assert_eq!(entry.first(), Some(&MARK));
        assert_eq!(change_in(&entry[1..]), Some(Change::Restore(part)));
        assert_eq!(change_in(&recovered_entry(ShardId(2))[1..]), Some(Change::Recovered));
    }

    proptest! {
        #[test]
        fn decoding_is_total(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = change_in(&bytes);
        }
    }
}

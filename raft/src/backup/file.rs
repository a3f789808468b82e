//! One shard of a backup as a file: the blocks of a snapshot, each behind its length, and an end
//! that counts the rows. Blocks are zstd with a checksum of their content. The manifest keeps the
//! SHA-256 of the whole file.

use std::io;
use std::path::Path;

use troupe_proto::wire::raft::snapshot_frame::Frame as Part;
use troupe_proto::wire::raft::{self as wire, SnapshotFrame};
use troupe_store::rows::{Digest, Row};

use super::framed::{Input, Output, damaged};
use crate::log::restore_part::family;
use crate::replication::snapshot::block::{BLOCK_BYTES, open_block, seal_block};

/// The content of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    pub bytes: u64,
    pub sha256: [u8; 32],
    pub digest: Digest,
}

pub struct Writer {
    out: Output,
    digest: Digest,
    rows: u64,
    block: wire::SnapshotPairs,
    block_bytes: usize,
}

impl Writer {
    pub fn create(path: &Path) -> io::Result<Writer> {
        Ok(Writer {
            out: Output::create(path)?,
            digest: Digest::default(),
            rows: 0,
            block: wire::SnapshotPairs::default(),
            block_bytes: 0,
        })
    }

    /// Rows come in the order of family and key.
    pub fn take(&mut self, rows: Vec<Row>) -> io::Result<()> {
        for Row { family, key, value } in rows {
            if self.block.family != family as u32 || self.block_bytes >= BLOCK_BYTES {
                self.close_block()?;
                self.block.family = family as u32;
            }
            self.digest.add(family, &key, &value);
            self.rows += 1;
            self.block_bytes += key.len() + value.len();
            self.block.pairs.push(wire::SnapshotPair { key: key.into(), value: value.into() });
        }
        Ok(())
    }

    /// The file is on stable storage when it returns.
    pub fn finish(mut self) -> io::Result<Content> {
        self.close_block()?;
        self.put(Part::End(wire::SnapshotEnd { pairs: self.rows }))?;
        let content = Content { bytes: self.out.bytes, sha256: self.out.sum(), digest: self.digest };
        self.out.finish()?;
        Ok(content)
    }

    fn close_block(&mut self) -> io::Result<()> {
        let pairs = std::mem::take(&mut self.block.pairs);
        self.block_bytes = 0;
        if pairs.is_empty() {
            return Ok(());
        }
        let plain = wire::SnapshotPairs { family: self.block.family, pairs };
        self.put(Part::Block(seal_block(&plain)?))
    }

    fn put(&mut self, part: Part) -> io::Result<()> {
        self.out.put(&SnapshotFrame { frame: Some(part) })
    }
}

/// Reads a whole file and passes every row to `take`. Fails if the file is not as it was written.
pub fn read(path: &Path, mut take: impl FnMut(Vec<Row>) -> io::Result<()>) -> io::Result<Content> {
    let mut input = Input::open(path)?;
    let mut digest = Digest::default();
    let mut count = 0;
    let mut last: Option<(u32, Vec<u8>)> = None;
    loop {
        match input.frame::<SnapshotFrame>()?.frame.ok_or_else(|| damaged("a block is empty"))? {
            Part::Block(block) => {
                let pairs: wire::SnapshotPairs = open_block(&block)?;
                let of = family(pairs.family).ok_or_else(|| damaged("a block is of no known family"))?;
                let mut rows = Vec::with_capacity(pairs.pairs.len());
                for pair in pairs.pairs {
                    let row = Row { family: of, key: pair.key.into(), value: pair.value.into() };
                    let here = (pairs.family, row.key.clone());
                    if last.as_ref().is_some_and(|last| *last >= here) {
                        return Err(damaged("rows are out of order"));
                    }
                    last = Some(here);
                    digest.add(of, &row.key, &row.value);
                    count += 1;
                    rows.push(row);
                }
                take(rows)?;
            }
            Part::End(end) if end.pairs == count => break,
            Part::End(_) | Part::Header(_) | Part::Reply(_) | Part::Working(_) => {
                return Err(damaged("rows are missing"));
            }
        }
    }
    input.expect_end()?;
    Ok(Content { bytes: input.bytes, sha256: input.sum(), digest })
}

#[cfg(test)]
mod tests {
    use troupe_store::engine::Family;

    use super::*;

    fn rows(count: u32) -> Vec<Row> {
        let row = |family, number: u32| Row { family, key: number.to_be_bytes().to_vec(), value: vec![7; 1000] };
        let users = (0..count).map(|number| row(Family::Users, number));
        users.chain((0..count).map(|number| row(Family::Events, number))).collect()
    }

    fn written(path: &Path, rows: &[Row]) -> Content {
        let mut writer = Writer::create(path).unwrap();
        for some in rows.chunks(100) {
            writer.take(some.to_vec()).unwrap();
        }
        writer.finish().unwrap()
    }

    #[test]
    fn what_was_written_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("shard");
        for count in [0, 1, 3000] {
            let rows = rows(count);
            let content = written(&path, &rows);
            let mut back = Vec::new();
            let found = read(&path, |some| {
                back.extend(some);
                Ok(())
            });
            assert_eq!(found.unwrap(), content);
            assert_eq!(back, rows);
            assert_eq!(content.digest.rows, rows.len() as u64);
        }
    }

    #[test]
    fn every_damage_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("shard");
        let content = written(&path, &rows(20));
        let whole = std::fs::read(&path).unwrap();
        for length in 0..whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            assert!(read(&path, |_| Ok(())).is_err(), "cut to {length}");
        }
        for place in 0..whole.len() {
            let mut bent = whole.clone();
            bent[place] ^= 1;
            std::fs::write(&path, bent).unwrap();
            assert!(!read(&path, |_| Ok(())).is_ok_and(|found| found == content), "bit at {place}");
        }
        std::fs::write(&path, [whole.as_slice(), &[0]].concat()).unwrap();
        assert!(read(&path, |_| Ok(())).is_err());
    }
}

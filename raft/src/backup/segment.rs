//! A segment of an archive: consecutive committed entries of one shard as a file.
//!
//! Nothing else describes a segment, so it carries the cluster, the shard and the SHA-256 of its
//! bytes itself. Its name has the first and the last index, and the content must agree.

use std::fmt;
use std::io;
use std::path::Path;

use troupe_core::ShardId;
use troupe_proto::wire::raft::segment_frame::Frame;
use troupe_proto::wire::raft::{self as wire, SegmentFrame};

use super::entries::Logged;
use super::framed::{Input, Output, damaged};
use crate::replication::snapshot::block::{BLOCK_BYTES, open_block, seal_block};

/// Raised when an earlier version could no longer replay it.
const FORMAT: u32 = 1;
/// The most bytes of an entry in a block besides its proposal.
const ENVELOPE: usize = 32;
const SUFFIX: &str = ".log";

/// The cluster and the shard of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    pub cluster_id: [u8; 16],
    pub shard: ShardId,
}

/// The indexes of a segment; its file name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    pub first: u64,
    pub last: u64,
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:020}-{:020}{SUFFIX}", self.first, self.last)
    }
}

impl Span {
    /// `None`: it is not the name of a segment.
    pub fn of_name(name: &str) -> Option<Span> {
        let (first, last) = name.strip_suffix(SUFFIX)?.split_once('-')?;
        let span = Span { first: first.parse().ok()?, last: last.parse().ok()? };
        (span.first <= span.last && span.to_string() == name).then_some(span)
    }

    /// The index behind segments in order that begin at `next` or earlier. Two archivers may have
    /// written the same entries, which are equal because they are committed; a gap is an error that
    /// holds the missing indexes.
    pub fn reach(spans: &[Span], mut next: u64) -> Result<u64, Span> {
        for span in spans {
            if span.first > next {
                return Err(Span { first: next, last: span.first - 1 });
            }
            next = next.max(span.last + 1);
        }
        Ok(next)
    }
}

pub struct Writer {
    out: Output,
    first: u64,
    next: u64,
    block: Vec<wire::LoggedEntry>,
    block_bytes: usize,
    bytes: u64,
}

impl Writer {
    pub fn create(path: &Path, source: Source, first: u64) -> io::Result<Writer> {
        let mut out = Output::create(path)?;
        let cluster_id = source.cluster_id.to_vec().into();
        put(&mut out, Frame::Header(wire::SegmentHeader { format: FORMAT, cluster_id, shard: source.shard.0 }))?;
        Ok(Writer { out, first, next: first, block: Vec::new(), block_bytes: 0, bytes: 0 })
    }

    /// Entries follow the earlier ones without a gap.
    pub fn take(&mut self, entries: Vec<Logged>) -> io::Result<()> {
        for entry in entries {
            if entry.index != self.next {
                return Err(damaged("entries are out of order"));
            }
            self.next += 1;
            let bytes = ENVELOPE + entry.proposal.len();
            if self.block_bytes + bytes > BLOCK_BYTES {
                self.close_block()?;
            }
            self.block_bytes += bytes;
            self.bytes += bytes as u64;
            self.block.push(entry.into());
        }
        Ok(())
    }

    /// Plain bytes until now.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The file is on stable storage when it returns. `None`: it has no entry.
    pub fn finish(mut self) -> io::Result<Option<Span>> {
        self.close_block()?;
        let sha256 = self.out.sum().to_vec().into();
        put(&mut self.out, Frame::End(wire::SegmentEnd { entries: self.next - self.first, sha256 }))?;
        self.out.finish()?;
        Ok((self.next > self.first).then(|| Span { first: self.first, last: self.next - 1 }))
    }

    fn close_block(&mut self) -> io::Result<()> {
        let entries = std::mem::take(&mut self.block);
        self.block_bytes = 0;
        if entries.is_empty() {
            return Ok(());
        }
        put(&mut self.out, Frame::Block(seal_block(&wire::SegmentEntries { entries })?))
    }
}

fn put(out: &mut Output, frame: Frame) -> io::Result<()> {
    out.put(&SegmentFrame { frame: Some(frame) })
}

/// Reads a whole segment and passes its entries to `take`. Fails if the file is not as it was
/// written, or is of another shard; `take` may have seen some of it then.
pub fn read(
    path: &Path,
    source: Source,
    span: Span,
    mut take: impl FnMut(Vec<Logged>) -> io::Result<()>,
) -> io::Result<()> {
    let mut input = Input::open(path)?;
    let Some(Frame::Header(header)) = input.frame::<SegmentFrame>()?.frame else {
        return Err(damaged("its beginning is missing"));
    };
    if header.format > FORMAT {
        return Err(damaged("it is of a later version: use that version"));
    }
    if header.cluster_id != source.cluster_id.as_slice() || header.shard != source.shard.0 {
        return Err(damaged("it is of another cluster or shard"));
    }
    let (mut next, mut term) = (span.first, 0);
    loop {
        let sum = input.sum();
        match input.frame::<SegmentFrame>()?.frame {
            Some(Frame::Block(block)) => {
                let entries: wire::SegmentEntries = open_block(&block)?;
                for entry in &entries.entries {
                    if entry.index != next || entry.term < term {
                        return Err(damaged("entries are out of order"));
                    }
                    (next, term) = (next + 1, entry.term);
                }
                take(entries.entries.into_iter().map(Logged::from).collect())?;
            }
            Some(Frame::End(end)) if end.sha256 == sum.as_slice() && end.entries == next - span.first => break,
            Some(Frame::End(_)) => return Err(damaged("its checksum is wrong")),
            Some(Frame::Header(_)) | None => return Err(damaged("a block cannot be read")),
        }
    }
    if next != span.last + 1 {
        return Err(damaged("it has other entries than its name says"));
    }
    input.expect_end()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    const SOURCE: Source = Source { cluster_id: [3; 16], shard: ShardId(4) };

    fn entries(from: u64, count: u64) -> Vec<Logged> {
        let entry = |index: u64| Logged { index, term: 1 + index / 10, proposal: Bytes::from(vec![index as u8; 700]) };
        (from..from + count).map(entry).collect()
    }

    fn written(path: &Path, entries: &[Logged]) -> Span {
        let mut writer = Writer::create(path, SOURCE, entries[0].index).expect("a file");
        for some in entries.chunks(100) {
            writer.take(some.to_vec()).expect("taken");
        }
        writer.finish().expect("written").expect("it has entries")
    }

    fn found(path: &Path, source: Source, span: Span) -> io::Result<Vec<Logged>> {
        let mut found = Vec::new();
        read(path, source, span, |some| {
            found.extend(some);
            Ok(())
        })?;
        Ok(found)
    }

    #[test]
    fn entries_come_back_in_blocks() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("segment");
        for count in [1, 3, 3_000] {
            let entries = entries(7, count);
            let span = written(&path, &entries);
            assert_eq!(span, Span { first: 7, last: 6 + count });
            assert_eq!(found(&path, SOURCE, span).expect("whole"), entries);
        }
        let empty = Writer::create(&path, SOURCE, 7).expect("a file").finish().expect("written");
        assert_eq!(empty, None);
        let mut writer = Writer::create(&path, SOURCE, 7).expect("a file");
        assert!(writer.take(entries(8, 1)).is_err(), "a gap");
    }

    #[test]
    fn every_damage_of_a_segment_is_found() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("segment");
        let span = written(&path, &entries(7, 20));
        let whole = std::fs::read(&path).expect("a file");
        for length in 0..whole.len() {
            std::fs::write(&path, &whole[..length]).expect("written");
            assert!(found(&path, SOURCE, span).is_err(), "cut to {length}");
        }
        for (place, bit) in (0..whole.len()).flat_map(|place| [(place, 1), (place, 0x80)]) {
            let mut bent = whole.clone();
            bent[place] ^= bit;
            std::fs::write(&path, bent).expect("written");
            assert!(found(&path, SOURCE, span).is_err(), "bit {bit} at {place}");
        }
        std::fs::write(&path, [whole.as_slice(), &[0]].concat()).expect("written");
        assert!(found(&path, SOURCE, span).is_err(), "longer");
    }

    #[test]
    fn a_segment_of_another_place_or_name_is_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("segment");
        let span = written(&path, &entries(7, 20));
        for source in [Source { cluster_id: [4; 16], ..SOURCE }, Source { shard: ShardId(5), ..SOURCE }] {
            assert!(found(&path, source, span).is_err(), "{source:?}");
        }
        for (first, last) in [(7, 25), (7, 27), (6, 26), (8, 26)] {
            assert!(found(&path, SOURCE, Span { first, last }).is_err(), "{first} to {last}");
        }
    }

    #[test]
    fn spans_are_names_and_show_gaps() {
        let span = |first, last| Span { first, last };
        assert_eq!(Span::of_name(&span(7, 26).to_string()), Some(span(7, 26)));
        for other in ["archive.json", "7-26.log", "../7-26.log", &span(9, 8).to_string(), ".log", "-.log"] {
            assert_eq!(Span::of_name(other), None, "{other}");
        }
        assert!(span(9, 100).to_string() < span(10, 11).to_string(), "names sort as numbers");
        assert_eq!(Span::reach(&[], 5), Ok(5));
        assert_eq!(Span::reach(&[span(5, 9), span(10, 12)], 5), Ok(13));
        assert_eq!(Span::reach(&[span(2, 9), span(4, 6), span(8, 12)], 5), Ok(13), "an overlap");
        assert_eq!(Span::reach(&[span(5, 9), span(11, 12)], 5), Err(span(10, 10)));
        assert_eq!(Span::reach(&[span(6, 9)], 5), Err(span(5, 5)));
    }
}

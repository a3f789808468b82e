//! Blocks: rows of one family, compressed and checksummed.

use std::io;
use std::ops::Bound;

use prost::Message;
use troupe_core::limits::{ENTRY_BYTES, NODE_FRAME_BYTES};
use troupe_proto::wire::raft as wire;
use troupe_store::engine::{Family, Reader, Replace};

use super::frames::invalid;
use crate::log::applier::Rows;

/// Plain bytes at which a block is closed. A block exceeds them by at most one row.
pub(crate) const BLOCK_BYTES: usize = 512 * 1024;
/// The most bytes of a pair in a block besides its key and its value.
const PAIR_ENVELOPE: usize = 16;
// A row comes from one entry, so it is no larger. Incompressible bytes grow a little.
const _: () = assert!(BLOCK_BYTES + ENTRY_BYTES + PAIR_ENVELOPE + 64 * 1024 <= NODE_FRAME_BYTES);
/// Pairs read at once.
const PAGE: usize = 16;
/// Fast, because disks and the network between nodes are fast too.
const ZSTD_LEVEL: i32 = 1;

pub(super) struct Block {
    pub packed: Option<wire::SnapshotBlock>,
    pub pairs: u64,
    pub next: Option<Bound<Vec<u8>>>,
}

#[cfg(feature = "planted-bugs")]
impl Block {
    /// The planted bug: a shard that came by snapshot knows no message ids.
    pub fn without_dedup(mut self, family: Family) -> io::Result<Block> {
        use troupe_core::record::{Placed, Table};

        let Some(packed) = self.packed.take_if(|_| family == Family::Conversations) else { return Ok(self) };
        let plain = zstd::bulk::decompress(&packed.compressed, packed.plain_bytes as usize)?;
        let mut pairs = wire::SnapshotPairs::decode(&plain[..])?.pairs;
        pairs.retain(|pair| Placed::key_in(&pair.key).is_none());
        self.pairs = pairs.len() as u64;
        self.packed = (!pairs.is_empty())
            .then(|| seal_block(&wire::SnapshotPairs { family: family as u32, pairs }))
            .transpose()?;
        Ok(self)
    }
}

/// The next block of a range.
pub(super) fn pack(reader: &dyn Reader, family: Family, mut begin: Bound<Vec<u8>>, end: Vec<u8>) -> io::Result<Block> {
    let (mut pairs, mut bytes) = (Vec::new(), 0);
    let next = loop {
        let page = reader.scan(family, (begin, Bound::Excluded(end.clone())), false, PAGE).map_err(io::Error::other)?;
        let Some((last, _)) = page.last() else { break None };
        begin = Bound::Excluded(last.clone());
        for (key, value) in page {
            bytes += key.len() + value.len() + PAIR_ENVELOPE;
            if bytes >= BLOCK_BYTES {
                // The rest of the page is read again for the next block.
                begin = Bound::Excluded(key.clone());
            }
            pairs.push(wire::SnapshotPair { key: key.into(), value: value.into() });
            if bytes >= BLOCK_BYTES {
                break;
            }
        }
        if bytes >= BLOCK_BYTES {
            break Some(begin);
        }
    };
    let count = pairs.len() as u64;
    if count == 0 {
        return Ok(Block { packed: None, pairs: 0, next });
    }
    let packed = seal_block(&wire::SnapshotPairs { family: family as u32, pairs })?;
    Ok(Block { packed: Some(packed), pairs: count, next })
}

pub(crate) fn seal_block(content: &impl Message) -> io::Result<wire::SnapshotBlock> {
    let plain = content.encode_to_vec();
    Ok(wire::SnapshotBlock {
        compressed: zstd::bulk::compress(&plain, ZSTD_LEVEL)?.into(),
        crc32: crc32fast::hash(&plain),
        plain_bytes: plain.len() as u32,
    })
}

pub(crate) fn open_block<M: Message + Default>(block: &wire::SnapshotBlock) -> io::Result<M> {
    let size = block.plain_bytes as usize;
    if size > NODE_FRAME_BYTES {
        return Err(invalid("size of a snapshot's block"));
    }
    let plain = zstd::bulk::decompress(&block.compressed, size)?;
    if crc32fast::hash(&plain) != block.crc32 {
        return Err(invalid("checksum of a snapshot's block"));
    }
    Ok(M::decode(&plain[..])?)
}

pub(super) fn unpack(
    mut staged: Box<dyn Replace>,
    ranges: &[Rows],
    block: wire::SnapshotBlock,
) -> io::Result<(Box<dyn Replace>, u64)> {
    let pairs: wire::SnapshotPairs = open_block(&block)?;
    let (family, from, to) = ranges
        .iter()
        .find(|(family, _, _)| *family as u32 == pairs.family)
        .ok_or_else(|| invalid("family of a snapshot's block"))?;
    for pair in &pairs.pairs {
        if pair.key < *from || pair.key >= *to {
            return Err(invalid("key of a snapshot"));
        }
        staged.put(*family, &pair.key, &pair.value).map_err(io::Error::other)?;
    }
    Ok((staged, pairs.pairs.len() as u64))
}

//! Looks for damage on which RocksDB's reader never terminates, before RocksDB reads the files.
//!
//! A log file consists of blocks of 32 KiB, each a row of records, and a record's type says whether
//! its file is recycled. A file whose first record is not recycled and a later one claims to be
//! (one bit of difference) makes the reader loop: it neither consumes that record nor stops
//! (<https://github.com/facebook/rocksdb/issues/13333>). If the first record claims to be recycled,
//! the file counts as ended before it. This database never recycles log files, so both are damage.
//!
//! The walk trusts the lengths of the records. A wrong length misleads it only up to the end of its
//! block, which RocksDB finds damaged by its checksum too.
//!
//! | bytes | content of a record's head                               |
//! | ----- | -------------------------------------------------------- |
//! | 0..4  | checksum                                                 |
//! | 4..6  | length of what follows the head, little endian           |
//! | 6     | type                                                     |

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

const BLOCK: usize = 32 * 1024;
const HEAD: usize = 7;

/// The types that only recycled files hold (`db/log_format.h`).
fn is_recycled(kind: u8) -> bool {
    matches!(kind, 5..=8 | 11 | 131)
}

/// The first log or manifest in a directory with such a record, and the record's position.
pub(super) fn find(directory: &Path) -> io::Result<Option<(PathBuf, u64)>> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if (name.ends_with(".log") || name.starts_with("MANIFEST-"))
            && let Some(at) = find_in(File::open(entry.path())?)?
        {
            return Ok(Some((entry.path(), at)));
        }
    }
    Ok(None)
}

fn find_in(mut file: impl Read) -> io::Result<Option<u64>> {
    let mut block = Vec::with_capacity(BLOCK);
    let mut before = 0;
    loop {
        block.clear();
        file.by_ref().take(BLOCK as u64).read_to_end(&mut block)?;
        if let Some(at) = find_in_block(&block) {
            return Ok(Some(before + at as u64));
        }
        if block.len() < BLOCK {
            return Ok(None);
        }
        before += BLOCK as u64;
    }
}

fn find_in_block(block: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some([_, _, _, _, low, high, kind]) = block.get(at..at + HEAD) {
        let length = usize::from(u16::from_le_bytes([*low, *high]));
        if is_recycled(*kind) {
            return Some(at);
        }
        if *kind == 0 && length == 0 {
            // Reserved and never written.
            return None;
        }
        at += HEAD + length;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u8, length: usize) -> Vec<u8> {
        let mut bytes = vec![0xAA; 4];
        bytes.extend((length as u16).to_le_bytes());
        bytes.push(kind);
        bytes.resize(HEAD + length, 5);
        bytes
    }

    #[test]
    fn it_looks_at_each_record_and_at_nothing_between() {
        let whole = [record(1, 100), record(2, BLOCK - 2 * HEAD - 100), record(4, 3)].concat();
        assert_eq!(find_in(whole.as_slice()).unwrap(), None);
        for (place, at) in [(6, 0), (HEAD + 100 + 6, HEAD + 100), (BLOCK + 6, BLOCK)] {
            let mut bent = whole.clone();
            bent[place] ^= 4;
            // 4 is the last part of a record; without that bit it has no meaning.
            let expected = (bent[place] != 0).then_some(at as u64);
            assert_eq!(find_in(bent.as_slice()).unwrap(), expected, "{place}");
        }
    }

    #[test]
    fn ends_of_all_kinds_are_ends() {
        for cut in 0..60 {
            assert_eq!(find_in(&record(3, 50)[..cut.min(57)]).unwrap(), None);
        }
        assert_eq!(find_in(&[0; 3 * BLOCK][..]).unwrap(), None);
        assert_eq!(find_in(&[0xFF; BLOCK + 1][..]).unwrap(), None);
    }
}

//! A record beside the database of the last sync, so that a database that lost its end is not taken
//! for whole.
//!
//! RocksDB cuts a torn end off its log, which is right after a power loss: torn writes were never
//! acknowledged. A truncated file, or an old copy in its place, looks the same. A replica that
//! forgets acknowledged entries makes its group lose them. So after every sync the witness stores
//! the sequence number that the sync covered. A database that opens behind its witness is damaged.
//!
//! Invariant: no amnesia. A database that lost something durable is never opened again.
//!
//! The same holds for RocksDB's manifest. A truncated one opens as an earlier state, without
//! families and tables whose rows are in no log any more, and with a log that continues regardless.
//! So the witness stores its number and its size too, once that size is synced.
//!
//! The witness itself is not synced: a power loss may set it back, never forward, and then it
//! demands less. The other nodes detect a disk that was replaced whole, witness included
//! (`formation` in the raft layer).
//!
//! | bytes  | content                            |
//! | ------ | ---------------------------------- |
//! | 0..8   | magic `TRPWIT02`                   |
//! | 8..16  | sequence number, big endian        |
//! | 16..24 | number of the manifest             |
//! | 24..32 | bytes of it that are synced        |
//! | 32..36 | CRC-32 of the bytes before          |
//!
//! Two such records alternate, 512 bytes apart, so that a torn write leaves the older one.

use std::cmp::Ordering;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

pub(super) const FILE: &str = "WITNESS";
const MAGIC: [u8; 8] = *b"TRPWIT02";
const RECORD: usize = 36;
/// One sector, so that a record never straddles two.
const APART: u64 = 512;

pub(super) struct Witness {
    directory: PathBuf,
    file: File,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    seen: Seen,
    /// The record to write next.
    turn: u64,
    /// The manifest that RocksDB writes now.
    manifest: Option<(u64, File)>,
}

/// The state known to be on stable storage; zeros where nothing is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Seen {
    sequence: u64,
    manifest: u64,
    manifest_bytes: u64,
}

impl Witness {
    /// Opens or creates the witness of the database in `directory`.
    pub fn open(directory: &Path) -> io::Result<Witness> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(directory.join(FILE))?;
        let mut held = Held::default();
        for turn in 0..2 {
            if let Some(seen) = read(&file, turn)?.filter(|seen| *seen >= held.seen) {
                held = Held { seen, turn: 1 - turn, manifest: None };
            }
        }
        Ok(Witness { directory: directory.to_owned(), file, held: Mutex::new(held) })
    }

    /// The sequence number known to be synced; 0 if none is.
    pub fn sequence(&self) -> u64 {
        self.held.lock().seen.sequence
    }

    /// The missing part of the manifest, in words. Call it before RocksDB opens the database, which
    /// begins a new manifest.
    pub fn misses_manifest(&self) -> io::Result<Option<String>> {
        let seen = self.held.lock().seen;
        let Some((number, file)) = current_manifest(&self.directory)? else { return Ok(None) };
        let bytes = file.metadata()?.len();
        Ok(match number.cmp(&seen.manifest) {
            Ordering::Less => Some(format!("its manifest is number {number}, and {} had been synced", seen.manifest)),
            Ordering::Equal if bytes < seen.manifest_bytes => {
                Some(format!("its manifest ends at byte {bytes}, but {} bytes had been synced", seen.manifest_bytes))
            }
            Ordering::Equal | Ordering::Greater => None,
        })
    }

    /// Everything up to `sequence` is on stable storage.
    pub fn advance(&self, sequence: u64) -> io::Result<()> {
        let mut held = self.held.lock();
        let manifest = self.manifest(&mut held)?;
        let (manifest, manifest_bytes) = manifest.unwrap_or((held.seen.manifest, held.seen.manifest_bytes));
        let seen = Seen { sequence: sequence.max(held.seen.sequence), manifest, manifest_bytes };
        if seen == held.seen {
            return Ok(());
        }
        self.file.write_all_at(&encode(seen), held.turn * APART)?;
        (held.seen, held.turn) = (seen, 1 - held.turn);
        Ok(())
    }

    /// Number and size of the manifest, after syncing this much of it.
    fn manifest(&self, held: &mut Held) -> io::Result<Option<(u64, u64)>> {
        let replaced = match &held.manifest {
            Some((_, file)) => file.metadata()?.nlink() == 0,
            None => true,
        };
        if replaced {
            held.manifest = current_manifest(&self.directory)?;
        }
        let Some((number, file)) = &held.manifest else { return Ok(None) };
        let bytes = file.metadata()?.len();
        if (*number, bytes) != (held.seen.manifest, held.seen.manifest_bytes) {
            file.sync_data()?;
        }
        Ok(Some((*number, bytes)))
    }
}

/// The manifest that CURRENT names, if both exist and make sense; otherwise RocksDB reports the
/// fault.
fn current_manifest(directory: &Path) -> io::Result<Option<(u64, File)>> {
    let missing = |error: io::Error| if error.kind() == io::ErrorKind::NotFound { Ok(None) } else { Err(error) };
    let name = match fs::read(directory.join("CURRENT")) {
        Ok(name) => String::from_utf8_lossy(&name).into_owned(),
        Err(error) => return missing(error),
    };
    let name = name.trim_end();
    let Some(number) = name.strip_prefix("MANIFEST-").and_then(|number| number.parse().ok()) else { return Ok(None) };
    match File::open(directory.join(name)) {
        Ok(file) => Ok(Some((number, file))),
        Err(error) => missing(error),
    }
}

fn read(file: &File, turn: u64) -> io::Result<Option<Seen>> {
    let mut record = [0u8; RECORD];
    match file.read_exact_at(&mut record, turn * APART) {
        Ok(()) => Ok(decode(&record)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

fn encode(seen: Seen) -> [u8; RECORD] {
    let mut record = [0u8; RECORD];
    record[..8].copy_from_slice(&MAGIC);
    record[8..16].copy_from_slice(&seen.sequence.to_be_bytes());
    record[16..24].copy_from_slice(&seen.manifest.to_be_bytes());
    record[24..32].copy_from_slice(&seen.manifest_bytes.to_be_bytes());
    let sum = crc32fast::hash(&record[..32]);
    record[32..].copy_from_slice(&sum.to_be_bytes());
    record
}

fn decode(record: &[u8; RECORD]) -> Option<Seen> {
    let number = |at: usize| record[at..].first_chunk::<8>().map(|bytes| u64::from_be_bytes(*bytes));
    let seen = Seen { sequence: number(8)?, manifest: number(16)?, manifest_bytes: number(24)? };
    (*record == encode(seen)).then_some(seen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_remembers_the_highest_and_survives_a_torn_record() {
        let dir = tempfile::tempdir().unwrap();
        let witness = Witness::open(dir.path()).unwrap();
        assert_eq!(witness.sequence(), 0);
        for sequence in [5, 9, 7, 12] {
            witness.advance(sequence).unwrap();
        }
        drop(witness);
        let witness = Witness::open(dir.path()).unwrap();
        assert_eq!(witness.sequence(), 12);
        // The next write replaces the older record; torn in the middle it leaves the newer.
        let turn = witness.held.lock().turn;
        witness.file.write_all_at(&encode(Seen { sequence: 20, ..Seen::default() })[..13], turn * APART).unwrap();
        drop(witness);
        assert_eq!(Witness::open(dir.path()).unwrap().sequence(), 12);
    }

    #[test]
    fn what_is_not_ours_is_no_witness() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), [0xA5; 700]).unwrap();
        assert_eq!(Witness::open(dir.path()).unwrap().sequence(), 0);
    }
}

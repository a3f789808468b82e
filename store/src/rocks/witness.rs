//! A note beside the database of how far it had been synced, so that one that lost its end is not taken for whole.
//!
//! RocksDB cuts a torn end off its log, which is right after a power loss: what is torn was never acknowledged. A truncated file, or an
//! old copy put back in its place, looks just the same, and a replica that forgets what it has acknowledged makes its group lose it.
//! So after every sync the sequence number that it covered is written here. A database that opens behind its witness is damaged.
//!
//! The note itself is not synced: a power loss may set it back, never forward, and then it asks for less than it could. A disk put back
//! whole, witness and all, is for the other nodes to notice (`formation::ledger` in the raft layer).
//!
//! | bytes  | content                            |
//! | ------ | ---------------------------------- |
//! | 0..8   | magic `TRPWIT01`                   |
//! | 8..16  | sequence number, big endian        |
//! | 16..20 | CRC-32 of the bytes before          |
//!
//! Two such records take turns, 512 bytes apart, so that a torn write leaves the one before.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use parking_lot::Mutex;

pub(super) const FILE: &str = "WITNESS";
const MAGIC: [u8; 8] = *b"TRPWIT01";
const RECORD: usize = 20;
/// One sector, so that a record never straddles two.
const APART: u64 = 512;

pub(super) struct Witness {
    file: File,
    held: Mutex<Held>,
}

#[derive(Clone, Copy, Default)]
struct Held {
    sequence: u64,
    /// Which of the two records is written next.
    turn: u64,
}

impl Witness {
    /// Opens or makes the note of the database in `directory`.
    pub fn open(directory: &Path) -> io::Result<Witness> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(directory.join(FILE))?;
        let mut held = Held::default();
        for turn in 0..2 {
            if let Some(sequence) = read(&file, turn)?.filter(|sequence| *sequence >= held.sequence) {
                held = Held { sequence, turn: 1 - turn };
            }
        }
        Ok(Witness { file, held: Mutex::new(held) })
    }

    /// What was synced for certain; 0 if nothing is known.
    pub fn sequence(&self) -> u64 {
        self.held.lock().sequence
    }

    /// Everything up to `sequence` is on stable storage.
    pub fn advance(&self, sequence: u64) -> io::Result<()> {
        let mut held = self.held.lock();
        if sequence <= held.sequence {
            return Ok(());
        }
        self.file.write_all_at(&encode(sequence), held.turn * APART)?;
        *held = Held { sequence, turn: 1 - held.turn };
        Ok(())
    }
}

fn read(file: &File, turn: u64) -> io::Result<Option<u64>> {
    let mut record = [0u8; RECORD];
    match file.read_exact_at(&mut record, turn * APART) {
        Ok(()) => Ok(decode(&record)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

fn encode(sequence: u64) -> [u8; RECORD] {
    let mut record = [0u8; RECORD];
    record[..8].copy_from_slice(&MAGIC);
    record[8..16].copy_from_slice(&sequence.to_be_bytes());
    let sum = crc32fast::hash(&record[..16]);
    record[16..].copy_from_slice(&sum.to_be_bytes());
    record
}

fn decode(record: &[u8; RECORD]) -> Option<u64> {
    let (magic, rest) = record.split_first_chunk::<8>()?;
    let (sequence, _) = rest.split_first_chunk::<8>()?;
    let sequence = u64::from_be_bytes(*sequence);
    (*magic == MAGIC && *record == encode(sequence)).then_some(sequence)
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
        // The next write goes over the older of the two; torn in the middle it leaves the newer.
        let turn = witness.held.lock().turn;
        witness.file.write_all_at(&encode(20)[..13], turn * APART).unwrap();
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

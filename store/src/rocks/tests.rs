//! Tests that need a real disk: refusals to open, and interrupted installs ([`installs`]).

mod formats;
mod installs;

use std::fs::{self, File};

use super::*;

fn put(rocks: &Rocks, family: Family, key: &str, value: &str, durability: Durability) {
    let mut batch = Batch::default();
    batch.put(family, key, value);
    rocks.write(batch, durability).unwrap();
}

fn rows(rocks: &Rocks, family: Family) -> Vec<(String, String)> {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let pairs = rocks.scan(family, (Bound::Unbounded, Bound::Unbounded), false, usize::MAX).unwrap();
    pairs.into_iter().map(|(key, value)| (text(key), text(value))).collect()
}

fn refusal(path: &Path) -> String {
    match Rocks::open(path) {
        Err(EngineError::Refused(text)) => text,
        Err(other) => panic!("not a refusal: {other:?}"),
        Ok(_) => panic!("it was opened"),
    }
}

fn damage(path: &Path) -> String {
    match Rocks::open(path) {
        Err(EngineError::Damaged(text)) => text,
        Err(other) => panic!("not damaged: {other:?}"),
        Ok(_) => panic!("it was opened"),
    }
}

#[test]
fn a_directory_in_use_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let rocks = Rocks::open(dir.path()).unwrap();
    assert!(refusal(dir.path()).contains("in use by another process"));
    drop(rocks);
    Rocks::open(dir.path()).unwrap();
}

#[test]
fn a_mark_of_damage_that_cannot_be_read_is_none() {
    let dir = tempfile::tempdir().unwrap();
    drop(Rocks::open(dir.path()).unwrap());
    // Neither absent nor readable, as for a process without file descriptors.
    fs::create_dir(dir.path().join("DAMAGED")).unwrap();
    assert!(refusal(dir.path()).contains("cannot check whether"));
    assert!(damage_mark(dir.path()).is_err());
    fs::remove_dir(dir.path().join("DAMAGED")).unwrap();
    assert_eq!(damage_mark(dir.path()).unwrap(), None);
    Rocks::open(dir.path()).unwrap();
}

#[test]
fn what_keeps_the_process_from_its_files_is_said_with_what_to_do() {
    // RocksDB's own texts: its checks call an unreadable file a corruption.
    let cases = [
        ("Corruption: Can't access /000012.sst: IO error: While stat a file: Too many open files", "LimitNOFILE"),
        ("IO error: While open a file for appending: db/000031.log: Too many open files", "file descriptors"),
        ("Permission denied (os error 13)", "the user of the node"),
        ("IO error: While pread offset 0 len 53: db/000012.sst: Input/output error", "the disk does not answer"),
        ("IO error: No space left on device: While appending to file", "is full"),
    ];
    for (text, says) in cases {
        let told = open::explain(Path::new("/data/db"), text);
        assert!(told.contains(says) && told.contains(text) && told.contains("/data/db"), "{told}");
        assert!(open::is_obstacle(text), "{text}");
    }
    assert!(!open::is_obstacle("Corruption: block checksum mismatch: stored = 1, computed = 2 in db/000012.sst"));
}

/// The newest write-ahead log of a database that holds `synced` rows, and one more that was not
/// synced.
fn log_of(dir: &Path, synced: usize) -> PathBuf {
    let rocks = Rocks::open(dir).unwrap();
    for number in 0..=synced {
        let durability = if number < synced { Durability::Synced } else { Durability::Buffered };
        put(&rocks, Family::RaftLog, &format!("{number:04}"), &"x".repeat(100), durability);
    }
    // A process that is killed closes nothing.
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap).filter(|entry| entry.file_type().unwrap().is_file()) {
        fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    drop(rocks);
    fs::remove_dir_all(dir).unwrap();
    fs::rename(copy.keep(), dir).unwrap();
    let logs = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    logs.filter(|path| path.extension().is_some_and(|extension| extension == "log")).max().unwrap()
}

#[test]
fn a_flipped_bit_in_the_log_is_refused_instead_of_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let log = log_of(&data, 500);
    let mut bytes = fs::read(&log).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&log, bytes).unwrap();
    let text = damage(&data);
    assert!(text.contains("data directory"), "{text}");
}

fn shorten(file: &Path, bytes: usize) {
    let held = fs::read(file).unwrap();
    fs::write(file, &held[..held.len() - bytes]).unwrap();
}

#[test]
fn a_torn_end_that_nobody_was_promised_is_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    shorten(&log_of(&data, 500), 50);
    let rows = rows(&Rocks::open(&data).unwrap(), Family::RaftLog);
    assert_eq!(rows.len(), 500);
    assert_eq!(rows[499].0, "0499");
}

#[test]
fn a_torn_end_that_was_synced_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    shorten(&log_of(&data, 500), 200);
    for _ in 0..2 {
        let text = damage(&data);
        assert!(text.contains("had been synced"), "{text}");
    }
}

#[test]
fn an_old_copy_of_the_files_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    log_of(&data, 3);
    let old: Vec<(std::ffi::OsString, Vec<u8>)> = fs::read_dir(&data)
        .unwrap()
        .map(Result::unwrap)
        .filter(|entry| entry.file_type().unwrap().is_file() && entry.file_name() != witness::FILE)
        .map(|entry| (entry.file_name(), fs::read(entry.path()).unwrap()))
        .collect();
    log_of(&data, 100);
    let witness = fs::read(data.join(witness::FILE)).unwrap();
    fs::remove_dir_all(&data).unwrap();
    fs::create_dir(&data).unwrap();
    fs::write(data.join(witness::FILE), witness).unwrap();
    for (name, content) in old {
        fs::write(data.join(name), content).unwrap();
    }
    assert!(damage(&data).contains("had been synced"));
}

#[test]
fn a_flipped_bit_in_a_table_is_found_when_read_and_remembered() {
    let dir = tempfile::tempdir().unwrap();
    let rocks = Rocks::open(dir.path()).unwrap();
    for number in 0..500 {
        put(&rocks, Family::Users, &format!("{number:04}"), &"x".repeat(100), Durability::Buffered);
    }
    rocks.inner.db.flush_cf(rocks.inner.family(Family::Users)).unwrap();
    drop(rocks);
    let files = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path());
    let tables = files.filter(|path| path.extension().is_some_and(|extension| extension == "sst"));
    let table = tables.max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
    let mut bytes = fs::read(&table).unwrap();
    bytes[1000] ^= 1;
    fs::write(&table, bytes).unwrap();
    let rocks = Rocks::open(dir.path()).unwrap();
    let read = rocks.scan(Family::Users, (Bound::Unbounded, Bound::Unbounded), false, usize::MAX);
    assert!(matches!(read, Err(EngineError::Fatal(_))), "{read:?}");
    drop(rocks);
    damage(dir.path());
}

/// RocksDB would read such a file forever.
#[test]
fn a_record_that_claims_to_be_recycled_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    for place in 0..2 {
        let log = log_of(&data, 20);
        let manifest = fs::read_dir(&data).unwrap().map(|file| file.unwrap().path());
        let manifest = manifest.filter(|path| path.to_string_lossy().contains("MANIFEST")).max().unwrap();
        let victim = [log, manifest][place].clone();
        let mut bytes = fs::read(&victim).unwrap();
        let second = 7 + usize::from(u16::from_le_bytes([bytes[4], bytes[5]]));
        bytes[second + 6] ^= 4;
        fs::write(&victim, bytes).unwrap();
        assert!(damage(&data).contains(&format!("byte {second} of")));
        fs::remove_dir_all(&data).unwrap();
    }
}

/// Bits of each file that are flipped, spread over all of it.
const FLIPS: usize = 50;

#[test]
fn a_flipped_bit_in_any_file_is_harmless_or_damage() {
    let dir = tempfile::tempdir().unwrap();
    let (whole, data) = (dir.path().join("whole"), dir.path().join("data"));
    log_of(&whole, 40);
    let rocks = Rocks::open(&whole).unwrap();
    rocks.inner.db.flush_cf(rocks.inner.family(Family::RaftLog)).unwrap();
    drop(rocks);
    log_of(&whole, 41);
    let files = |dir: &Path| -> Vec<PathBuf> { fs::read_dir(dir).unwrap().map(|file| file.unwrap().path()).collect() };
    let mut harmful = std::collections::BTreeSet::new();
    for victim in files(&whole) {
        let victim = victim.file_name().unwrap();
        let bits = fs::metadata(whole.join(victim)).unwrap().len() as usize * 8;
        // The text log is long and never read.
        if victim.to_string_lossy().starts_with("LOG") {
            continue;
        }
        // Odd, so that all bits of a byte have their turn.
        for bit in (0..bits).step_by((bits / FLIPS) | 1) {
            fs::create_dir(&data).unwrap();
            for file in files(&whole) {
                fs::copy(&file, data.join(file.file_name().unwrap())).unwrap();
            }
            let mut bytes = fs::read(data.join(victim)).unwrap();
            bytes[bit / 8] ^= 1 << (bit % 8);
            fs::write(data.join(victim), bytes).unwrap();
            let read = Rocks::open(&data)
                .and_then(|rocks| rocks.scan(Family::RaftLog, (Bound::Unbounded, Bound::Unbounded), false, usize::MAX));
            match read {
                // The last row was never promised.
                Ok(rows) => assert!(rows.len() >= 41, "{} rows with bit {bit} of {victim:?} flipped", rows.len()),
                // Found while it was open: the next open refuses.
                Err(EngineError::Fatal(_)) => drop(damage(&data)),
                Err(EngineError::Damaged(_)) => drop(harmful.insert(victim.to_owned())),
                Err(other) => panic!("bit {bit} of {victim:?} flipped: {other}"),
            }
            fs::remove_dir_all(&data).unwrap();
        }
    }
    assert!(harmful.len() >= 3, "the name of the manifest, the manifest and a log: {harmful:?}");
}

/// Cuts each file in many places, a manifest everywhere. A truncated manifest looks like the torn
/// end of a crash; it forgets a family with all its rows, or a table whose rows are in no log any
/// more.
fn cut_everywhere(whole: &Path, users: usize) {
    let data = whole.with_extension("cut");
    let names: Vec<std::ffi::OsString> = fs::read_dir(whole).unwrap().map(|file| file.unwrap().file_name()).collect();
    for victim in names.iter().filter(|name| !name.to_string_lossy().starts_with("LOG")) {
        let bytes = fs::metadata(whole.join(victim)).unwrap().len() as usize;
        let fine = if victim.to_string_lossy().starts_with("MANIFEST") { 400 } else { 25 };
        for left in (0..bytes).step_by((bytes / fine).max(1)) {
            fs::create_dir(&data).unwrap();
            for name in &names {
                fs::copy(whole.join(name), data.join(name)).unwrap();
            }
            File::options().write(true).open(data.join(victim)).unwrap().set_len(left as u64).unwrap();
            let all = || (Bound::Unbounded, Bound::Unbounded);
            let read = Rocks::open(&data).and_then(|rocks| {
                let users = rocks.scan(Family::Users, all(), false, usize::MAX)?;
                Ok((users.len(), rocks.scan(Family::RaftLog, all(), false, usize::MAX)?.len()))
            });
            match read {
                Ok((found, log)) => {
                    assert!(found == users && log >= 20, "{found} and {log} rows, {victim:?} cut to {left} of {bytes}");
                }
                Err(EngineError::Fatal(_)) => drop(damage(&data)),
                Err(EngineError::Damaged(_)) => {}
                Err(other) => panic!("{victim:?} cut to {left}: {other}"),
            }
            fs::remove_dir_all(&data).unwrap();
        }
    }
}

#[test]
fn a_cut_file_of_a_young_database_is_harmless_or_damage() {
    let dir = tempfile::tempdir().unwrap();
    let whole = dir.path().join("whole");
    let rocks = Rocks::open(&whole).unwrap();
    for number in 0..30 {
        put(&rocks, Family::Users, &format!("{number:02}"), &"x".repeat(100), Durability::Synced);
    }
    let copy = dir.path().join("copy");
    for number in 0..20 {
        put(&rocks, Family::RaftLog, &format!("{number:02}"), "x", Durability::Synced);
    }
    killed(&whole, &copy);
    cut_everywhere(&copy, 30);
}

#[test]
fn a_cut_file_of_an_old_database_is_harmless_or_damage() {
    let dir = tempfile::tempdir().unwrap();
    let whole = dir.path().join("whole");
    for life in 0..3 {
        let rocks = Rocks::open(&whole).unwrap();
        for number in 0..30 {
            put(&rocks, Family::Users, &format!("{life}-{number:02}"), &"x".repeat(100), Durability::Synced);
        }
        // The log behind a flush is deleted.
        rocks.inner.db.flush_cf(rocks.inner.family(Family::Users)).unwrap();
        for number in 0..20 {
            put(&rocks, Family::RaftLog, &format!("{life}-{number:02}"), "x", Durability::Synced);
        }
        if life == 2 {
            rocks.inner.db.flush_cf(rocks.inner.family(Family::RaftLog)).unwrap();
            put(&rocks, Family::RaftLog, "last", "x", Durability::Synced);
            killed(&whole, &dir.path().join("copy"));
        }
    }
    cut_everywhere(&dir.path().join("copy"), 90);
}

/// The files of a killed process, which closes nothing.
fn killed(running: &Path, copy: &Path) {
    fs::create_dir(copy).unwrap();
    for entry in fs::read_dir(running).unwrap().map(Result::unwrap).filter(|entry| entry.file_type().unwrap().is_file())
    {
        fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
    }
}

#[test]
fn what_was_marked_as_damaged_is_not_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    let rocks = Rocks::open(dir.path()).unwrap();
    rocks.mark_damaged("the others remember more").unwrap();
    drop(rocks);
    assert!(damage(dir.path()).contains("the others remember more"));
}

#[test]
fn a_lost_manifest_is_refused_instead_of_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    log_of(&data, 3);
    fs::remove_file(data.join("CURRENT")).unwrap();
    assert!(damage(&data).contains("CURRENT is missing"));
}

#[test]
fn after_a_failure_nothing_works() {
    let dir = tempfile::tempdir().unwrap();
    let rocks = Rocks::open(dir.path()).unwrap();
    put(&rocks, Family::Users, "a", "1", Durability::Synced);
    let before = rocks.snapshot();
    let error = rocks.inner.fatal("IO error: No space left on device: While appending to file: 000008.log");
    assert!(matches!(&error, EngineError::Fatal(text) if text.contains("is full: make room")), "{error}");
    for result in [
        rocks.write(Batch::default(), Durability::Synced),
        rocks.get(Family::Users, b"a").map(drop),
        rocks.scan(Family::Users, (Bound::Unbounded, Bound::Unbounded), false, 1).map(drop),
        before.get(Family::Users, b"a").map(drop),
        rocks.begin_replace(vec![]).map(drop),
    ] {
        assert!(matches!(result, Err(EngineError::Fatal(text)) if text.contains("is full")));
    }
}

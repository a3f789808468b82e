//! Opening a data directory, and the texts of its refusals.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use rocksdb::{ColumnFamilyDescriptor, DB, Error, ErrorKind, WriteOptions};
use troupe_core::planted::{Bug, Planted};

use super::witness::{self, Witness};
use super::{options, recycled};
use crate::engine::{EngineError, Family};
use crate::key::node::{FIRST_FORMAT, FORMAT, FORMAT_VERSION, format_in};

/// Written when damage is found while the database is open; holds the reason.
const DAMAGED: &str = "DAMAGED";

/// Opens it and compares its end with the witness.
pub(super) fn open(path: &Path, planted: Planted) -> Result<(DB, Witness), EngineError> {
    let heeded = !planted.is(Bug::WitnessIgnored);
    create_dir(path).map_err(|error| {
        let path = path.display();
        EngineError::Refused(format!(
            "cannot create the data directory {path}: {error}; choose another or fix its permissions"
        ))
    })?;
    let unread = |error: io::Error| {
        let mark = path.join(DAMAGED);
        EngineError::Refused(format!(
            "cannot check whether {} exists: {}",
            mark.display(),
            explain(path, &error.to_string())
        ))
    };
    if let Some(why) = damage_mark(path).map_err(unread)? {
        return Err(damaged(path, &why));
    }
    let database = options::database();
    let unwitnessed = |error: io::Error| {
        let witness = path.join(witness::FILE);
        EngineError::Refused(format!("cannot open {}: {}", witness.display(), explain(path, &error.to_string())))
    };
    if is_born(path)? {
        check_records(path)?;
        let missing = Witness::open(path).and_then(|witness| witness.misses_manifest()).map_err(unwitnessed)?;
        if let Some(why) = missing.filter(|_| heeded) {
            return Err(damaged(path, &why));
        }
        let known = |name: &String| name == "default" || Family::ALL.iter().any(|family| family.name() == name);
        let names = DB::list_cf(&database, path).map_err(|error| refusal(path, &error))?;
        if let Some(name) = names.iter().find(|name| !known(name)) {
            return Err(newer(path, &format!("it holds '{name}', which this version does not know")));
        }
    }
    let cache = options::cache();
    let families =
        Family::ALL.map(|family| ColumnFamilyDescriptor::new(family.name(), options::family(family, &cache)));
    let db = DB::open_cf_descriptors(&database, path, families).map_err(|error| refusal(path, &error))?;
    check_format(path, &db)?;
    let witness = Witness::open(path).map_err(unwitnessed)?;
    let (found, synced) = (db.latest_sequence_number(), witness.sequence());
    if found < synced && heeded {
        let why = format!("it ends at write {found}, but write {synced} had been synced");
        return Err(damaged(path, &why));
    }
    // Of the new manifest, before anything is acknowledged on its strength.
    witness.advance(synced).map_err(unwitnessed)?;
    Ok((db, witness))
}

/// The reason why the directory must not be opened again, if any. An unreadable mark says nothing
/// about the data: a process without file descriptors cannot read it, whether it exists or not.
pub(super) fn damage_mark(path: &Path) -> io::Result<Option<String>> {
    match fs::read(path.join(DAMAGED)) {
        Ok(why) => Ok(Some(String::from_utf8_lossy(&why).into_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Marks the directory: it must not be opened again.
pub(super) fn mark_damaged(path: &Path, why: &str) -> io::Result<()> {
    let mut file = fs::File::create(path.join(DAMAGED))?;
    file.write_all(why.as_bytes())?;
    file.sync_all()?;
    fs::File::open(path)?.sync_all()
}

/// RocksDB syncs the content of its directory; the entry in the parent needs a sync of ours.
fn create_dir(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)?;
    match path.canonicalize()?.parent() {
        Some(parent) => fs::File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

/// Whether there is a database already. RocksDB would create an empty one in the place of a
/// database that lost `CURRENT`, so that is refused.
fn is_born(path: &Path) -> Result<bool, EngineError> {
    let listed = fs::read_dir(path).and_then(|entries| entries.map(|entry| Ok(entry?.file_name())).collect());
    let names: Vec<std::ffi::OsString> = listed.map_err(|error: io::Error| {
        EngineError::Refused(format!("cannot read the data directory: {}", explain(path, &error.to_string())))
    })?;
    if names.iter().any(|name| name == "CURRENT") {
        return Ok(true);
    }
    let holds_data = |name: &std::ffi::OsString| {
        let extension = Path::new(name).extension();
        extension.is_some_and(|extension| extension == "sst" || extension == "log")
    };
    if names.iter().any(holds_data) || names.iter().any(|name| name == witness::FILE) {
        Err(damaged(path, "its file CURRENT is missing"))
    } else {
        Ok(false)
    }
}

fn check_records(path: &Path) -> Result<(), EngineError> {
    match recycled::find(path) {
        Ok(None) => Ok(()),
        Ok(Some((file, at))) => {
            Err(damaged(path, &format!("the record at byte {at} of {} is of a type never written", file.display())))
        }
        Err(error) => {
            let why = explain(path, &error.to_string());
            Err(EngineError::Refused(format!("cannot read the data directory: {why}")))
        }
    }
}

/// Writes the first format at creation; later it accepts only formats that this version can read.
fn check_format(path: &Path, db: &DB) -> Result<(), EngineError> {
    let refused = |error: Error| refusal(path, &error);
    let node = db.cf_handle(Family::Node.name()).ok_or_else(|| damaged(path, "its family 'node' is missing"))?;
    match db.get_cf(node, FORMAT).map_err(refused)? {
        Some(bytes) => match format_in(&bytes) {
            Some(FIRST_FORMAT..=FORMAT_VERSION) => Ok(()),
            Some(found) if found > FORMAT_VERSION => {
                let why = format!("its format is {found}, and this version reads up to {FORMAT_VERSION}");
                Err(newer(path, &why))
            }
            _ => Err(damaged(path, "its format version cannot be read")),
        },
        // A crash may have interrupted the creation before this row, but then no other row exists.
        None => {
            for family in Family::ALL {
                let Some(handle) = db.cf_handle(family.name()) else { continue };
                let mut rows = db.raw_iterator_cf(handle);
                rows.seek_to_first();
                if rows.valid() {
                    return Err(damaged(path, "it holds rows but no format version"));
                }
                rows.status().map_err(refused)?;
            }
            let mut options = WriteOptions::default();
            options.set_sync(true);
            db.put_cf_opt(node, FORMAT, FIRST_FORMAT.to_be_bytes(), &options).map_err(refused)
        }
    }
}

fn newer(path: &Path, why: &str) -> EngineError {
    EngineError::Refused(format!(
        "the data directory {} was written by a newer version of troupe: {why}. Start that version; nothing was changed",
        path.display()
    ))
}

pub(super) fn damaged(path: &Path, why: &str) -> EngineError {
    EngineError::Damaged(format!("{why} (data directory {})", path.display()))
}

fn refusal(path: &Path, error: &Error) -> EngineError {
    let text = error.as_ref();
    if text.contains("While lock file") || text.contains("lock hold by current process") {
        EngineError::Refused(format!(
            "the data directory {} is in use by another process ({text}): stop that one, or choose another directory",
            path.display()
        ))
    } else if is_obstacle(text) {
        EngineError::Refused(explain(path, text))
    } else if is_damage(error) || text.contains("No such file or directory") {
        // Files named by other files count: a flipped bit in CURRENT names a manifest that never
        // existed.
        damaged(path, text)
    } else {
        EngineError::Refused(format!("cannot open the data directory {}: {text}", path.display()))
    }
}

/// The obstacle between the process and its files, and the remedy. It says nothing about the data,
/// even where RocksDB calls it a corruption.
fn obstacle(text: &str) -> Option<(&'static str, &'static str)> {
    const FULL: (&str, &str) = ("the disk is full", "make room and start the node again, nothing acknowledged is lost");
    const DESCRIPTORS: (&str, &str) = (
        "the process has no file descriptors left",
        "raise its limit (ulimit -n, or LimitNOFILE= of its service) and start the node again, its data is whole",
    );
    const PERMISSION: (&str, &str) = (
        "the process may not use its files",
        "give the directory and everything in it to the user of the node, and start it again, its data is whole",
    );
    const DISK: (&str, &str) = (
        "the disk does not answer",
        "look at the disk and its cables (dmesg) and start the node again; if the disk is broken, start it on an \
         empty one with --join, and it gets its copies from the others",
    );
    const MEMORY: (&str, &str) = ("the machine has no memory left", "give it more and start the node again");
    let obstacles = [
        ("No space left on device", FULL),
        ("Disk quota exceeded", FULL),
        ("Too many open files", DESCRIPTORS),
        ("Permission denied", PERMISSION),
        ("Operation not permitted", PERMISSION),
        ("Read-only file system", PERMISSION),
        ("Input/output error", DISK),
        ("Cannot allocate memory", MEMORY),
    ];
    obstacles.into_iter().find(|(sign, _)| text.contains(sign)).map(|(_, obstacle)| obstacle)
}

/// Whether an error of RocksDB means wrong content of the files.
pub(super) fn is_damage(error: &Error) -> bool {
    error.kind() == ErrorKind::Corruption && !is_obstacle(error.as_ref())
}

pub(super) fn is_obstacle(text: &str) -> bool {
    obstacle(text).is_some()
}

/// The fault of the open database at `path`, with a remedy for the operator.
pub(super) fn explain(path: &Path, text: &str) -> String {
    let path = path.display();
    match obstacle(text) {
        Some((what, advice)) => format!("{what}: {advice} ({text}; data directory {path})"),
        None => format!("{text} (data directory {path})"),
    }
}

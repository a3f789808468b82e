//! One append-only file per device, readable by its owner only.
//!
//! Only the last record can be torn by a crash. It is cut off when the file is opened. Damage
//! before it is reported and the file is left unchanged: a failure to open is better than a silent
//! loss of the outbox.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use troupe_core::{ConversationId, Event, fold};
use troupe_runtime::private;

use super::record::{self, HEADER_BYTES, RECORD_BYTES};
use super::{HISTORY_EVENTS, Record, Saved, Store, matches};

/// Smaller files are never rewritten.
const COMPACT_BYTES: u64 = 8 * 1024 * 1024;
/// Larger files are refused.
const FILE_BYTES: u64 = 1024 * 1024 * 1024;

#[derive(Debug)]
pub struct FileStore {
    path: PathBuf,
    file: File,
    /// Length up to the last complete record.
    length: u64,
    compact_at: u64,
}

impl FileStore {
    /// Opens or creates the file and its parent folders. Only one process can have it open.
    pub fn open(path: impl AsRef<Path>) -> io::Result<FileStore> {
        let path = path.as_ref().to_owned();
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            private::create_dir(folder)?;
        }
        let file = open_private(&path)?;
        if let Err(error) = file.try_lock() {
            return Err(io::Error::new(
                io::ErrorKind::ResourceBusy,
                format!("{} is in use by another process ({error})", path.display()),
            ));
        }
        let length = file.metadata()?.len();
        Ok(FileStore { path, file, length, compact_at: COMPACT_BYTES })
    }

    fn read(&mut self) -> io::Result<Bytes> {
        self.file.seek(SeekFrom::Start(0))?;
        if self.file.metadata()?.len() > FILE_BYTES {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "the file of this device is too large to be one"));
        }
        let mut bytes = Vec::new();
        self.file.read_to_end(&mut bytes)?;
        Ok(Bytes::from(bytes))
    }

    /// All records in order, and their total length.
    fn records(&mut self) -> io::Result<(Vec<Record>, u64)> {
        let mut bytes = self.read()?;
        let whole = bytes.len();
        let mut records = Vec::new();
        while let Some(record) = record::decode(&mut bytes) {
            records.push(record);
        }
        // Half a record, or zeros that some file systems leave after a crash, are a torn tail.
        if bytes.len() > HEADER_BYTES + RECORD_BYTES && bytes.iter().any(|byte| *byte != 0) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!(
                    "{} is damaged at byte {}: move it away to start with an empty one",
                    self.path.display(),
                    whole - bytes.len()
                ),
            ));
        }
        Ok((records, (whole - bytes.len()) as u64))
    }

    /// Writes the live records to a new file, which replaces the old one.
    fn compact(&mut self) -> io::Result<()> {
        let (records, _) = self.records()?;
        let mut saved = Saved::default();
        let mut history = VecDeque::new();
        for record in records {
            saved.apply(&record);
            if matches!(record, Record::HandedOut { .. }) {
                if history.len() == HISTORY_EVENTS {
                    history.pop_front();
                }
                history.push_back(record);
            }
        }
        let mut bytes = Vec::new();
        saved.cluster.into_iter().for_each(|id| record::encode(&Record::Cluster(id), &mut bytes));
        saved.session.into_iter().for_each(|session| record::encode(&Record::LoggedIn(session), &mut bytes));
        history.iter().for_each(|record| record::encode(record, &mut bytes));
        for (conversation, seq) in saved.cursors {
            record::encode(&Record::Cursor { conversation, seq }, &mut bytes);
        }
        for (conversation, history) in saved.histories {
            record::encode(&Record::History { conversation, history }, &mut bytes);
        }
        saved.outbox.into_iter().for_each(|queued| record::encode(&Record::Queued(queued), &mut bytes));

        let new = self.path.with_extension("new");
        // Left over from an interrupted rewrite.
        drop(fs::remove_file(&new));
        let mut file = open_private(&new)?;
        file.try_lock().map_err(|error| io::Error::other(error.to_string()))?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&new, &self.path)?;
        self.file = file;
        self.length = bytes.len() as u64;
        self.compact_at = COMPACT_BYTES.max(2 * self.length);
        Ok(())
    }
}

impl Store for FileStore {
    fn load(&mut self) -> io::Result<Saved> {
        let (records, length) = self.records()?;
        self.file.set_len(length)?;
        self.file.seek(SeekFrom::Start(length))?;
        self.length = length;
        let mut saved = Saved::default();
        records.iter().for_each(|record| saved.apply(record));
        Ok(saved)
    }

    fn append(&mut self, record: &Record) -> io::Result<()> {
        let mut bytes = Vec::new();
        record::encode(record, &mut bytes);
        if bytes.len() > HEADER_BYTES + RECORD_BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "this record is too large"));
        }
        self.file.seek(SeekFrom::Start(self.length))?;
        if let Err(error) = self.file.write_all(&bytes) {
            // Half a record must not precede a complete one.
            self.file.set_len(self.length)?;
            return Err(error);
        }
        self.length += bytes.len() as u64;
        if self.length > self.compact_at
            && let Err(error) = self.compact()
        {
            // The record is kept, but the file is larger than necessary. Retry after it has grown
            // much.
            tracing::warn!(%error, "cannot compact the file of this device");
            self.compact_at = 2 * self.length;
        }
        Ok(())
    }

    fn search(&mut self, word: &str, limit: usize) -> io::Result<Vec<(ConversationId, Event)>> {
        let word = fold(word);
        let (records, _) = self.records()?;
        let mut found: Vec<_> = records
            .into_iter()
            .rev()
            .filter_map(|record| match record {
                Record::HandedOut { conversation, event } if matches(&event, &word) => Some((conversation, event)),
                _ => None,
            })
            .take(limit)
            .collect();
        found.reverse();
        Ok(found)
    }
}

fn open_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    private::tighten_file(&file)?;
    Ok(file)
}

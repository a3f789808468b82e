//! The directory of a bundle: parts of JSON lines, and `manifest.json`, written last, so that a
//! bundle without one is incomplete.
//!
//! The first part has the accounts and contacts, the others the conversations. A conversation is
//! never cut: the next part begins between two. The bytes of files are beside the parts.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use troupe_core::FileHash;
use troupe_runtime::private;

use crate::blobs::{Blob, Chunks, Verified};
use crate::input::{self, Lines};
use crate::line::Line;
use crate::{Error, Result, hex};

pub const FORMAT: &str = "troupe-bundle";
/// Raised when an older version could no longer import it.
pub const VERSION: u32 = 2;
/// Bytes of a line. The largest has a message of 64 KiB whose every byte is escaped by six.
pub const LINE_BYTES: usize = 1024 * 1024;
/// A part that is larger ends at the next conversation.
const PART_BYTES: u64 = 64 * 1024 * 1024;
const MANIFEST: &str = "manifest.json";
const MANIFEST_BYTES: u64 = 16 * 1024 * 1024;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub format: String,
    pub version: u32,
    /// The cluster that it is of, in hex, or the name of another system.
    pub source: String,
    /// The program that wrote it.
    pub by: String,
    /// Wall clock, milliseconds since 1970. The bundle has all that was acknowledged before
    /// `began_ms`.
    pub began_ms: u64,
    pub ended_ms: u64,
    pub accounts: u64,
    /// Contacts and blocks, one of each user of a pair.
    #[serde(default)]
    pub contacts: u64,
    pub conversations: u64,
    pub events: u64,
    /// Files, each once.
    #[serde(default)]
    pub files: u64,
    pub parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    pub file: String,
    pub lines: u64,
    pub bytes: u64,
    pub sha256: String,
}

pub struct Writer {
    directory: PathBuf,
    manifest: Manifest,
    part: Option<Open>,
    files: BTreeSet<FileHash>,
}

struct Open {
    name: String,
    file: BufWriter<File>,
    hash: Sha256,
    lines: u64,
    bytes: u64,
}

impl Writer {
    /// Into a directory that is empty, or is made.
    pub fn create(directory: &Path, source: &str, by: &str, began_ms: u64) -> Result<Writer> {
        let shown = directory.display().to_string();
        private::create_dir(directory).map_err(Error::io(&shown))?;
        let mut entries = fs::read_dir(directory).map_err(Error::io(&shown))?;
        if entries.next().is_some() {
            return Err(Error::invalid(shown, "this is not empty: each bundle wants a directory of its own"));
        }
        private::tighten_folder(directory).map_err(Error::io(&shown))?;
        let manifest = Manifest {
            format: FORMAT.to_owned(),
            version: VERSION,
            source: source.to_owned(),
            by: by.to_owned(),
            began_ms,
            ended_ms: began_ms,
            accounts: 0,
            contacts: 0,
            conversations: 0,
            events: 0,
            files: 0,
            parts: Vec::new(),
        };
        Ok(Writer { directory: directory.to_owned(), manifest, part: None, files: BTreeSet::new() })
    }

    /// Writes a line. All accounts come first, and then all contacts.
    pub fn write(&mut self, line: &Line) -> Result<()> {
        match line {
            Line::Account(_) => self.manifest.accounts += 1,
            Line::Contact(_) => self.manifest.contacts += 1,
            Line::Conversation(_) => self.manifest.conversations += 1,
            Line::Event(_) => self.manifest.events += 1,
            Line::File(_) | Line::Member(_) | Line::Position(_) | Line::End(_) => {}
        }
        let begins = matches!(line, Line::Conversation(_));
        let is_first = begins && self.manifest.conversations == 1;
        let is_full = self.part.as_ref().is_some_and(|part| part.bytes > PART_BYTES);
        if is_first || (begins && is_full) {
            self.end_part()?;
        }
        if self.part.is_none() {
            self.begin_part()?;
        }
        let Some(part) = &mut self.part else { return Ok(()) };
        let mut bytes = serde_json::to_vec(line).map_err(|error| Error::invalid(&part.name, error.to_string()))?;
        bytes.push(b'\n');
        if bytes.len() > LINE_BYTES {
            return Err(Error::invalid(&part.name, format!("a line has at most {LINE_BYTES} bytes")));
        }
        part.hash.update(&bytes);
        part.lines += 1;
        part.bytes += bytes.len() as u64;
        part.file.write_all(&bytes).map_err(Error::io(&part.name))
    }

    /// A place for the bytes of a file; `None`: they are here already.
    pub fn blob(&mut self, hash: FileHash) -> Result<Option<Blob>> {
        if !self.files.insert(hash) {
            return Ok(None);
        }
        self.manifest.files += 1;
        Blob::create(&self.directory, hash).map(Some)
    }

    fn begin_part(&mut self) -> Result<()> {
        let name = match self.manifest.conversations {
            0 => "accounts.jsonl".to_owned(),
            _ => {
                let before = self.manifest.parts.iter().filter(|part| part.file.starts_with("conversations")).count();
                format!("conversations-{:05}.jsonl", before + 1)
            }
        };
        let file = private::create(&self.directory.join(&name)).map_err(Error::io(&name))?;
        self.part = Some(Open { name, file: BufWriter::new(file), hash: Sha256::new(), lines: 0, bytes: 0 });
        Ok(())
    }

    fn end_part(&mut self) -> Result<()> {
        let Some(Open { name, file, hash, lines, bytes }) = self.part.take() else { return Ok(()) };
        let file = file.into_inner().map_err(|error| Error::Io { place: name.clone(), error: error.into_error() })?;
        file.sync_all().map_err(Error::io(&name))?;
        self.manifest.parts.push(Part { file: name, lines, bytes, sha256: hex(&hash.finalize()) });
        Ok(())
    }

    /// Makes the bundle complete.
    pub fn finish(mut self, ended_ms: u64) -> Result<Manifest> {
        self.end_part()?;
        self.manifest.ended_ms = ended_ms;
        let mut text =
            serde_json::to_vec_pretty(&self.manifest).map_err(|error| Error::invalid(MANIFEST, error.to_string()))?;
        text.push(b'\n');
        let (path, new) = (self.directory.join(MANIFEST), self.directory.join("manifest.new"));
        let written = private::create(&new).and_then(|mut file| {
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&new, &path)?;
            File::open(&self.directory)?.sync_all()
        });
        written.map_err(Error::io(path.display().to_string()))?;
        Ok(self.manifest)
    }
}

pub struct Reader {
    directory: PathBuf,
    pub manifest: Manifest,
    left: std::vec::IntoIter<Part>,
    open: Option<(Part, Lines)>,
}

impl Reader {
    pub fn open(directory: &Path) -> Result<Reader> {
        let path = directory.join(MANIFEST);
        let shown = path.display().to_string();
        let text = input::read(&path, MANIFEST_BYTES).map_err(|error| match error {
            Error::Io { error, .. } if error.kind() == std::io::ErrorKind::NotFound => {
                Error::invalid(&shown, "there is no bundle here, or one that was never finished: export it again")
            }
            other => other,
        })?;
        let manifest: Manifest =
            serde_json::from_slice(&text).map_err(|error| Error::invalid(&shown, error.to_string()))?;
        if manifest.format != FORMAT || !(1..=VERSION).contains(&manifest.version) {
            let why = format!(
                "this is {} of version {}, and this program reads {FORMAT} up to version {VERSION}",
                manifest.format, manifest.version
            );
            return Err(Error::invalid(shown, why));
        }
        let is_plain = |name: &str| !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', '\0']);
        if let Some(part) = manifest.parts.iter().find(|part| !is_plain(&part.file)) {
            return Err(Error::invalid(shown, format!("{:?} is no name of a part", part.file)));
        }
        let left = manifest.parts.clone().into_iter();
        Ok(Reader { directory: directory.to_owned(), manifest, left, open: None })
    }

    /// From the first line on again.
    pub fn rewind(&mut self) {
        self.left = self.manifest.parts.clone().into_iter();
        self.open = None;
    }

    /// The next line of all parts; each part is compared with its checksum at its end.
    pub fn next_line(&mut self) -> Result<Option<Line>> {
        loop {
            let (part, mut lines) = match self.open.take() {
                Some(open) => open,
                None => {
                    let Some(part) = self.left.next() else { return Ok(None) };
                    let lines = Lines::open(&self.directory.join(&part.file), LINE_BYTES)?;
                    (part, lines)
                }
            };
            if let Some(text) = lines.next_line()? {
                let line = serde_json::from_slice(text);
                let line = line.map_err(|error: serde_json::Error| lines.wrong(error.to_string()))?;
                self.open = Some((part, lines));
                return Ok(Some(line));
            }
            let (number, bytes, sha256) = lines.sum();
            if (number, bytes, &sha256) != (part.lines, part.bytes, &part.sha256) {
                return Err(Error::invalid(part.file, "this part is not the one of the manifest: export it again"));
            }
        }
    }

    /// The bytes of a file.
    pub fn file(&self, hash: FileHash) -> Result<Chunks> {
        Chunks::open(&self.directory, hash)
    }

    /// For errors: where the last line stands.
    pub fn place(&self) -> String {
        let open = self.open.as_ref();
        open.map_or_else(|| self.directory.display().to_string(), |(_, lines)| lines.place())
    }

    /// Reads all lines and files, and compares the counts of the lines with the manifest.
    pub fn verify(&mut self) -> Result<()> {
        self.rewind();
        let (mut accounts, mut contacts, mut conversations, mut events) = (0, 0, 0, 0);
        let mut files = Verified::default();
        while let Some(line) = self.next_line()? {
            match line {
                Line::Account(_) => accounts += 1,
                Line::Contact(_) => contacts += 1,
                Line::Conversation(_) => conversations += 1,
                Line::Event(_) => events += 1,
                Line::File(file) => files.verify(&self.directory, &file)?,
                Line::Member(_) | Line::Position(_) | Line::End(_) => {}
            }
        }
        self.rewind();
        let of = &self.manifest;
        let said = (of.accounts, of.contacts, of.conversations, of.events);
        if (accounts, contacts, conversations, events) == said {
            return Ok(());
        }
        Err(Error::invalid(self.place(), "the counts of the manifest are not those of the lines: export it again"))
    }
}

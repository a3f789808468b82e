//! The bytes of files in a bundle: each once, in the folder `files`, under its hash.
//!
//! The hash is a chain over chunks, so a file is verified chunk by chunk, and no whole file is in
//! memory.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use troupe_core::{FileHash, limits};
use troupe_runtime::private;

use crate::line::FileLine;
use crate::{Error, Result, input};

const FOLDER: &str = "files";

/// Where the bytes of a file are.
pub fn path(directory: &Path, hash: FileHash) -> PathBuf {
    directory.join(FOLDER).join(hash.to_string())
}

pub fn hash_of(line: &FileLine) -> Result<FileHash> {
    let hash = line.hash.parse();
    hash.map_err(|_| Error::invalid(&line.hash, "the hash of a file is 64 digits in hex"))
}

/// A file that is being written. It counts when it is finished.
pub struct Blob {
    path: PathBuf,
    new: PathBuf,
    file: File,
    begun: Vec<u8>,
    name: Option<FileHash>,
    hash: FileHash,
}

impl Blob {
    pub fn create(directory: &Path, hash: FileHash) -> Result<Blob> {
        let folder = directory.join(FOLDER);
        private::create_dir(&folder).map_err(Error::io(folder.display().to_string()))?;
        let path = path(directory, hash);
        let new = path.with_extension("new");
        let file = private::create(&new).map_err(Error::io(new.display().to_string()))?;
        Ok(Blob { path, new, file, begun: Vec::new(), name: None, hash })
    }

    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(Error::io(self.new.display().to_string()))?;
        self.begun.extend_from_slice(bytes);
        let whole = self.begun.len() - self.begun.len() % limits::CHUNK_BYTES;
        for chunk in self.begun.drain(..whole).collect::<Vec<u8>>().chunks(limits::CHUNK_BYTES) {
            self.name = Some(FileHash::with(self.name, FileHash::of_chunk(chunk)));
        }
        Ok(())
    }

    /// Refuses bytes that are not the file of this name.
    pub fn finish(mut self) -> Result<()> {
        if !self.begun.is_empty() {
            self.name = Some(FileHash::with(self.name, FileHash::of_chunk(&self.begun)));
        }
        if self.name != Some(self.hash) {
            return Err(Error::invalid(self.hash.to_string(), "the bytes are not those of this file"));
        }
        let moved = self.file.sync_all().and_then(|()| fs::rename(&self.new, &self.path));
        moved.map_err(Error::io(self.path.display().to_string()))
    }
}

/// A file of a bundle, chunk by chunk.
pub struct Chunks {
    place: String,
    file: File,
}

impl Chunks {
    pub fn open(directory: &Path, hash: FileHash) -> Result<Chunks> {
        let path = path(directory, hash);
        Ok(Chunks { place: path.display().to_string(), file: input::open(&path)? })
    }

    /// From this offset to the end of its chunk; empty at the end.
    pub fn from(&mut self, offset: u64) -> Result<Bytes> {
        let most = limits::CHUNK_BYTES as u64 - offset % limits::CHUNK_BYTES as u64;
        let mut bytes = Vec::new();
        let read =
            self.file.seek(SeekFrom::Start(offset)).and_then(|_| (&self.file).take(most).read_to_end(&mut bytes));
        read.map_err(Error::io(&self.place))?;
        Ok(bytes.into())
    }
}

/// Files that are verified already.
#[derive(Debug, Default)]
pub struct Verified(BTreeSet<FileHash>);

impl Verified {
    pub fn verify(&mut self, directory: &Path, line: &FileLine) -> Result<()> {
        let hash = hash_of(line)?;
        if !self.0.insert(hash) {
            return Ok(());
        }
        let mut chunks = Chunks::open(directory, hash)?;
        let (mut name, mut size) = (None, 0);
        loop {
            let chunk = chunks.from(size)?;
            if chunk.is_empty() {
                break;
            }
            name = Some(FileHash::with(name, FileHash::of_chunk(&chunk)));
            size += chunk.len() as u64;
        }
        if (name, size) == (Some(hash), line.size) {
            return Ok(());
        }
        Err(Error::invalid(chunks.place, "the bytes are not those of this file: export it again"))
    }
}

//! Files of others, line by line within a cap: nothing is allocated for a line before its length is
//! known to be allowed.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::{Error, Result, hex};

/// Lines of a file, with its checksum so far.
pub struct Lines {
    file: BufReader<File>,
    /// For errors: path and line.
    path: String,
    number: u64,
    bytes: u64,
    hash: Sha256,
    cap: usize,
    line: Vec<u8>,
}

impl Lines {
    /// Refuses what is no regular file: a pipe or a device could not be read twice.
    pub fn open(path: &Path, cap: usize) -> Result<Lines> {
        let shown = path.display().to_string();
        let file = open(path)?;
        let (number, bytes, hash, line) = (0, 0, Sha256::new(), Vec::new());
        Ok(Lines { file: BufReader::new(file), path: shown, number, bytes, hash, cap, line })
    }

    /// The next line without its end; `None` at the end of the file.
    pub fn next_line(&mut self) -> Result<Option<&[u8]>> {
        self.line.clear();
        let mut limited = (&mut self.file).take(self.cap as u64 + 1);
        match limited.read_until(b'\n', &mut self.line) {
            Ok(0) => return Ok(None),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => return Err(self.wrong("the read was interrupted")),
            Err(error) => return Err(Error::Io { place: self.place(), error }),
        }
        self.number += 1;
        self.bytes += self.line.len() as u64;
        self.hash.update(&self.line);
        if self.line.len() > self.cap {
            return Err(self.wrong(format!("a line has at most {} bytes", self.cap)));
        }
        while matches!(self.line.last(), Some(b'\n' | b'\r')) {
            self.line.pop();
        }
        Ok(Some(&self.line))
    }

    /// Path and line, for errors.
    pub fn place(&self) -> String {
        format!("{}:{}", self.path, self.number)
    }

    pub fn wrong(&self, why: impl Into<String>) -> Error {
        Error::invalid(self.place(), why)
    }

    /// Lines, bytes and checksum of what was read.
    pub fn sum(&self) -> (u64, u64, String) {
        (self.number, self.bytes, hex(&self.hash.clone().finalize()))
    }
}

/// Opens a regular file.
pub fn open(path: &Path) -> Result<File> {
    let shown = path.display().to_string();
    let file = File::open(path).map_err(Error::io(&shown))?;
    let found = file.metadata().map_err(Error::io(&shown))?;
    if found.is_file() { Ok(file) } else { Err(Error::invalid(shown, "this is not a regular file")) }
}

/// A whole small file.
pub fn read(path: &Path, cap: u64) -> Result<Vec<u8>> {
    let shown = path.display().to_string();
    let mut bytes = Vec::new();
    open(path)?.take(cap + 1).read_to_end(&mut bytes).map_err(Error::io(&shown))?;
    if bytes.len() as u64 > cap {
        return Err(Error::invalid(shown, format!("this file has at most {cap} bytes")));
    }
    Ok(bytes)
}

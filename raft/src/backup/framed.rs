//! Files of frames, each behind its length, and the SHA-256 of everything before.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;

use prost::Message;
use sha2::{Digest as _, Sha256};
use troupe_core::limits::NODE_FRAME_BYTES;
use troupe_runtime::private;

pub struct Output {
    out: BufWriter<File>,
    hash: Sha256,
    pub bytes: u64,
}

impl Output {
    pub fn create(path: &Path) -> io::Result<Output> {
        Ok(Output { out: BufWriter::new(private::create(path)?), hash: Sha256::new(), bytes: 0 })
    }

    pub fn put(&mut self, frame: &impl Message) -> io::Result<()> {
        let frame = frame.encode_to_vec();
        for bytes in [(frame.len() as u32).to_be_bytes().as_slice(), &frame] {
            self.hash.update(bytes);
            self.out.write_all(bytes)?;
            self.bytes += bytes.len() as u64;
        }
        Ok(())
    }

    pub fn sum(&self) -> [u8; 32] {
        self.hash.clone().finalize().into()
    }

    /// The file is on stable storage when it returns.
    pub fn finish(self) -> io::Result<()> {
        self.out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
    }
}

pub struct Input {
    input: BufReader<File>,
    hash: Sha256,
    pub bytes: u64,
}

impl Input {
    pub fn open(path: &Path) -> io::Result<Input> {
        Ok(Input { input: BufReader::new(File::open(path)?), hash: Sha256::new(), bytes: 0 })
    }

    pub fn frame<M: Message + Default>(&mut self) -> io::Result<M> {
        let mut length = [0; 4];
        self.exactly(&mut length)?;
        let length = u32::from_be_bytes(length) as usize;
        if length > NODE_FRAME_BYTES {
            return Err(damaged("a block is too large"));
        }
        let mut frame = vec![0; length];
        self.exactly(&mut frame)?;
        M::decode(bytes::Bytes::from(frame)).map_err(|_| damaged("a block cannot be read"))
    }

    pub fn sum(&self) -> [u8; 32] {
        self.hash.clone().finalize().into()
    }

    pub fn expect_end(&mut self) -> io::Result<()> {
        if self.input.read(&mut [0])? == 0 { Ok(()) } else { Err(damaged("there are bytes after its end")) }
    }

    fn exactly(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        self.input.read_exact(bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => damaged("its end is missing"),
            _ => error,
        })?;
        self.hash.update(&bytes);
        self.bytes += bytes.len() as u64;
        Ok(())
    }
}

pub fn damaged(how: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, how)
}

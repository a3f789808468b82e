//! Files: a file is a row of chunks, and its name follows from their hashes.
//!
//! Every chunk but the last has [`limits::CHUNK_BYTES`]. The name is a chain over the SHA-256 of
//! the chunks: for the first it is the SHA-256 of its hash, with each further one that of the name
//! so far and its hash. So the name of a file is known with its last byte, no command hashes more
//! than one chunk, and a reader verifies each chunk alone.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::limits;

/// The name of a file, or the hash of a chunk.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileHash(pub [u8; 32]);

impl FileHash {
    pub fn of_chunk(bytes: &[u8]) -> FileHash {
        FileHash(Sha256::digest(bytes).into())
    }

    /// The name of a file that goes on with this chunk.
    pub fn with(name: Option<FileHash>, chunk: FileHash) -> FileHash {
        let before = name.as_ref().map_or(&[][..], |name| &name.0);
        FileHash(Sha256::new().chain_update(before).chain_update(chunk.0).finalize().into())
    }

    /// `None`: there is no file without bytes.
    pub fn of_file(bytes: &[u8]) -> Option<FileHash> {
        bytes
            .chunks(limits::CHUNK_BYTES)
            .fold(None, |name, chunk| Some(FileHash::with(name, FileHash::of_chunk(chunk))))
    }
}

/// The number of chunks of so many bytes.
pub fn chunks_of(bytes: u64) -> u64 {
    bytes.div_ceil(limits::CHUNK_BYTES as u64)
}

impl fmt::Display for FileHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for FileHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not 64 hexadecimal digits in lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoHash;

impl FromStr for FileHash {
    type Err = NoHash;

    fn from_str(text: &str) -> Result<FileHash, NoHash> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Ok(byte - b'0'),
            b'a'..=b'f' => Ok(byte - b'a' + 10),
            _ => Err(NoHash),
        };
        let mut hash = [0; 32];
        if text.len() != 2 * hash.len() {
            return Err(NoHash);
        }
        for (byte, pair) in hash.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = digit(pair[0])? * 16 + digit(pair[1])?;
        }
        Ok(FileHash(hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_chain_over_the_chunks() {
        let hash = |bytes: &[u8]| <[u8; 32]>::from(Sha256::digest(bytes));
        assert_eq!(FileHash::of_file(b""), None);
        assert_eq!(FileHash::of_file(b"a"), Some(FileHash(hash(&hash(b"a")))));
        let (first, second) = (vec![1; limits::CHUNK_BYTES], vec![2; 3]);
        let chain = hash(&[hash(&hash(&first)), hash(&second)].concat());
        assert_eq!(FileHash::of_file(&[first.clone(), second].concat()), Some(FileHash(chain)));
        assert_eq!(FileHash::of_file(&first), Some(FileHash(hash(&hash(&first)))));
        assert_eq!([0, 1, 65_536, 65_537].map(chunks_of), [0, 1, 1, 2]);
    }

    #[test]
    fn a_hash_has_one_text() {
        let hash = FileHash::of_chunk(b"a");
        let text = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb";
        assert_eq!(hash.to_string(), text);
        assert_eq!(text.parse(), Ok(hash));
        for wrong in ["", &text[1..], &text.to_uppercase(), &format!("{text}0"), &text.replace('c', "g")] {
            assert_eq!(wrong.parse::<FileHash>(), Err(NoHash), "{wrong}");
        }
    }
}

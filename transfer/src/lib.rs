//! The content of a cluster as a bundle: a directory of JSON lines that people can read, another
//! cluster can import, and other systems can be converted to.
//!
//! [`bundle`] has the directory, [`line`](mod@line) its lines, [`blobs`] the bytes of files.
//! [`export`] and [`import`] connect a bundle to a cluster, over the [`cluster::Cluster`] that the
//! caller gives. [`convert`] has one file per other system. A bundle names users, because ids of
//! another cluster mean other users.
//!
//! Nothing here holds a whole conversation or file in memory; the names of all users and files, the
//! contacts of all users, and the list of all conversations are held.

pub mod blobs;
pub mod bundle;
pub mod cluster;
pub mod convert;
pub mod export;
pub mod import;
pub mod input;
pub mod line;
pub mod names;
pub mod report;

use std::io;

use cluster::Refused;

/// Why a transfer ended before its end. It may be repeated.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{place}: {error}")]
    Io { place: String, error: io::Error },
    #[error("{place}: {why}")]
    Invalid { place: String, why: String },
    #[error("{doing}: {refused}")]
    Refused { doing: String, refused: Refused },
}

pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub fn io(place: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
        let place = place.into();
        |error| Error::Io { place, error }
    }

    pub fn invalid(place: impl Into<String>, why: impl Into<String>) -> Error {
        Error::Invalid { place: place.into(), why: why.into() }
    }

    pub fn refused(doing: impl Into<String>) -> impl FnOnce(Refused) -> Error {
        let doing = doing.into();
        |refused| Error::Refused { doing, refused }
    }
}

/// The first 16 bytes of a SHA-256: an id that follows from what it names, so that a repeat has the
/// same one.
pub fn id_of(parts: &[&[u8]]) -> [u8; 16] {
    use sha2::{Digest, Sha256};
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let hash = hash.finalize();
    std::array::from_fn(|at| hash[at])
}

/// In place of the hash of an account that no password opens. CIM's own clients enter it, since CIM
/// has no passwords.
const NO_PASSWORD: &str = "!none";

/// Lower case.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

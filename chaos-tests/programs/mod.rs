//! The program under test.

use std::path::PathBuf;

/// `troupe`, which `scripts/test` has built beside the program of this crate.
pub fn troupe() -> PathBuf {
    let troupe = PathBuf::from(env!("CARGO_BIN_EXE_troupe-lab")).with_file_name("troupe");
    assert!(troupe.exists(), "{} is missing: run scripts/test, which builds it first", troupe.display());
    troupe
}

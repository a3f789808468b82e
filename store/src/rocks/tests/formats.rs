//! The format of a directory: formats that open, and refusals that change nothing.

use super::*;
use crate::key::node::{FIRST_FORMAT, FORMAT, FORMAT_VERSION};

fn format(rocks: &Rocks) -> Option<Vec<u8>> {
    rocks.get(Family::Node, FORMAT).unwrap()
}

fn set_format(rocks: &Rocks, version: u32) {
    let mut batch = Batch::default();
    batch.put(Family::Node, FORMAT, version.to_be_bytes());
    rocks.write(batch, Durability::Synced).unwrap();
}

#[test]
fn a_directory_begins_at_the_first_format_and_every_known_one_opens_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(format(&Rocks::open(dir.path()).unwrap()), Some(FIRST_FORMAT.to_be_bytes().to_vec()));
    for known in [1, 2] {
        set_format(&Rocks::open(dir.path()).unwrap(), known);
        for _ in 0..2 {
            assert_eq!(format(&Rocks::open(dir.path()).unwrap()), Some(known.to_be_bytes().to_vec()));
        }
    }
    assert_eq!(FORMAT_VERSION, 2, "each known one is above");
}

#[test]
fn a_newer_format_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    set_format(&Rocks::open(dir.path()).unwrap(), FORMAT_VERSION + 1);
    for _ in 0..2 {
        let refused = refusal(dir.path());
        assert!(refused.contains("newer version of troupe"), "{refused}");
        assert!(refused.contains("its format is 3, and this version reads up to 2"), "{refused}");
    }
}

#[test]
fn a_format_that_never_was_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    set_format(&Rocks::open(dir.path()).unwrap(), 0);
    assert!(damage(dir.path()).contains("cannot be read"));
}

#[test]
fn a_family_of_a_newer_version_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut rocks = Rocks::open(dir.path()).unwrap();
    let inner = Arc::get_mut(&mut rocks.inner).unwrap();
    inner.db.create_cf("invented_later", &rocksdb::Options::default()).unwrap();
    drop(rocks);
    assert!(refusal(dir.path()).contains("'invented_later'"));
}

#[test]
fn rows_without_a_format_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let rocks = Rocks::open(dir.path()).unwrap();
    put(&rocks, Family::Users, "a", "1", Durability::Buffered);
    let mut batch = Batch::default();
    batch.delete(Family::Node, FORMAT);
    rocks.write(batch, Durability::Synced).unwrap();
    drop(rocks);
    assert!(damage(dir.path()).contains("no format version"));
}

//! Installs: completed ones, and interrupted ones.

use super::*;

fn old_content(rocks: &Rocks) {
    for family in Family::OF_SLOTS {
        for key in ["a", "b-old", "c-old", "d"] {
            put(rocks, family, key, "old", Durability::Buffered);
        }
    }
}

/// New content in several files, before the caller's step.
fn new_content(rocks: &Rocks) -> Install {
    let ranges = Family::OF_SLOTS.into_iter().map(|family| (family, b"b".to_vec(), b"d".to_vec())).collect();
    let mut install = Install::begin(Arc::clone(&rocks.inner), ranges).unwrap().with_files_of(40);
    for family in [Family::Users, Family::Events] {
        for number in 0..30 {
            install.put(family, format!("b{number:02}").as_bytes(), b"new").unwrap();
        }
    }
    install
}

fn then() -> Batch {
    let mut then = Batch::default();
    then.put(Family::RaftMeta, "applied", "7");
    then
}

fn assert_new(rocks: &Rocks) {
    for family in [Family::Users, Family::Events] {
        let mut expected = vec![("a".to_owned(), "old".to_owned())];
        expected.extend((0..30).map(|number| (format!("b{number:02}"), "new".to_owned())));
        expected.push(("d".to_owned(), "old".to_owned()));
        assert_eq!(rows(rocks, family), expected);
    }
    let keys: Vec<_> = rows(rocks, Family::Conversations).into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, ["a", "d"], "a range without new content is empty");
    assert_eq!(rocks.get(Family::RaftMeta, b"applied").unwrap(), Some(b"7".to_vec()));
    assert_eq!(rocks.get(Family::Node, crate::key::node::REPLACE).unwrap(), None);
}

#[test]
fn an_install_of_many_files_replaces_the_ranges() {
    let dir = tempfile::tempdir().unwrap();
    let rocks = Rocks::open(dir.path()).unwrap();
    old_content(&rocks);
    Box::new(new_content(&rocks)).commit(then()).unwrap();
    assert_new(&rocks);
    assert_eq!(fs::read_dir(dir.path().join("install")).unwrap().count(), 0, "the files were taken over");
    drop(rocks);
    assert_new(&Rocks::open(dir.path()).unwrap());
}

#[test]
fn an_undecided_install_leaves_no_trace() {
    let dir = tempfile::tempdir().unwrap();
    let rocks = Rocks::open(dir.path()).unwrap();
    old_content(&rocks);
    let install = new_content(&rocks);
    let files = || fs::read_dir(dir.path().join("install")).map_or(0, Iterator::count);
    assert!(files() > 1);
    drop(install);
    assert_eq!(files(), 0);

    // A killed process drops nothing.
    fs::write(dir.path().join("install").join("users-9.sst"), b"half a file").unwrap();
    drop(rocks);
    let rocks = Rocks::open(dir.path()).unwrap();
    assert_eq!(files(), 0);
    assert_eq!(rows(&rocks, Family::Users).len(), 4);
}

/// The process ends after the decision with the files of the first `ingested` families ingested,
/// and the files of one of them still in the folder.
fn cut_after(ingested: usize) {
    let dir = tempfile::tempdir().unwrap();
    let rocks = Rocks::open(dir.path()).unwrap();
    old_content(&rocks);
    let intent = new_content(&rocks).decide(then()).unwrap();
    let mut options = rocksdb::IngestExternalFileOptions::default();
    for (number, family) in Family::OF_SLOTS.into_iter().take(ingested).enumerate() {
        options.set_move_files(number > 0);
        let files = intent.files.iter().filter(|(of, _)| *of == family);
        let paths: Vec<_> = files.map(|(_, name)| dir.path().join("install").join(name)).collect();
        rocks.inner.db.ingest_external_file_cf_opts(rocks.inner.family(family), &options, paths).unwrap();
    }
    drop(rocks);
    for _ in 0..2 {
        assert_new(&Rocks::open(dir.path()).unwrap());
    }
}

#[test]
fn a_decided_install_is_finished_at_the_next_open() {
    for ingested in 0..=Family::OF_SLOTS.len() {
        cut_after(ingested);
    }
}

#[test]
fn intents_round_trip_and_bent_ones_are_refused() {
    let mut then = then();
    then.delete(Family::Users, "gone");
    then.delete_range(Family::RaftLog, "from", "to");
    let files = vec![(Family::Users, "users-1.sst".to_owned()), (Family::Events, "events-2.sst".to_owned())];
    let intent = intent::Intent { files, then };
    let bytes = intent.encode();
    assert_eq!(intent::Intent::decode(&bytes), Some(intent));
    for length in 0..bytes.len() {
        assert_eq!(intent::Intent::decode(&bytes[..length]), None);
    }
    assert_eq!(intent::Intent::decode(&[bytes.as_slice(), &[0]].concat()), None);
}

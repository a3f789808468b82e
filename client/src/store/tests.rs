use std::io::Write;

use troupe_core::{EventKind, GroupId, Timestamp};

use super::*;

const HERE: ConversationId = ConversationId::Everyone;

fn said(seq: u64, text: &str) -> Record {
    let event = Event {
        seq: Seq(seq),
        time: Timestamp(1),
        sender: UserId(5),
        client_message_id: ClientMessageId([seq as u8; 16]),
        kind: EventKind::Message(Body::text(text)),
        seal: None,
    };
    Record::HandedOut { conversation: HERE, event }
}

fn queued(number: u8) -> Queued {
    Queued {
        conversation: ConversationId::Group(GroupId(3)),
        id: ClientMessageId([number; 16]),
        body: Body::text("later"),
    }
}

fn session() -> Session {
    Session { user: UserId(5), name: "Alice".into(), device: "laptop".into(), token: Bytes::from_static(b"secret") }
}

fn records() -> Vec<Record> {
    vec![
        Record::Cluster(Bytes::from_static(b"one")),
        Record::LoggedIn(session()),
        Record::Cursor { conversation: HERE, seq: Seq(3) },
        Record::Queued(queued(1)),
        Record::Queued(queued(2)),
        said(4, "Grüße an Bob"),
        Record::Settled(ClientMessageId([1; 16])),
        Record::History { conversation: HERE, history: 7 },
    ]
}

fn sum() -> Saved {
    Saved {
        cluster: Some(Bytes::from_static(b"one")),
        session: Some(session()),
        outbox: vec![queued(2)],
        cursors: [(HERE, Seq(4))].into(),
        histories: [(HERE, 7)].into(),
    }
}

#[test]
fn both_stores_give_back_what_they_were_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("deep/alice.troupe");
    let stores: [Box<dyn Store>; 2] =
        [Box::new(MemoryStore::new()), Box::new(FileStore::open(&path).expect("it opens"))];
    for mut store in stores {
        assert_eq!(store.load().expect("empty"), Saved::default());
        records().iter().for_each(|record| store.append(record).expect("it is kept"));
        assert_eq!(store.load().expect("sound"), sum());
        assert_eq!(store.search("GRÜSSE", 5).expect("sound").len(), 0);
        assert_eq!(store.search("grüße", 5).expect("sound").len(), 1);
        assert_eq!(store.search("later", 5).expect("sound").len(), 0, "what is not sent was not seen");
    }
    let mut again = FileStore::open(&path).expect("it opens again");
    assert_eq!(again.load().expect("sound"), sum());
}

#[cfg(unix)]
#[test]
fn the_file_is_for_its_owner_only_and_for_one_process() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.troupe");
    let _store = FileStore::open(&path).expect("it opens");
    let mode = std::fs::metadata(&path).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(FileStore::open(&path).expect_err("in use").kind(), io::ErrorKind::ResourceBusy);
}

#[test]
fn a_file_cut_anywhere_keeps_every_whole_record_before_the_cut() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.troupe");
    let mut lengths = vec![0];
    {
        let mut store = FileStore::open(&path).expect("it opens");
        for record in records() {
            store.append(&record).expect("it is kept");
            lengths.push(std::fs::metadata(&path).expect("it is there").len());
        }
    }
    let whole = std::fs::read(&path).expect("readable");
    for cut in 0..whole.len() {
        std::fs::write(&path, &whole[..cut]).expect("writable");
        let mut store = FileStore::open(&path).expect("it opens");
        let kept = lengths.iter().filter(|length| **length <= cut as u64).count() - 1;
        let mut expected = Saved::default();
        records()[..kept].iter().for_each(|record| expected.apply(record));
        assert_eq!(store.load().expect("a torn tail is no damage"), expected);
        store.append(&said(9, "after the crash")).expect("it is kept");
        assert_eq!(store.load().expect("sound").cursors.get(&HERE), Some(&Seq(9)));
    }
}

#[test]
fn damage_in_the_middle_is_reported_and_nothing_is_touched() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.troupe");
    {
        let mut store = FileStore::open(&path).expect("it opens");
        let long = "x".repeat(60_000);
        (1..=8).for_each(|seq| store.append(&said(seq, &long)).expect("it is kept"));
    }
    let mut bytes = std::fs::read(&path).expect("readable");
    bytes[100] ^= 1;
    std::fs::write(&path, &bytes).expect("writable");
    let mut store = FileStore::open(&path).expect("it opens");
    assert_eq!(store.load().expect_err("damaged").kind(), io::ErrorKind::InvalidData);
    assert_eq!(std::fs::read(&path).expect("readable"), bytes);
}

#[test]
fn a_large_file_is_rewritten_and_says_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.troupe");
    let mut store = FileStore::open(&path).expect("it opens");
    records().iter().for_each(|record| store.append(record).expect("it is kept"));
    let body = "y".repeat(60_000);
    for number in 0..200u8 {
        let id = ClientMessageId([100 + number % 100; 16]);
        let body = Body::text(&body);
        store.append(&Record::Queued(Queued { conversation: HERE, id, body })).expect("it is kept");
        store.append(&Record::Settled(id)).expect("it is kept");
    }
    let length = std::fs::metadata(&path).expect("it is there").len();
    assert!(length < 6 * 1024 * 1024, "12 MB were appended, {length} are left");
    assert_eq!(store.load().expect("sound"), sum());
    assert_eq!(store.search("bob", 5).expect("sound").len(), 1);
    drop(store);
    let mut garbage = std::fs::OpenOptions::new().append(true).open(&path).expect("writable");
    garbage.write_all(&[0; 4096]).expect("writable");
    assert_eq!(FileStore::open(&path).expect("it opens").load().expect("zeros are a torn tail"), sum());
}

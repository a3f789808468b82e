//! A bundle that is damaged, foreign or incomplete is refused, with the place and the reason.

use std::fs;
use std::path::Path;

use troupe_core::FileHash;
use troupe_transfer::bundle::{LINE_BYTES, Reader, Writer};
use troupe_transfer::line::{Account, Contact, Content, Conversation, End, Event, FileLine, Line, Profile, Status};

fn account(name: &str) -> Line {
    Line::Account(Account {
        name: name.to_owned(),
        status: Status::Active,
        admin: false,
        created_ms: 5,
        password_hash: String::new(),
        one_time_password: false,
        born_with_cluster: false,
        profile: None,
    })
}

fn shown(name: &str, about: &str) -> Line {
    let Line::Account(account) = account(name) else { panic!("an account") };
    Line::Account(Account { profile: Some(Profile { about: about.to_owned(), ..Profile::default() }), ..account })
}

fn contact(user: &str, other: &str, remark: &str, blocked: bool) -> Line {
    let (user, other, remark) = (user.to_owned(), other.to_owned(), remark.to_owned());
    Line::Contact(Contact { user, other, wants: !remark.is_empty(), remark, blocked, ..Contact::default() })
}

fn said(seq: u64, text: &str) -> Line {
    let (sender, id, what) = ("ann".to_owned(), format!("{seq:032x}"), Content::Text(text.to_owned()));
    Line::Event(Event { seq, time_ms: 7, sender, id, what })
}

fn lines() -> Vec<Line> {
    vec![
        account("ann"),
        shown("bob", "one\ntwo"),
        contact("ann", "bob", "Bobby", false),
        contact("bob", "ann", "", true),
        Line::Conversation(Conversation::Direct("ann".to_owned(), "bob".to_owned())),
        said(1, "psst"),
        said(2, "\u{0}\"\\\u{1f600}"),
        Line::End(End { head: 2 }),
    ]
}

fn written(at: &Path) {
    let mut writer = Writer::create(at, "a test", "a test", 3).expect("an empty folder");
    lines().iter().for_each(|line| writer.write(line).expect("written"));
    let manifest = writer.finish(4).expect("finished");
    assert_eq!((manifest.accounts, manifest.conversations, manifest.events), (2, 1, 2));
    assert_eq!(manifest.contacts, 2);
}

fn read(at: &Path) -> Result<Vec<Line>, String> {
    let mut reader = Reader::open(at).map_err(|error| error.to_string())?;
    reader.verify().map_err(|error| error.to_string())?;
    let mut lines = Vec::new();
    while let Some(line) = reader.next_line().map_err(|error| error.to_string())? {
        lines.push(line);
    }
    Ok(lines)
}

#[test]
fn lines_come_back_as_they_were() {
    let folder = tempfile::tempdir().expect("a folder");
    written(folder.path());
    assert_eq!(read(folder.path()), Ok(lines()));
    let again = Writer::create(folder.path(), "a test", "a test", 3).map(drop);
    assert!(again.expect_err("it is not empty").to_string().contains("directory of its own"));
}

/// Its name, the file, the change, and a part of the error.
type Damage = (&'static str, &'static str, fn(&str) -> String, &'static str);

#[test]
fn damage_is_noticed() {
    let part = "conversations-00001.jsonl";
    let damages: [Damage; 11] = [
        ("another text", part, |text| text.replace("psst", "pst!"), "not the one of the manifest"),
        ("a line less", part, |text| text.lines().skip(1).map(|line| format!("{line}\n")).collect(), "manifest"),
        ("cut off", part, |text| text[..text.len() / 2].to_owned(), "conversations-00001.jsonl"),
        ("an unknown field", part, |text| text.replace("\"seq\"", "\"place\":1,\"seq\""), "unknown field"),
        ("an unknown line", part, |text| text.replace("{\"end\"", "{\"fin\""), "unknown variant"),
        ("a long line", part, |_| "x".repeat(LINE_BYTES + 1), "at most"),
        (
            "a later version",
            "manifest.json",
            |text| text.replace("\"version\": 2", "\"version\": 3"),
            "up to version 2",
        ),
        ("other counts", "manifest.json", |text| text.replace("\"events\": 2", "\"events\": 3"), "counts"),
        ("other contacts", "manifest.json", |text| text.replace("\"contacts\": 2", "\"contacts\": 1"), "counts"),
        ("a part of a contact", "accounts.jsonl", |text| text.replace("\"wants\"", "\"wishes\""), "unknown field"),
        ("a path", "manifest.json", |text| text.replace("accounts.jsonl", "../accounts.jsonl"), "no name of a part"),
    ];
    for (what, file, damage, says) in damages {
        let folder = tempfile::tempdir().expect("a folder");
        written(folder.path());
        let path = folder.path().join(file);
        let text = fs::read_to_string(&path).expect("readable");
        let damaged = damage(&text);
        assert_ne!(damaged, text, "{what} changes nothing");
        fs::write(&path, damaged).expect("writable");
        let error = read(folder.path()).expect_err(what);
        assert!(error.contains(says), "{what}: {error}");
    }
}

#[test]
fn a_line_has_what_a_user_has_set_and_no_more() {
    let text = |line: &Line| serde_json::to_string(line).expect("a line is JSON");
    let bob = r#"{"contact":{"user":"bob","other":"ann","blocked":true}}"#;
    assert_eq!(text(&contact("bob", "ann", "", true)), bob);
    let ann = r#"{"contact":{"user":"ann","other":"bob","wants":true,"remark":"Bobby"}}"#;
    assert_eq!(text(&contact("ann", "bob", "Bobby", false)), ann);
    assert!(text(&shown("bob", "here")).ends_with(r#""profile":{"about":"here"}}}"#));
    assert!(!text(&account("bob")).contains("profile"));
}

#[test]
fn a_bundle_without_its_manifest_was_never_finished() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut writer = Writer::create(folder.path(), "a test", "a test", 3).expect("an empty folder");
    writer.write(&account("ann")).expect("written");
    drop(writer);
    let error = read(folder.path()).expect_err("it is not finished");
    assert!(error.contains("never finished"), "{error}");
}

#[test]
fn files_are_beside_the_lines_each_once_and_verified() {
    let folder = tempfile::tempdir().expect("a folder");
    let bytes: Vec<u8> = (0..200_000_u32).map(|at| at as u8).collect();
    let hash = FileHash::of_file(&bytes).expect("it has bytes");
    let mut writer = Writer::create(folder.path(), "a test", "a test", 3).expect("an empty folder");
    let mut blob = writer.blob(hash).expect("a place").expect("it is new");
    bytes.chunks(70_001).for_each(|part| blob.write(part).expect("written"));
    blob.finish().expect("it is this file");
    assert!(writer.blob(hash).expect("no error").is_none(), "it is here already");
    let (name, media_type, size) = ("a.bin".to_owned(), String::new(), bytes.len() as u64);
    let file = Line::File(FileLine { hash: hash.to_string(), name, media_type, size, by: "ann".to_owned() });
    let mut all = lines();
    all.insert(5, file);
    all.iter().for_each(|line| writer.write(line).expect("written"));
    assert_eq!(writer.finish(4).expect("finished").files, 1);
    assert_eq!(read(folder.path()), Ok(all));
    let reader = Reader::open(folder.path()).expect("a bundle");
    let mut chunks = reader.file(hash).expect("the file");
    assert_eq!(chunks.from(65_536 + 7).expect("readable"), bytes[65_543..131_072]);
    assert!(chunks.from(size).expect("readable").is_empty());
    // Other bytes under the same name.
    fs::write(folder.path().join("files").join(hash.to_string()), &bytes[1..]).expect("writable");
    assert!(read(folder.path()).expect_err("it is damaged").contains("not those of this file"));
    let mut blob = Writer::create(&folder.path().join("other"), "a test", "a test", 3)
        .and_then(|mut writer| writer.blob(hash))
        .expect("a place")
        .expect("it is new");
    blob.write(b"other").expect("written");
    assert!(blob.finish().expect_err("it is another file").to_string().contains("not those of this file"));
}

//! Files of other systems, of our own making and in their formats: what is taken, what is dropped,
//! and that no file can do harm.

mod files;

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use troupe_transfer::bundle::Reader;
use troupe_transfer::convert::{Origin, convert};
use troupe_transfer::line::{Content, Conversation, Line, RoleWord, Status};
use troupe_transfer::report::Report;

const NOW: u64 = 1_800_000_000_000;

/// The lines of the bundle, and the report.
fn converted(origin: Origin, inputs: &[&Path]) -> Result<(Vec<Line>, Report), String> {
    let folder = tempfile::tempdir().expect("a folder");
    let into = folder.path().join("bundle");
    let (_, report) = convert(origin, inputs, &into, NOW).map_err(|error| error.to_string())?;
    let mut reader = Reader::open(&into).expect("a bundle");
    reader.verify().expect("a good bundle");
    let mut lines = Vec::new();
    while let Some(line) = reader.next_line().expect("a good bundle") {
        lines.push(line);
    }
    Ok((lines, report))
}

fn names(lines: &[Line]) -> Vec<&str> {
    let names = lines.iter().filter_map(|line| match line {
        Line::Account(account) => Some(account.name.as_str()),
        _ => None,
    });
    names.collect()
}

/// The events behind the beginning of this conversation, as short texts.
fn log(lines: &[Line], begins: impl Fn(&Conversation) -> bool) -> Vec<String> {
    let begin = lines.iter().position(|line| matches!(line, Line::Conversation(it) if begins(it)));
    let rest = &lines[begin.expect("the conversation is there") + 1..];
    let ours = rest.iter().take_while(|line| !matches!(line, Line::Conversation(_)));
    let shown = ours.filter_map(|line| match line {
        Line::Event(event) => Some(match &event.what {
            Content::Text(text) => format!("{} {}: {text}", event.time_ms, event.sender),
            Content::Body { kind, .. } => format!("{} {}: kind {kind}", event.time_ms, event.sender),
            Content::Created { name } => format!("{} {} created {name}", event.time_ms, event.sender),
            Content::Added { users } => format!("{} added {}", event.sender, users.join(" ")),
            Content::Removed { user } => format!("{} removed {user}", event.sender),
            Content::Role { user, role } => format!("{} made {user} {role:?}", event.sender),
            other => format!("{other:?}"),
        }),
        Line::Member(member) => Some(format!("{} is {:?}", member.user, member.role)),
        Line::Position(position) => Some(format!("{} at {}/{}", position.user, position.delivered, position.read)),
        Line::End(end) => Some(format!("head {}", end.head)),
        _ => None,
    });
    shown.collect()
}

fn dropped(report: &Report, word: &str) -> u64 {
    report.dropped.iter().filter(|(why, _)| why.contains(word)).map(|(_, group)| group.count).sum()
}

fn is_group(name: &'static str, lines: &[Line]) -> impl Fn(&Conversation) -> bool {
    // A group is known by the event behind it.
    let keys: Vec<Conversation> = lines
        .windows(2)
        .filter_map(|pair| match pair {
            [Line::Conversation(it), Line::Event(event)]
                if matches!(&event.what, Content::Created { name: title } if title == name) =>
            {
                Some(it.clone())
            }
            _ => None,
        })
        .collect();
    move |it| keys.contains(it)
}

#[test]
fn tinode_data_gives_users_and_groups() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = files::tinode(folder.path());
    let as_of = fs::metadata(&path).and_then(|found| found.modified()).expect("a time");
    let as_of = as_of.duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_millis() as u64;
    let (lines, report) = converted(Origin::Tinode, &[&path]).expect("converted");
    assert_eq!(names(&lines), ["alice", "bob", "carol", "dave", "root-user"]);
    let status = |name: &str| {
        lines.iter().find_map(|line| match line {
            Line::Account(account) if account.name == name => Some((account.status, account.created_ms, account.admin)),
            _ => None,
        })
    };
    let hour = 3_600_000;
    assert_eq!(status("alice"), Some((Status::Active, as_of - 140 * hour, false)));
    assert_eq!(status("carol").map(|it| it.0), Some(Status::Disabled));
    assert_eq!(status("dave").map(|it| it.0), Some(Status::Deleted));
    assert_eq!(status("root-user").map(|it| it.2), Some(false), "a root user is no administrator");
    let flowers = log(&lines, is_group("Let's talk about flowers", &lines));
    assert_eq!(
        flowers,
        [
            format!("{} alice created Let's talk about flowers", as_of - 128 * hour),
            "alice added bob".to_owned(),
            "alice made bob Admin".to_owned(),
            "alice added carol".to_owned(),
            "alice is Owner".to_owned(),
            "bob is Admin".to_owned(),
            "carol is Member".to_owned(),
            "head 4".to_owned(),
        ]
    );
    let is_open = |title: &'static str| {
        let begins = is_group(title, &lines);
        lines.iter().find_map(|line| match line {
            Line::Conversation(it @ Conversation::Group { open, .. }) if begins(it) => Some(*open),
            _ => None,
        })
    };
    assert_eq!((is_open("Let's talk about flowers"), is_open("*closed")), (Some(true), Some(false)));
    assert_eq!(dropped(&report, "texts that belong"), 2);
    assert_eq!(dropped(&report, "two users"), 1);
    assert_eq!(dropped(&report, "plain text"), 5);
    assert_eq!(dropped(&report, "do not want"), 1);
    assert_eq!(dropped(&report, "not in the file"), 1);
}

#[test]
fn a_wkdb_bundle_gives_users_groups_and_messages() {
    let folder = tempfile::tempdir().expect("a folder");
    files::wukongim(folder.path());
    let (lines, report) = converted(Origin::WuKongIm, &[folder.path()]).expect("converted");
    assert_eq!(names(&lines)[..4], ["guest", "u1", "u2", "u3"]);
    assert!(names(&lines)[4].starts_with("user-"), "an id that is no name here");
    let direct = Conversation::Direct("u1".to_owned(), "u2".to_owned());
    assert_eq!(
        log(&lines, |it| *it == direct),
        ["1000 u1: hi", "2000 u2: plain words", "2000 u1: kind 1000", "u1 at 3/3", "u2 at 1/1", "head 3"]
    );
    assert_eq!(
        log(&lines, is_group("g1", &lines)),
        [
            "5000 u2 created g1",
            "u2 added u1 u3",
            "5000 u2: first",
            "u2 added guest",
            "6000 guest: I am passing",
            "guest removed guest",
            "u1 is Member",
            "u2 is Owner",
            "u3 is Member",
            "u1 at 3/3",
            "head 6",
        ]
    );
    assert_eq!(log(&lines, is_group("quiet", &lines)).last().map(String::as_str), Some("head 2"));
    assert_eq!(dropped(&report, "disbanded"), 2, "the channel and its message");
    assert_eq!(dropped(&report, "commands"), 1);
    assert_eq!(dropped(&report, "type 7"), 1);
    assert_eq!(dropped(&report, "tokens"), 1);
    assert_eq!(dropped(&report, "without content"), 1);
}

#[test]
fn a_wkdb_bundle_that_was_changed_is_refused() {
    for (file, from, to, says) in [
        ("meta/users.jsonl", "u1", "u9", "not the one of the manifest"),
        ("manifest.json", "\"version\":1", "\"version\":2", "version 2"),
        ("manifest.json", "meta/users.jsonl", "../users.jsonl", "no path within it"),
        ("message/messages-000001.jsonl", "{\"channel_key\"", "[{\"channel_key\"", "messages-000001.jsonl:1"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        files::wukongim(folder.path());
        let path = folder.path().join(file);
        let text = fs::read_to_string(&path).expect("readable");
        fs::write(&path, text.replacen(from, to, 1)).expect("writable");
        let error = converted(Origin::WuKongIm, &[folder.path()]).expect_err(file);
        assert!(error.contains(says), "{file}: {error}");
    }
}

#[test]
fn dumps_of_cim_give_accounts_and_waiting_messages() {
    let folder = tempfile::tempdir().expect("a folder");
    let (redis, mysql) = (folder.path().join("dump.rdb"), folder.path().join("cim.sql"));
    fs::write(&redis, files::rdb()).expect("written");
    fs::write(&mysql, files::MYSQL).expect("written");
    let (lines, report) = converted(Origin::Cim, &[&redis, &mysql]).expect("converted");
    assert_eq!(names(&lines), ["alice", "bob", "carol"]);
    let marks = lines.iter().filter(|line| matches!(line, Line::Account(it) if it.password_hash == "!none"));
    assert_eq!(marks.count(), 3, "CIM's clients have no passwords");
    let of = |a: &str, b: &str| Conversation::Direct(a.to_owned(), b.to_owned());
    let first = files::sent_ms(1);
    assert_eq!(
        log(&lines, |it| *it == of("alice", "bob")),
        [
            format!("{first} alice: are you there?"),
            format!("{} alice: a compressed text: {}", files::sent_ms(2), "a".repeat(200)),
            format!("{} bob: it's \"me\"\nand a \\", files::sent_ms(4)),
            "alice at 3/0".to_owned(),
            "head 3".to_owned(),
        ]
    );
    assert_eq!(
        log(&lines, |it| *it == of("bob", "carol")),
        [format!("{} carol: from the table", files::sent_ms(3)), "bob at 1/0".to_owned(), "head 1".to_owned(),]
    );
    assert_eq!(dropped(&report, "states of connections"), 2);
    assert_eq!(dropped(&report, "keys that are not"), 2);
    assert_eq!(dropped(&report, "without another user"), 1);
    assert_eq!(dropped(&report, "tables that are not of CIM"), 1);
}

#[test]
fn a_repeat_gives_the_same_bundle() {
    let folder = tempfile::tempdir().expect("a folder");
    let wkdb = folder.path().join("wkdb");
    files::wukongim(&wkdb);
    let tinode = files::tinode(folder.path());
    let redis = folder.path().join("dump.rdb");
    fs::write(&redis, files::rdb()).expect("written");
    for (origin, path) in [(Origin::WuKongIm, &wkdb), (Origin::Tinode, &tinode), (Origin::Cim, &redis)] {
        let convert = || converted(origin, &[path.as_path()]).expect("converted");
        assert_eq!(convert(), convert());
    }
}

#[test]
fn a_group_keeps_an_owner() {
    let folder = tempfile::tempdir().expect("a folder");
    files::wukongim(folder.path());
    let (lines, _) = converted(Origin::WuKongIm, &[folder.path()]).expect("converted");
    let owners = lines.iter().filter(|line| matches!(line, Line::Member(it) if it.role == RoleWord::Owner)).count();
    let groups = lines.iter().filter(|line| matches!(line, Line::Conversation(it) if it.is_group())).count();
    assert_eq!((groups, owners), (2, 2));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Bytes that were changed, cut or made up give an error or a bundle, and nothing else.
    #[test]
    fn damaged_files_do_no_harm(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        which in 0..3,
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        let (origin, mut bytes) = match which {
            0 => (Origin::Cim, files::rdb()),
            1 => (Origin::Cim, files::MYSQL.as_bytes().to_vec()),
            _ => (Origin::Tinode, files::TINODE.as_bytes().to_vec()),
        };
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if cut.index(4) == 0 {
            bytes.truncate(cut.index(bytes.len()));
        }
        fs::write(&path, bytes).expect("written");
        drop(converted(origin, &[&path]));
    }

    #[test]
    fn files_that_are_no_dumps_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..400), as_rdb in any::<bool>()) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        let head: &[u8] = if as_rdb { b"REDIS0011" } else { b"INSERT INTO `offline_msg` VALUES (" };
        fs::write(&path, [head, &bytes].concat()).expect("written");
        drop(converted(Origin::Cim, &[&path]));
    }
}

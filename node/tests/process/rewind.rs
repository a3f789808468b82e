//! The restore drill: what was acknowledged before a time comes back in another cluster, and
//! nothing later does.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tokio::time::sleep;
use troupe_runtime::Platform;

use crate::backup::history;
use crate::server::{LOOK, Server, within};
use crate::stand_in::{self, StandIn};

const MESSAGES: usize = 40;

/// Runs a verb with a path last.
async fn asks(server: &Server, words: &[&str], last: &Path) -> (bool, String) {
    let words: Vec<&OsStr> = words.iter().map(OsStr::new).chain([last.as_os_str()]).collect();
    server.asks(&words).await
}

/// One pass of an archive, as its result.
async fn archives(server: &Server, backup: &Path) -> Value {
    let (done, said) = asks(server, &["backup", "archive", "-o", "json"], backup).await;
    assert!(done, "{said}");
    serde_json::from_str(&said).expect("one line of JSON")
}

async fn rewinds(server: &Server, backup: &Path, to: u64, into: &Path) -> (bool, String) {
    let (to, into) = (to.to_string(), into.to_str().expect("a path"));
    asks(server, &["backup", "rewind", "-o", "json", "--to", &to, "--into", into], backup).await
}

/// The present time; every later entry has a later one.
async fn time_between() -> u64 {
    let clock = Platform::production().clock;
    let time = clock.now().0;
    let passed = async {
        while clock.now().0 <= time {
            sleep(LOOK).await;
        }
    };
    within(passed).await;
    time
}

/// The folders of shards with at least two segments, and these in order.
fn with_segments(backup: &Path) -> Vec<Vec<PathBuf>> {
    let files = |folder: &Path| {
        let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
        entries.collect::<Vec<PathBuf>>()
    };
    let mut found = Vec::new();
    for folder in files(&backup.join("archive")).into_iter().filter(|path| path.is_dir()) {
        let mut segments = files(&folder);
        segments.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
        segments.sort();
        if segments.len() >= 2 {
            found.push(segments);
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rewind_brings_back_what_was_acknowledged_before_a_time_and_nothing_later() {
    let folder = tempfile::tempdir().expect("a folder");
    let (backup, rewound) = (folder.path().join("backup"), folder.path().join("rewound"));
    let first = Server::started(3).await;
    let alice = first.person("alice").await.deaf();
    let bob = first.person("bob").await.deaf();
    let old = alice.new_group("plans", &[bob.user]).await;
    let mut number = 0;
    let mut texts = || {
        number += MESSAGES;
        (number - MESSAGES..number).map(|number| format!("message {number}")).collect::<Vec<String>>()
    };
    let (saved, archived, more, late) = (texts(), texts(), texts(), texts());
    for text in &saved {
        alice.says(&old, text).await;
    }
    let before_all = Platform::production().clock.now().0;
    let (done, said) = asks(&first, &["backup"], &backup).await;
    assert!(done, "{said}");

    // A group, and an account, that the backup lacks.
    let new = alice.new_group("later plans", &[bob.user]).await;
    let carol = first.person("carol").await.deaf();
    for text in &archived {
        bob.says(&old, text).await;
        alice.says(&new, text).await;
    }
    let pass = archives(&first, &backup).await;
    assert!(pass["entries"].as_u64().expect("a number") > MESSAGES as u64, "{pass}");
    for text in &more {
        bob.says(&old, text).await;
        alice.says(&new, text).await;
    }
    let time = time_between().await;
    let (done, said) = rewinds(&first, &backup, time, &rewound).await;
    assert!(!done && said.contains("after the end of the archive"), "{said}");
    for text in &late {
        bob.says(&old, text).await;
        alice.says(&new, text).await;
        carol.says("everyone", text).await;
    }
    let pass = archives(&first, &backup).await;
    assert!(pass["until_ms"].as_u64().expect("a number") > time, "{pass}");
    assert!(!with_segments(&backup).is_empty(), "each pass adds segments");

    let (done, said) = rewinds(&first, &backup, before_all - 1, &rewound).await;
    assert!(!done && said.contains("before the end of this backup"), "{said}");
    let (done, said) = rewinds(&first, &backup, time, &rewound).await;
    assert!(done, "{said}");
    let made: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(made["to_ms"], time, "{said}");
    assert!(made["entries"].as_u64().expect("a number") > 2 * MESSAGES as u64, "{said}");
    let (done, said) = asks(&first, &["backup", "verify"], &rewound).await;
    assert!(done && said.contains("as saved"), "{said}");

    let second = {
        let mut second = Server::planned_with(1, &[("cluster.shards", "5")]);
        second.start().await;
        second
    };
    let (done, said) = asks(&second, &["restore"], &rewound).await;
    assert!(done && said.contains("as saved"), "{said}");
    let of_old: Vec<String> = saved.iter().chain(&archived).chain(&more).cloned().collect();
    let of_new: Vec<String> = archived.iter().chain(&more).cloned().collect();
    assert_eq!(history(&second, &old).await.0, of_old);
    assert_eq!(history(&second, &new).await.0, of_new);
    assert_eq!(history(&second, "everyone").await.0, Vec::<String>::new());
    // Carol registered before the time, and the restored cluster takes messages again.
    let carol = crate::person::Person::again(&second.addresses().client, "carol").await.deaf();
    carol.says("everyone", "after the restore").await;
    assert_eq!(history(&second, "everyone").await.0, ["after the restore"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_archive_and_one_with_a_gap_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let (backup, rewound) = (folder.path().join("backup"), folder.path().join("rewound"));
    let server = Server::started(1).await;
    let alice = server.person("alice").await.deaf();
    let (done, said) = asks(&server, &["backup"], &backup).await;
    assert!(done, "{said}");
    let (done, said) = rewinds(&server, &backup, 5, &rewound).await;
    assert!(!done && said.contains("no archive here"), "{said}");
    let mut until = 0;
    for number in 0..3 {
        alice.says("everyone", &format!("message {number}")).await;
        until = archives(&server, &backup).await["until_ms"].as_u64().expect("a number");
    }
    let segments = with_segments(&backup).into_iter().max_by_key(Vec::len).expect("of the channel");
    assert_eq!(segments.len(), 3, "{segments:?}");
    let refused = async |what: &str| {
        let (done, said) = rewinds(&server, &backup, until, &rewound).await;
        assert!(!done && said.contains(what), "{said}");
        assert!(!rewound.exists(), "nothing incomplete stays");
    };
    let whole = std::fs::read(&segments[1]).expect("a file");
    let mut bent = whole.clone();
    bent[whole.len() / 2] ^= 1;
    std::fs::write(&segments[1], bent).expect("written");
    refused("is damaged").await;
    std::fs::write(&segments[1], &whole[..whole.len() - 1]).expect("written");
    refused("is damaged").await;
    std::fs::write(&segments[1], &whole).expect("written");
    for missing in &segments {
        let whole = std::fs::read(missing).expect("a file");
        std::fs::remove_file(missing).expect("removed");
        refused("has a gap").await;
        std::fs::write(missing, whole).expect("written");
    }
    let (done, said) = rewinds(&server, &backup, until, &rewound).await;
    assert!(done, "{said}");

    let other = Server::started(1).await;
    let (done, said) = asks(&other, &["backup", "archive"], &backup).await;
    assert!(!done && said.contains("take a backup of this one"), "{said}");
}

/// Backups that are kept in a bucket, and their archives: each time is within one of them.
#[tokio::test(flavor = "multi_thread")]
async fn an_archive_of_kept_backups_in_a_bucket_has_no_time_between_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let keys = folder.path().join("keys");
    let (key, secret) = (stand_in::signature::KEY, stand_in::signature::SECRET);
    std::fs::write(&keys, format!("aws_access_key_id = {key}\naws_secret_access_key = {secret}\n")).expect("written");
    let store = StandIn::start().await;
    let endpoint = format!("http://{}", store.address);
    let with = async |server: &Server, words: &[&str]| {
        let common = ["--s3-endpoint", endpoint.as_str(), "--s3-credentials", keys.to_str().expect("a path")];
        let words: Vec<&OsStr> = words.iter().chain(&common).map(OsStr::new).collect();
        server.asks(&words).await
    };
    // A line of JSON for each backup that is continued.
    let passes = async |server: &Server| {
        let (done, said) = with(server, &["backup", "archive", "s3://backups/chat", "-o", "json"]).await;
        assert!(done, "{said}");
        said.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect::<Vec<Value>>()
    };
    let first = Server::started(1).await;
    let alice = first.person("alice").await.deaf();
    let keep = ["backup", "keep", "s3://backups/chat", "--last", "2", "-o", "json"];
    let mut backups = Vec::new();
    let mut times = Vec::new();
    for number in 0..2 {
        let (done, said) = with(&first, &keep).await;
        assert!(done, "{said}");
        let round: Value = serde_json::from_str(&said).expect("one line of JSON");
        backups.push(round["backup"]["path"].as_str().expect("a path").to_owned());
        assert_eq!(passes(&first).await.len(), 1 + number, "the one before is continued to the begin of the newest");
        alice.says("everyone", &format!("message {number}")).await;
        times.push(time_between().await);
        alice.says("everyone", &format!("later than {number}")).await;
    }
    let passed = passes(&first).await;
    assert_eq!(passed.len(), 1, "only the newest: {passed:?}");
    assert_eq!(passed[0]["path"], backups[1].as_str());

    for (number, (backup, time)) in backups.iter().zip(&times).enumerate() {
        let into = folder.path().join(number.to_string());
        let (time, into) = (time.to_string(), into.to_str().expect("a path").to_owned());
        let (done, said) = with(&first, &["backup", "rewind", "--to", &time, "--into", &into, backup]).await;
        assert!(done, "{said}");
        let second = Server::started(1).await;
        let (done, said) = asks(&second, &["restore"], Path::new(&into)).await;
        assert!(done, "{said}");
        let expected: &[&str] = &["message 0", "later than 0", "message 1"][..1 + 2 * number];
        assert_eq!(history(&second, "everyone").await.0, expected);
    }
}

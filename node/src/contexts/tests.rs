use std::os::unix::fs::PermissionsExt;

use clap::{CommandFactory, FromArgMatches};

use super::*;
use crate::cli::{Cli, ClusterVerb, Verb};

fn add(name: &str, http: &str) -> Add {
    Add {
        name: name.to_owned(),
        http: Some(http.to_owned()),
        server: None,
        cluster: Some("a:7800".to_owned()),
        token_file: Some(PathBuf::from("/etc/token")),
        fingerprint: None,
        ca: None,
    }
}

fn made() -> Contexts {
    let mut contexts = Contexts::default();
    contexts.add(&add("home", "a:7780")).expect("added");
    contexts.add(&add("work", "b:7780")).expect("added");
    contexts
}

#[test]
fn the_first_context_is_used_until_another_one_is() {
    let mut contexts = made();
    assert_eq!(contexts.values(None).expect("one")["TROUPE_HTTP"], "a:7780");
    assert_eq!(contexts.values(Some("work")).expect("one")["TROUPE_HTTP"], "b:7780");
    contexts.use_one("work").expect("known");
    assert_eq!(contexts.values(None).expect("one")["TROUPE_HTTP"], "b:7780");
    assert!(contexts.table().contains("* work") && contexts.json()[1]["current"] == true, "{}", contexts.table());
    contexts.remove("work").expect("known");
    assert_eq!(contexts.values(None).expect("none"), Values::new());
    for wrong in [contexts.use_one("work"), contexts.remove("work"), contexts.values(Some("work")).map(drop)] {
        assert!(wrong.expect_err("gone").to_string().contains("troupe context list"));
    }
}

#[test]
fn the_file_is_its_owners_and_comes_back_as_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("troupe/contexts.toml");
    assert_eq!(read(&file).expect("none yet"), Contexts::default());
    for contexts in [made(), Contexts::default(), made()] {
        write(&file, &contexts).expect("written");
        assert_eq!(read(&file).expect("read"), contexts);
    }
    let mode = |path: &Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!((mode(&file), mode(file.parent().expect("a folder"))), (0o600, 0o700));
    std::fs::write(&file, "curent = \"home\"").expect("written");
    assert!(format!("{:#}", read(&file).expect_err("wrong")).contains("contexts.toml"));
}

fn asked_http(values: &Values, words: &[&str]) -> String {
    let command = filled(Cli::command(), values);
    let matches = command.try_get_matches_from(words).expect("a command");
    match Cli::from_arg_matches(&matches).expect("a command").verb {
        Verb::Cluster(ClusterVerb::Status { http, .. }) => http,
        _ => panic!("another verb"),
    }
}

#[test]
fn a_context_fills_in_what_the_command_line_leaves_out() {
    let values = made().values(None).expect("one");
    assert_eq!(asked_http(&values, &["troupe", "cluster", "status"]), "a:7780");
    assert_eq!(asked_http(&values, &["troupe", "cluster", "status", "--http", "c:1"]), "c:1");
    assert_eq!(asked_http(&Values::new(), &["troupe", "cluster", "status"]), "127.0.0.1:7780");
}

#[test]
fn what_says_the_same_in_another_way_wins() {
    let values = made().values(None).expect("one");
    let left = |set: &[&str], typed: &[&str]| {
        let set = set.iter().map(|name| (*name).to_owned()).collect();
        let typed: Vec<String> = typed.iter().map(|word| (*word).to_owned()).collect();
        without_rivals(values.clone(), &set, &typed).contains_key("TROUPE_CLUSTER_TOKEN_FILE")
    };
    assert!(left(&[], &["troupe", "backup", "--token-file", "x"]));
    assert!(!left(&["TROUPE_CLUSTER_TOKEN"], &[]));
    assert!(!left(&[], &["--token", "x"]) && !left(&[], &["--token=x"]));
}

#[test]
fn each_held_variable_is_read_by_a_command() {
    let known = crate::cli::variables();
    for (variable, _) in HELD {
        assert!(known.contains(*variable), "{variable}");
    }
}

use std::path::PathBuf;

use serde_json::json;

use super::*;
use crate::catalogue;

/// A finding in short: its level and its code.
fn short(finding: &Finding) -> (Level, Option<&'static str>) {
    if let Some(code) = finding.code {
        assert!(!catalogue::remedy(code).is_empty(), "{code} has no entry");
    }
    assert_eq!(finding.code.is_none(), finding.level == Level::Ok, "{finding:?}");
    (finding.level, finding.code)
}

fn codes(findings: &[Finding]) -> Vec<&'static str> {
    findings.iter().map(short).filter_map(|(_, code)| code).collect()
}

#[test]
fn descriptors_have_two_bounds() {
    assert_eq!(short(&descriptors(100, 10)), (Level::Fail, Some("descriptors_too_few")));
    assert_eq!(short(&descriptors(1_024, 65_536)), (Level::Warn, Some("descriptors_few")));
    assert_eq!(short(&descriptors(1_048_576, 65_536)), (Level::Ok, None));
    // Without a configuration there is nothing to compare with.
    assert_eq!(short(&descriptors(1_024, 0)), (Level::Ok, None));
}

fn a_folder() -> Folder {
    let path = PathBuf::from("/data");
    Folder { path, exists: true, writable: true, owner: 7, user: 7, mode: 0o40700, set_aside: 0 }
}

#[test]
fn a_folder_is_private_and_its_users_own() {
    assert_eq!(codes(&folder(&a_folder())), [""; 0]);
    assert_eq!(codes(&folder(&Folder { exists: false, mode: 0, ..a_folder() })), [""; 0]);
    assert_eq!(codes(&folder(&Folder { exists: false, writable: false, ..a_folder() })), ["folder_not_writable"]);
    let wrong = Folder { writable: false, owner: 0, mode: 0o40755, set_aside: 2, ..a_folder() };
    assert_eq!(codes(&folder(&wrong)), ["folder_not_writable", "folder_foreign", "folder_open", "data_set_aside"]);
}

#[test]
fn a_disk_has_room_and_is_fast() {
    let a_disk = |free: u64, medium, ms: u64| Disk {
        free: free * MIB,
        total: 10_000 * MIB,
        medium,
        sync: Some(Duration::from_millis(ms)),
    };
    let found = |disk: Disk| super::disk(&disk, 1_000 * MIB).iter().map(short).collect::<Vec<_>>();
    let fine = (Level::Ok, None);
    assert_eq!(found(a_disk(5_000, Medium::Disk, 1)), [fine, fine]);
    assert_eq!(
        found(a_disk(1_500, Medium::Disk, 30)),
        [(Level::Warn, Some("disk_fills")), (Level::Warn, Some("disk_slow"))]
    );
    assert_eq!(
        found(a_disk(900, Medium::Network, 300)),
        [(Level::Fail, Some("disk_full")), (Level::Warn, Some("data_over_network")), (Level::Fail, Some("disk_slow"))]
    );
    assert_eq!(
        found(Disk { sync: None, ..a_disk(5_000, Medium::Memory, 0) }),
        [fine, (Level::Warn, Some("data_in_memory"))]
    );
}

#[test]
fn a_port_is_free_or_ours() {
    let of =
        |bound: Bound, runs: bool| short(&port(&Port { key: "client.listen", address: "a:1".to_owned(), bound }, runs));
    assert_eq!(of(Bound::Free, false), (Level::Ok, None));
    assert_eq!(of(Bound::InUse, true), (Level::Ok, None));
    assert_eq!(of(Bound::InUse, false), (Level::Fail, Some("port_in_use")));
    assert_eq!(of(Bound::Forbidden, false), (Level::Fail, Some("port_forbidden")));
    assert_eq!(of(Bound::Elsewhere("no such address".to_owned()), true), (Level::Fail, Some("port_elsewhere")));
}

#[test]
fn a_certificate_has_a_beginning_and_an_end() {
    let day = 24 * 3600;
    let of = |validity| short(&certificate("cert.pem", validity));
    assert_eq!(of(Validity::EndsIn(90 * day)), (Level::Ok, None));
    assert_eq!(of(Validity::EndsIn(day)), (Level::Warn, Some("certificate_ends")));
    for over in [Validity::EndsIn(-day), Validity::NotYet, Validity::Unreadable] {
        assert_eq!(of(over), (Level::Fail, Some("certificate_expired")));
    }
}

#[test]
fn a_peer_with_another_secret_is_a_fault_and_one_that_is_away_is_not() {
    let of = |reached| short(&peer(&Peer { address: "b:7800".to_owned(), reached }));
    assert_eq!(of(Reached::Yes), (Level::Ok, None));
    let away = [Reached::Down, Reached::Silent("late".to_owned()), Reached::NotReady];
    for reached in away {
        assert_eq!(of(reached).0, Level::Warn);
    }
    let why = || "no".to_owned();
    let wrong = [Reached::NoName(why()), Reached::OtherToken, Reached::OtherTls, Reached::OtherProgram];
    for reached in wrong.into_iter().chain([Reached::Refuses(why())]) {
        assert_eq!(of(reached).0, Level::Fail);
    }
}

fn node(id: u64, clock_ms: Option<i64>, version: &str) -> Node {
    Node { id, address: "b:7780".to_owned(), answers: true, clock_ms, version: Some(version.to_owned()) }
}

fn own(skew: i64) -> Own {
    Own {
        address: "a:7780".to_owned(),
        ready: skew == 0,
        reasons: vec!["shard 3 has no leader".to_owned()],
        cluster: json!({ "clock_skew_ms": { "2": skew } }),
        upgrade: json!(null),
    }
}

#[test]
fn clocks_are_compared_as_exactly_as_they_are_known() {
    assert_eq!(short(&clocks(None, &[])), (Level::Ok, None));
    assert_eq!(short(&clocks(Some(&own(-1_900)), &[node(2, Some(3_000), "1")])), (Level::Ok, None));
    assert_eq!(short(&clocks(Some(&own(2_100)), &[])), (Level::Warn, Some("clock_differs")));
    let found = clocks(None, &[node(2, Some(4_000), "1"), node(3, Some(-9_000), "1")]);
    assert!(found.found.contains("node 3") && found.found.contains("-9.0 s"), "{}", found.found);
}

#[test]
fn versions_are_those_of_this_program() {
    assert_eq!(short(&versions(&[node(1, None, "1.0")], "1.0")), (Level::Ok, None));
    let found = versions(&[node(1, None, "1.0"), node(2, None, "1.1")], "1.0");
    assert_eq!(short(&found), (Level::Warn, Some("versions_differ")));
    assert!(found.found.contains("node 2 has 1.1"), "{}", found.found);
}

#[test]
fn all_facts_become_findings() {
    let silent = Node { answers: false, ..node(3, None, "1") };
    let facts = Facts {
        warnings: vec!["TROUPE_X sets nothing".to_owned()],
        descriptors: Some((1_024, 1_048_576)),
        folder: Some(a_folder()),
        open_secrets: vec![PathBuf::from("token")],
        own: Some(own(5_000)),
        nodes: vec![silent],
        ..Facts::default()
    };
    let found = codes(&judge(&facts));
    assert_eq!(
        found,
        ["variable_unknown", "secret_open", "not_ready", "node_silent", "clock_differs", "versions_differ"]
    );
    let wrong = Facts { wrong: Some("cluster.shards: no".to_owned()), ..Facts::default() };
    assert_eq!(codes(&judge(&wrong)), ["configuration_wrong"]);
}

//! `troupe demo`, `bench` and `chaos`: verbs that another program beside this one has.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tokio::process::Command;

use crate::server::{binary, within};

async fn said(program: &Path, arguments: &[&str]) -> (bool, String) {
    let output = within(Command::new(program).args(arguments).output()).await.expect("it runs");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[tokio::test]
async fn the_verbs_of_the_lab_reach_it_as_typed_and_name_it_if_it_is_missing() {
    let folder = tempfile::tempdir().expect("a folder");
    let (troupe, lab) = (folder.path().join("troupe"), folder.path().join("troupe-lab"));
    std::fs::copy(binary(), &troupe).expect("copied");
    for verb in ["demo", "bench", "chaos"] {
        let (success, text) = said(&troupe, &[verb]).await;
        let parts = [&format!("troupe {verb}"), lab.to_str().expect("text"), "cargo build --release -p troupe-lab"];
        assert!(!success && parts.iter().all(|part| text.contains(part)), "{text}");
    }

    std::fs::write(&lab, "#!/bin/sh\necho \"$@\"\n").expect("written");
    std::fs::set_permissions(&lab, std::fs::Permissions::from_mode(0o755)).expect("set");
    let (success, text) = said(&troupe, &["chaos", "run", "--scenario", "calm", "--help", "--", "-V"]).await;
    assert!(success, "{text}");
    assert_eq!(text.trim(), format!("--troupe {} chaos run --scenario calm --help -- -V", troupe.display()));
}

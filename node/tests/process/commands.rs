//! Commands of an operator: exit codes, codes of errors, contexts, `troupe doctor` and
//! `troupe debug zip`.

use std::path::Path;
use std::process::Output;

use serde_json::Value;
use tokio::process::Command;

use crate::server::{Server, binary, within};

/// Runs a command whose home is this folder.
async fn run(home: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(binary());
    command.args(words).env("HOME", home).env("XDG_CONFIG_HOME", home.join("config")).current_dir(home);
    for variable in ["TROUPE_HTTP", "TROUPE_CONTEXT", "TROUPE_CONFIG", "TROUPE_CLUSTER_TOKEN"] {
        command.env_remove(variable);
    }
    command.stdin(std::process::Stdio::null()).kill_on_drop(true);
    within(command.output()).await.expect("it runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test]
async fn each_exit_code_has_its_failure() {
    let home = tempfile::tempdir().expect("a folder");
    let cases: [(&[&str], i32, &str); 9] = [
        (&["version", "-o", "json"], 0, ""),
        (&["explain", "no_answer"], 0, ""),
        (&["explain", "no_anwser"], 1, "(unknown_code)"),
        (&["config", "check", "--cluster-shards", "none"], 1, "(config_invalid)"),
        (&["context", "use", "none"], 1, "(no_context)"),
        (&["cluster", "status", "--no-such-flag"], 2, "--no-such-flag"),
        (&["cluster", "status", "--http", "127.0.0.1:1"], 3, "(no_answer)"),
        (&["node", "drain", "1", "--http", "127.0.0.1:1"], 3, "(no_answer)"),
        (&["doctor", "--cluster-shards", "none"], 4, ""),
    ];
    for (words, code, said) in cases {
        let output = run(home.path(), words).await;
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {error}");
        assert!(error.contains(said), "{words:?}: {error}");
        assert_eq!(error.is_empty(), said.is_empty(), "{words:?}: {error}");
    }
}

#[tokio::test]
async fn a_context_names_the_cluster_of_a_command() {
    let server = Server::started(1).await;
    let home = tempfile::tempdir().expect("a folder");
    let http = server.addresses().http.clone();
    assert!(run(home.path(), &["context", "add", "here", "--http", &http]).await.status.success());
    assert!(run(home.path(), &["context", "add", "gone", "--http", "127.0.0.1:1"]).await.status.success());
    let listed = run(home.path(), &["context", "list", "-o", "json"]).await;
    let listed: Value = serde_json::from_slice(&listed.stdout).expect("JSON");
    assert_eq!(
        (&listed[1]["name"], &listed[1]["current"], &listed[1]["http"]),
        (&"here".into(), &true.into(), &http.into())
    );

    let status = ["cluster", "status", "-o", "json"];
    assert_eq!(run(home.path(), &status).await.status.code(), Some(0));
    assert!(run(home.path(), &["context", "use", "gone"]).await.status.success());
    assert_eq!(run(home.path(), &status).await.status.code(), Some(3));
    assert!(run(home.path(), &["context", "remove", "gone"]).await.status.success());
}

#[tokio::test]
async fn a_running_node_is_well_and_leaves_an_archive() {
    let server = Server::started(3).await;
    let home = tempfile::tempdir().expect("a folder");
    let at = server.addresses();
    let folder = server.data_dir().display().to_string();
    let all: Vec<&str> = (0..3).map(|node| server.cluster.addresses(node).cluster.as_str()).collect();
    let join = all.join(",");
    let keys = [
        ("--data-dir", folder.as_str()),
        ("--client-listen", at.client.as_str()),
        ("--http-listen", at.http.as_str()),
        ("--cluster-listen", at.cluster.as_str()),
        ("--cluster-join", join.as_str()),
        ("--cluster-token", server.cluster.token()),
    ];
    let keys: Vec<&str> = keys.iter().flat_map(|(flag, value)| [*flag, *value]).collect();

    let output = run(home.path(), &[&["doctor", "-o", "json"][..], &keys].concat()).await;
    let findings: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let of = |check: &str| -> Vec<&Value> {
        findings.as_array().expect("a list").iter().filter(|finding| finding["check"] == check).collect()
    };
    for check in ["ports", "peers", "readiness", "clock", "versions", "permissions"] {
        assert!(!of(check).is_empty(), "{check}: {findings:#}");
        assert!(of(check).iter().all(|finding| finding["level"] == "ok"), "{check}: {findings:#}");
    }
    assert_eq!((of("ports").len(), of("peers").len()), (3, 2), "{findings:#}");

    let log = server.cluster.log_path(0).display().to_string();
    let zip = [&["debug", "zip", "fault.zip", "--http", at.http.as_str(), "--log", log.as_str()][..], &keys].concat();
    let output = run(home.path(), &zip).await;
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let bytes = std::fs::read(home.path().join("fault.zip")).expect("an archive");
    // Names stand in an archive as they are.
    for wanted in ["nodes/1/metrics.txt", "nodes/3/readyz.json", "doctor.json"] {
        assert!(bytes.windows(wanted.len()).any(|window| window == wanted.as_bytes()), "{wanted}");
    }
}

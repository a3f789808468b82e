//! Operators over raw HTTP, and administrators over the command line.

use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::time::timeout;
use troupe_fetch as fetch;
use troupe_raft::transport::token::Token;
use troupe_runtime::Platform;

use crate::person::{code, connect, password};
use crate::server::{PATIENCE, Server, binary, within};

fn key(server: &Server) -> String {
    Token::parse(server.cluster.token()).expect("a token").operator_key().reveal().to_owned()
}

/// Status and body of a request with exactly these header lines.
async fn raw(server: &Server, request: &str, headers: &[String]) -> (u16, String) {
    let mut stream = within(Platform::production().net.connect(&server.addresses().http)).await.expect("a connection");
    let lines = headers.iter().fold(String::new(), |lines, header| format!("{lines}{header}\r\n"));
    let text = format!("{request} HTTP/1.1\r\n{lines}content-length: 0\r\nconnection: close\r\n\r\n");
    within(stream.write_all(text.as_bytes())).await.expect("written");
    let mut answer = Vec::new();
    within(stream.read_to_end(&mut answer)).await.expect("an answer");
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, answer)
}

#[tokio::test]
async fn a_page_in_a_browser_orders_nothing_whatever_it_holds() {
    let server = Server::started(1).await;
    let host = format!("host: {}", server.addresses().http);
    let shown = format!("authorization: Bearer {}", key(&server));
    let order = "POST /v1/nodes/1/undrain";
    let (good, origin) = (vec![host.clone(), shown.clone()], "origin: http://evil.example".to_owned());
    assert_eq!(raw(&server, order, &good).await.0, 200);
    for (headers, status) in [
        (vec![host.clone()], 401),
        (vec![host.clone(), "authorization: Bearer guessed".to_owned()], 401),
        (vec![host.clone(), shown.clone(), origin.clone()], 403),
        (vec!["host: evil.example".to_owned(), shown.clone()], 421),
        (vec!["host: evil.example".to_owned(), origin], 403),
    ] {
        let (answered, text) = raw(&server, order, &headers).await;
        assert_eq!(answered, status, "{headers:?}: {text}");
    }
    // Read-only requests are for monitors, under any name of this node.
    assert_eq!(raw(&server, "GET /readyz", &["host: monitor.example".to_owned()]).await.0, 200);
}

#[tokio::test]
async fn a_node_without_a_token_has_a_key_of_its_own() {
    let server = Server::planned(1);
    let (at, folder) = (server.addresses().clone(), server.data_dir());
    let mut command = Command::new(binary());
    command.args(["start", "--insecure", "--cluster-join", &at.cluster, "--data-dir"]).arg(&folder);
    command.args(["--client-listen", &at.client, "--http-listen", &at.http, "--cluster-listen", &at.cluster]);
    let mut node = command.stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).spawn().expect("it runs");
    server.answers().await;
    let host = format!("host: {}", at.http);
    assert_eq!(raw(&server, "POST /v1/nodes/1/undrain", std::slice::from_ref(&host)).await.0, 401);
    let order = ["node", "undrain", "1", "--http", at.http.as_str(), "--data-dir"].map(std::ffi::OsStr::new);
    let mut command = Command::new(binary());
    let output = timeout(PATIENCE, command.args(order).arg(&folder).output()).await.expect("it ends").expect("it runs");
    assert!(output.status.success(), "{output:?}");
    node.kill().await.expect("ended");
}

/// Runs a verb as this user.
pub async fn says(server: &Server, name: &str, secret: &str, verb: &[&str]) -> Result<Value, String> {
    let mut command = Command::new(binary());
    command.args(verb).args(["--as", name, "--server", &server.addresses().client, "-o", "json"]);
    command.env("TROUPE_PASSWORD", secret).stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(PATIENCE, command.output()).await.expect("it ends").expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        Ok(serde_json::from_str(&said).expect("JSON"))
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

#[tokio::test]
async fn an_administrator_rules_from_the_command_line_and_leaves_no_device() {
    let server = Server::started(1).await;
    let ann = server.person("ann").await;
    let (name, secret) = (ann.name.clone(), password("ann"));
    let refused = says(&server, &name, &secret, &["user", "list"]).await.expect_err("no administrator yet");
    assert!(refused.contains("not_admin"), "{refused}");
    let (http, key) = (&server.addresses().http, key(&server));
    let made = fetch::post_json(http, "/v1/users/ann/make-admin", Some(&key), PATIENCE).await;
    assert_eq!(made.expect("answered").0, 200);

    let made = says(&server, &name, &secret, &["user", "create", "bob"]).await.expect("made");
    let once = made["one_time_password"].as_str().expect("a password").to_owned();
    let (stranger, _pushes) = connect(&server.addresses().client).await;
    assert_eq!(code(stranger.login("bob", &once, "phone").await), "password_change_required");
    let mut passwd = Command::new(binary());
    passwd.args(["passwd", "--as", "bob", "--server", &server.addresses().client]);
    passwd.env("TROUPE_PASSWORD", &once).env("TROUPE_NEW_PASSWORD", "something of his own").stdin(Stdio::null());
    let output = timeout(PATIENCE, passwd.output()).await.expect("it ends").expect("it runs");
    assert!(output.status.success(), "{output:?}");
    stranger.login("bob", "something of his own", "phone").await.expect("his own");

    let sessions = says(&server, &name, &secret, &["user", "sessions", "ann"]).await.expect("sessions");
    let devices: Vec<_> = sessions.as_array().expect("a list").iter().map(|one| one["device"].clone()).collect();
    assert_eq!(devices.iter().filter(|device| *device == "phone").count(), 1, "{devices:?}");
    assert!(devices.len() <= 2, "only the one that asks and the phone: {devices:?}");

    let invite = says(&server, &name, &secret, &["invite", "create", "--uses", "2"]).await.expect("a code");
    assert!(invite["code"].as_str().is_some_and(|code| code.len() == 19), "{invite}");
    let set = ["cluster", "settings", "--registration", "invite", "--session-idle", "7d", "--strangers", "invite"];
    let settings = says(&server, &name, &secret, &set).await.expect("set");
    assert_eq!((&settings[0]["registration"], &settings[0]["session_idle"]), (&"invite".into(), &604_800.into()));
    assert_eq!(settings[0]["strangers"], "invite", "it was born with `add`");
    let trail = says(&server, &name, &secret, &["audit", "--since", "1h"]).await.expect("a trail");
    let acts: Vec<_> = trail.as_array().expect("a list").iter().filter_map(|row| row["action"].as_str()).collect();
    for act in ["user.make_admin", "user.create", "invite.create", "cluster.settings"] {
        assert!(acts.contains(&act), "{acts:?}");
    }
}

//! SIGHUP: the node goes on, with the certificates and the log filter of now.

use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::time::{Instant, sleep};
use troupe_client::Trust;
use troupe_client::connection::Connection;
use troupe_runtime::Platform;

use crate::server::{PATIENCE, Server, new_token, start, within};

fn write_pair(folder: &Path) {
    let pair = rcgen::generate_simple_self_signed(vec!["localhost".into()]).expect("a certificate");
    std::fs::write(folder.join("cert.pem"), pair.cert.pem()).expect("written");
    std::fs::write(folder.join("key.pem"), pair.signing_key.serialize_pem()).expect("written");
}

/// Waits until the log has so many lines with this text.
async fn logged(log: &Path, text: &str, times: usize) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let all = std::fs::read_to_string(log).expect("a log");
        if all.lines().filter(|line| line.contains(text)).count() >= times {
            return all;
        }
        assert!(Instant::now() < deadline, "{text:?} does not come {times} times:\n{all}");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_hangup_reloads_and_never_ends_the_node() {
    let server = Server::planned(1);
    let folder = tempfile::tempdir().expect("a folder");
    write_pair(folder.path());
    let file = folder.path().join("troupe.toml");
    let write = |more: &str, filter: &str| {
        let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
        let text = format!(
            "{more}[client]\ntls_cert = {:?}\ntls_key = {:?}\n[log]\nfilter = \"{filter}\"\nformat = \"human\"\n",
            cert, key
        );
        std::fs::write(&file, text).expect("written");
    };
    write("", "info");
    let log = folder.path().join("log");
    let mut command = start(server.addresses(), &server.data_dir(), &new_token());
    command.stderr(std::fs::File::create(&log).expect("created")).arg("--config").arg(&file);
    // As under systemd and in containers: a pipe or a file, and a log format that somebody chose
    // for reading.
    let mut node =
        command.env("TROUPE_SERVICE_HOST", "10.0.0.1").env("TROUPE_CLIENT_LISTNE", "x").spawn().expect("runs");
    server.answers().await;
    let all = logged(&log, "serving", 1).await;
    assert!(!all.contains('\u{1b}'), "colour codes in a file: {all}");
    assert!(all.contains("did you mean TROUPE_CLIENT_LISTEN?") && !all.contains("SERVICE_HOST"), "{all}");

    let address = format!("tls://localhost:{}", server.addresses().client.rsplit_once(':').expect("a port").1);
    let net = Platform::production().net;
    let trust = Trust::first_use();
    let (before, _pushes) = Connection::open_trusting(&*net, &address, &trust).await.expect("the first certificate");

    // A guess is noted, with a name that does nothing to a terminal.
    let (guessing, _guesses) = Connection::open(&*net, &address).await.expect("another connection");
    guessing.login("no\u{1b}[31mbody", "wrong password", "d").await.expect_err("refused");
    let all = logged(&log, "a login failed", 1).await;
    assert!(all.contains("127.0.0.1") && !all.contains('\u{1b}'), "{all}");

    let hangup = || kill(Pid::from_raw(node.id().expect("it runs") as i32), Signal::SIGHUP).expect("sent");
    // Another certificate and another filter; the drain's time wants a restart.
    write_pair(folder.path());
    write("[drain]\nseconds = 7\n", "info,troupe=debug");
    hangup();
    let all = logged(&log, "reloaded: certificates, limits and log filter", 1).await;
    assert!(all.contains("drain.seconds"), "{all}");
    let changed = Connection::open_trusting(&*net, &address, &trust).await.err().expect("another key");
    assert!(changed.to_string().contains("another key"), "{changed}");
    Connection::open(&*net, &address).await.expect("the second certificate");
    assert!(!before.is_closed());

    // A wrong value changes nothing, and is named.
    write("", "info,=nonsense=");
    hangup();
    let all = logged(&log, "not reloaded", 1).await;
    assert!(all.contains("log.filter"), "{all}");
    std::fs::write(folder.path().join("key.pem"), "gone").expect("written");
    write("", "info");
    hangup();
    let all = logged(&log, "not reloaded", 2).await;
    assert!(all.contains("key.pem"), "{all}");
    Connection::open(&*net, &address).await.expect("the second certificate still");
    assert_eq!(node.try_wait().expect("a child"), None, "it ended");
    kill(Pid::from_raw(node.id().expect("it runs") as i32), Signal::SIGTERM).expect("sent");
    assert!(within(node.wait()).await.expect("it ends").success());
}

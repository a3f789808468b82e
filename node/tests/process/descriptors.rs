//! A node whose limit of open files is low: connections do not take what storage needs, and too few
//! are said at start.

use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::time::timeout;
use troupe_runtime::{Platform, Stream};

use crate::person::Person;
use crate::server::{Server, new_token, refusal, start, within};

/// The usual limit of a process.
const LIMIT: usize = 1_024;
/// The descriptors that a node keeps for storage and for itself.
const KEPT: usize = 704;

/// The same command under a limit of its own, soft and hard.
fn limited(command: &Command, limit: usize) -> Command {
    let command = command.as_std();
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("ulimit -n {limit} && exec \"$0\" \"$@\"")]).arg(command.get_program());
    shell.args(command.get_args()).stdin(std::process::Stdio::null()).stdout(std::process::Stdio::piped());
    shell.stderr(std::process::Stdio::piped()).kill_on_drop(true);
    for (key, value) in command.get_envs() {
        shell.env(key, value.unwrap_or_default());
    }
    shell
}

#[tokio::test]
async fn a_node_with_too_few_descriptors_says_so_and_touches_nothing() {
    let server = Server::planned(1);
    let text = refusal(limited(&start(server.addresses(), &server.data_dir(), &new_token()), 200)).await;
    assert!(text.contains("may open 200 files") && text.contains("LimitNOFILE"), "{text}");
    assert!(!server.data_dir().join("db").exists());
}

/// Connections that say this and then nothing.
async fn idle(address: &str, count: usize, says: &[u8]) -> Vec<Box<dyn Stream>> {
    let net = Platform::production().net;
    let mut open = Vec::new();
    for _ in 0..count {
        let mut stream = within(net.connect(address)).await.expect("the kernel accepts");
        // Closed at once above the share.
        let _ = stream.write_all(says).await;
        open.push(stream);
    }
    open
}

#[tokio::test]
async fn idle_connections_leave_storage_its_descriptors() {
    // This process holds the other ends.
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).expect("raised");
    if hard < 4_096 {
        return eprintln!("SKIPPED: this process may open {hard} files only");
    }
    let server = Server::planned(1);
    let mut node =
        limited(&start(server.addresses(), &server.data_dir(), &new_token()), LIMIT).spawn().expect("started");
    server.answers().await;
    let person = Person::new(&server.addresses().client, "ann").await;
    person.send("everyone", "before").await.expect("sent");

    let at = server.addresses();
    let clients = idle(&at.client, LIMIT, &[]).await;
    let cluster = idle(&at.cluster, 200, &[]).await;
    let mut http = idle(&at.http, 200, b"GET /livez HTTP/1.1\r\nhost:").await;
    let open = std::fs::read_dir(format!("/proc/{}/fd", node.id().expect("it runs"))).expect("its descriptors").count();
    assert!(open <= LIMIT - KEPT + KEPT / 2, "{open} of {LIMIT} are open");
    person.send("everyone", "all the same").await.expect("sent");

    // Heads that do not come to an end are not waited for.
    for stream in &mut http {
        let closed = timeout(Duration::from_secs(20), stream.read(&mut [0; 64])).await;
        assert!(closed.is_ok(), "a half-open request is still open");
    }
    server.answers().await;
    assert!(node.try_wait().expect("a child").is_none(), "it goes on");
    drop((clients, cluster));
}

//! The client port off loopback: TLS, pins, and plain text only where it is wanted. The container's
//! own address stands for the network.

use std::ffi::OsStr;
use std::net::{IpAddr, UdpSocket};
use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;
use tokio::time::timeout;
use troupe_chaos::local::Addresses;
use troupe_client::connection::Connection;
use troupe_client::{Error, Fingerprint, Trust};
use troupe_runtime::Platform;

use crate::server::{PATIENCE, Server, binary, new_token, refusal, start, within};

/// An address of this machine that is not loopback.
#[allow(clippy::disallowed_methods, reason = "asks the routing table; no packet is sent")]
fn outward() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(|ip| !ip.is_loopback() && !ip.is_unspecified())
}

/// Planned, but its clients come over the network.
fn abroad(server: &Server) -> Option<Addresses> {
    let port = server.addresses().client.rsplit_once(':')?.1.to_owned();
    Some(Addresses { client: format!("{}:{port}", outward()?), ..server.addresses().clone() })
}

async fn greet(address: &str, trust: &Trust) -> troupe_client::Result<Connection> {
    let net = Platform::production().net;
    Ok(Connection::open_trusting(&*net, address, trust).await?.0)
}

async fn troupe(args: &[&OsStr], folder: &Path) -> (bool, String) {
    let mut command = Command::new(binary());
    command.args(args).env("XDG_STATE_HOME", folder).env("TROUPE_PASSWORD", "a long password");
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(PATIENCE, command.output()).await.expect("it ends").expect("it runs");
    (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

#[tokio::test]
async fn a_port_off_loopback_speaks_tls_and_clients_pin_the_cluster() {
    let server = Server::planned(1);
    let Some(at) = abroad(&server) else { return eprintln!("not tested: this machine has loopback addresses only") };
    let token = new_token();
    let mut node = start(&at, &server.data_dir(), &token).spawn().expect("it runs");
    server.answers().await;

    let folder = tempfile::tempdir().expect("a folder");
    let output =
        Command::new(binary()).args(["token", "ca"]).env("TROUPE_CLUSTER_TOKEN", &token).output().await.expect("runs");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let fingerprint =
        printed.lines().next().and_then(|line| line.strip_prefix("fingerprint ")).expect("printed").to_owned();
    let pinned: Fingerprint = fingerprint.parse().expect("a fingerprint");

    // The SDK: first use, the fingerprint, the authority's certificate with the host's name.
    let known = folder.path().join("known");
    let trust = Trust::kept_in(&known).expect("no file yet");
    let connection = greet(&at.client, &trust).await.expect("welcome");
    assert_eq!(connection.welcome().nodes, std::slice::from_ref(&at.client));
    assert!(std::fs::read_to_string(&known).expect("kept").contains(&fingerprint));
    greet(&at.client, &Trust::first_use().require(pinned)).await.expect("the right one");
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, &printed).expect("written");
    greet(&at.client, &Trust::authorities(&ca).expect("a certificate")).await.expect("signed, and for this address");

    // Plain text is answered, not served.
    let plain = greet(&format!("tcp://{}", at.client), &Trust::first_use()).await.err().expect("refused");
    assert_eq!(plain.code(), Some("tls_required"), "{plain}");

    // `troupe msg`, which pins too, and tells the person.
    let args = ["msg", "send", "--as", "ann", "--register", "--server", &at.client, "--to", "everyone", "hello"];
    let args: Vec<&OsStr> = args.iter().map(OsStr::new).collect();
    let (sent, said) = troupe(&args, folder.path()).await;
    assert!(sent && said.contains(&fingerprint) && said.contains("trusting the cluster at"), "{said}");
    let (sent, said) = troupe(&args, folder.path()).await;
    assert!(sent && !said.contains("trusting the cluster at"), "{said}");
    drop(connection);
    node.kill().await.expect("ended");

    // Somebody else's node at the same address.
    let other = tempfile::tempdir().expect("a folder");
    let mut node = start(&at, other.path(), &new_token()).spawn().expect("it runs");
    server.answers().await;
    let refused = greet(&at.client, &Trust::kept_in(&known).expect("a file")).await.err().expect("refused");
    assert!(
        matches!(&refused, Error::Untrusted(text) if text.contains("another key") && text.contains(&fingerprint)),
        "{refused}"
    );
    let (sent, said) = troupe(&args, folder.path()).await;
    assert!(!sent && said.contains("another key") && said.contains("known-clusters"), "{said}");
    node.kill().await.expect("ended");
}

#[tokio::test]
async fn plain_text_off_loopback_is_refused_unless_it_is_wanted() {
    let server = Server::planned(1);
    let Some(at) = abroad(&server) else { return eprintln!("not tested: this machine has loopback addresses only") };
    let mut command = start(&at, &server.data_dir(), &new_token());
    command.arg("--insecure");
    let text = refusal(command).await;
    for part in ["client.listen", "plain text", "client.tls_cert", "client.insecure"] {
        assert!(text.contains(part), "{part:?} is missing in: {text}");
    }
    let mut command = start(&at, &server.data_dir(), &new_token());
    let mut node = command.args(["--insecure", "--client-insecure"]).spawn().expect("it runs");
    server.answers().await;
    let plain = format!("tcp://{}", at.client);
    let connection = greet(&plain, &Trust::first_use()).await.expect("wanted");
    assert_eq!(connection.welcome().nodes, [plain]);
    let tls = greet(&at.client, &Trust::first_use()).await.err().expect("no TLS here");
    assert!(tls.to_string().contains("does not speak TLS"), "{tls}");
    node.kill().await.expect("ended");
}

#[tokio::test]
async fn a_loopback_port_serves_both() {
    let server = Server::started(1).await;
    let plain = greet(&server.addresses().client, &Trust::first_use()).await.expect("plain");
    let secure = format!("tls://{}", server.addresses().client);
    let trust = Trust::first_use();
    let tls = greet(&secure, &trust).await.expect("TLS");
    assert_eq!(plain.welcome().cluster_id, tls.welcome().cluster_id);
    // One that never says anything is let go like any other.
    let net = Platform::production().net;
    let _silent = within(net.connect(&server.addresses().client)).await.expect("connected");
    greet(&secure, &trust).await.expect("unhindered");
}

//! HTTP in bad shapes over raw sockets: each connection ends cleanly, no request is smuggled behind
//! another, and the node serves others meanwhile.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;
use troupe_fetch as fetch;
use troupe_runtime::{Platform, Stream};

use crate::server::{PATIENCE, Server, within};

async fn connect(server: &Server) -> Box<dyn Stream> {
    within(Platform::production().net.connect(&server.addresses().http)).await.expect("a connection")
}

/// Everything that the node answers to these bytes, until it closes.
async fn answered(server: &Server, bytes: &[u8]) -> String {
    let mut stream = connect(server).await;
    // A node that has closed already takes no more.
    let _ = within(stream.write_all(bytes)).await;
    let mut answer = Vec::new();
    let _ = within(stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// A request that must not be seen, behind the end of another one.
const SMUGGLED: &str = "GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

#[tokio::test]
async fn no_request_is_smuggled_behind_another() {
    let server = Server::started(1).await;
    let head = "POST /v1/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";
    let length = SMUGGLED.len();
    for (name, request) in [
        ("two lengths", format!("{head}content-length: 0\r\ncontent-length: {length}\r\n\r\n{SMUGGLED}")),
        (
            "a length and chunks",
            format!("{head}content-length: {length}\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{SMUGGLED}"),
        ),
        (
            "chunks and a length",
            format!("{head}transfer-encoding: chunked\r\ncontent-length: 0\r\n\r\n5\r\n{SMUGGLED}"),
        ),
        ("an unknown encoding", format!("{head}transfer-encoding: xchunked\r\n\r\n{SMUGGLED}")),
        ("chunks that are not last", format!("{head}transfer-encoding: chunked, identity\r\n\r\n{SMUGGLED}")),
        ("a signed length", format!("{head}content-length: +{length}\r\n\r\n{SMUGGLED}")),
        ("a space before the colon", format!("{head}content-length : {length}\r\n\r\n{SMUGGLED}")),
        ("a folded header", format!("{head}transfer-encoding:\r\n chunked\r\n\r\n0\r\n\r\n{SMUGGLED}")),
        ("a bad chunk", format!("{head}transfer-encoding: chunked\r\n\r\nZZ\r\n{SMUGGLED}")),
        ("a large chunk", format!("{head}transfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n{SMUGGLED}")),
        ("a bare carriage return", format!("{head}x: a\rtransfer-encoding: chunked\r\n\r\n{SMUGGLED}")),
        ("a zero byte", format!("{head}x: a\0b\r\n\r\n{SMUGGLED}")),
        ("chunks in HTTP/1.0", format!("{}transfer-encoding: chunked\r\n\r\n{SMUGGLED}", head.replace("1.1", "1.0"))),
    ] {
        let answer = answered(&server, request.as_bytes()).await;
        assert!(!answer.contains("\r\nok\n") && !answer.ends_with("ok\n"), "{name}: {answer}");
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.") && !answer.contains(" 500 "), "{name}: {answer}");
    }
    // Two requests that are two are answered both.
    let two = format!("GET /livez HTTP/1.1\r\nhost: x\r\n\r\n{SMUGGLED}");
    assert_eq!(answered(&server, two.as_bytes()).await.matches("200 OK").count(), 2);
}

#[tokio::test]
async fn heads_without_an_end_and_bodies_without_an_end_are_closed() {
    let server = Server::started(1).await;
    let begun = Instant::now();
    let mut slow = Vec::new();
    for part in ["", "G", "GET /livez", "GET /livez HTTP/1.1\r\nhost:", "PRI * HTTP/2.0\r\n\r\nSM\r\n", "PRI"] {
        let mut stream = connect(&server).await;
        within(stream.write_all(part.as_bytes())).await.expect("written");
        slow.push((part, stream));
    }
    // A head that grows forever, and one line without an end.
    let endless = "GET /livez HTTP/1.1\r\n".to_owned() + &"x: y\r\n".repeat(200_000);
    assert!(!answered(&server, endless.as_bytes()).await.contains("200 OK"));
    let line = "GET /".to_owned() + &"a".repeat(2_000_000);
    assert!(!answered(&server, line.as_bytes()).await.contains("200 OK"));
    // A body above its cap is refused while most of it is still to come.
    let large =
        "POST /v1/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9999999999\r\n\r\n{";
    assert!(answered(&server, large.as_bytes()).await.starts_with("HTTP/1.1 413"));
    let chunk = format!("10000\r\n{}\r\n", "a".repeat(0x10000));
    let chunks = format!(
        "POST /v1/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n{chunk}"
    );
    assert!(answered(&server, chunks.as_bytes()).await.starts_with("HTTP/1.1 413"));
    for (part, mut stream) in slow {
        let mut answer = Vec::new();
        let _ = within(stream.read_to_end(&mut answer)).await;
        assert!(begun.elapsed() >= Duration::from_secs(5), "{part} was closed at once");
    }
    assert_eq!(fetch::get(&server.addresses().http, "/livez", PATIENCE).await.expect("served").0, 200);
}

#[tokio::test]
async fn the_port_speaks_http_2_and_one_answer_for_nodes() {
    let server = Server::started(1).await;
    let url = format!("http://{}/v1/nodes", server.addresses().http);
    let mut curl = tokio::process::Command::new("curl");
    curl.args(["-s", "--http2-prior-knowledge", "-w", "\n%{http_version} %{http_code}", &url]).kill_on_drop(true);
    let output = within(curl.output()).await.expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let (body, version) = said.rsplit_once('\n').expect("both");
    assert_eq!(version, "2 200");
    let nodes: serde_json::Value = serde_json::from_str(body).expect("JSON");
    let node = &nodes["nodes"][0];
    assert_eq!(
        (&node["client"], &node["http"]),
        (&server.addresses().client.clone().into(), &server.addresses().http.clone().into())
    );
    assert!(node["id"].is_number() && node["reachable"] == true && node["draining"] == false, "{nodes}");
}

//! A foreign web page makes a browser on the operator's machine order the removal of a node.

use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::site::{Site, attacker, socket};

pub async fn run(site: &mut Site) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    let http = site.cluster.addresses(0).http.clone();
    let foreign = format!("Host: evil.example\r\nOrigin: http://evil.example\r\nContent-Length: 0\r\n{END}");
    let own = format!("Host: {http}\r\nContent-Length: 0\r\n{END}");
    for (headers, what) in [(&foreign, "from a foreign page"), (&own, "without a key")] {
        for verb in ["drain", "remove"] {
            let request = format!("POST /v1/nodes/3/{verb} HTTP/1.1\r\n{headers}");
            let status = status(&http, &request).await?;
            if !REFUSALS.contains(&status) {
                findings.push(format!("the order to {verb} a node, {what}, was considered and answered {status}"));
            }
        }
    }
    Ok(findings)
}

/// Without authority, from a foreign page, or for another host. Any other status means that the
/// order was considered.
const REFUSALS: [u16; 3] = [401, 403, 421];

const END: &str = "Connection: close\r\n\r\n";

async fn status(address: &str, request: &str) -> Result<u16> {
    let mut stream = socket(attacker(), address).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    drop(timeout(Duration::from_secs(5), stream.read_to_end(&mut answer)).await);
    let text = String::from_utf8_lossy(&answer);
    Ok(text.split_whitespace().nth(1).and_then(|code| code.parse().ok()).unwrap_or(0))
}

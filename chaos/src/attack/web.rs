//! Parts of the attacks by HTTP and WebSocket: accounts with a token, and newcomers from other
//! addresses, who must be served meanwhile.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

use super::site::{PASSWORD, Site, address, socket};
use crate::http::Http;
use crate::websocket::WebSocket;

/// A newcomer is served within this time, also on a busy machine.
const PROMPT: Duration = Duration::from_secs(2);
const NEWCOMERS: u16 = 6;
/// How long an account of the attacker waits for its login.
const PATIENCE: Duration = Duration::from_secs(20);
/// The network of the newcomers' addresses.
const NETWORK: u8 = 3;

/// The ports of all nodes that take HTTP.
pub fn ports(site: &Site) -> Vec<String> {
    (0..site.cluster.len())
        .flat_map(|index| {
            let addresses = site.cluster.addresses(index);
            [addresses.http.clone(), addresses.client.clone()]
        })
        .collect()
}

pub async fn connect(from: std::net::IpAddr, port: &str) -> Result<Http> {
    Ok(Http::over(socket(from, port).await?, port))
}

/// Registers an account by HTTP; returns its token.
pub async fn account(from: std::net::IpAddr, port: &str, name: &str) -> Result<String> {
    let until = Instant::now() + PATIENCE;
    loop {
        let entered = async {
            let mut http = connect(from, port).await?;
            let register = json!({ "name": name, "password": PASSWORD });
            // Refused the second time: the name is taken, by this account.
            http.ask("POST", "/v1/register", &[], Some(&register)).await?;
            let login = json!({ "name": name, "password": PASSWORD, "device": "attack" });
            let said = http.ask("POST", "/v1/login", &[], Some(&login)).await?.good()?;
            said["token"].as_str().map(str::to_owned).context("a token")
        };
        match entered.await {
            Ok(token) => return Ok(token),
            Err(error) if Instant::now() > until => return Err(error).with_context(|| format!("{name} from {from}")),
            Err(_) => sleep(Duration::from_millis(200)).await,
        }
    }
}

/// Newcomers at both ports of every node, by HTTP and by WebSocket; returns those who were not
/// served.
pub async fn newcomers(site: &Site) -> Vec<String> {
    let mut findings = Vec::new();
    for n in 0..NEWCOMERS {
        let ports = ports(site);
        let port = &ports[usize::from(n) % ports.len()];
        let from = address(NETWORK, n);
        let asks = async {
            let said = connect(from, port).await?.ask("GET", "/v1/me", &[], None).await?;
            // It has no session.
            anyhow::ensure!(said.status == 401, "status {}", said.status);
            WebSocket::over(socket(from, port).await?, port).await.map(drop)
        };
        let begun = Instant::now();
        match timeout(PROMPT, asks).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => findings.push(format!("a newcomer at {port} was not served: {error:#}")),
            Err(_) => findings.push(format!("a newcomer at {port} was not served within {:?}", begun.elapsed())),
        }
    }
    findings
}

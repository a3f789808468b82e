//! Facts about ports, peers and other nodes.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use futures::future::join_all;
use serde_json::Value;
use troupe_fetch as fetch;
use troupe_raft::transport::port::dial::Why;
use troupe_raft::transport::port::{Port as ClusterPort, Security};
use troupe_raft::transport::token::Token;
use troupe_runtime::Platform;

use super::facts::{Bound, Facts, Node, Own, Peer, Port, Reached};
use crate::asker::Asker;
use crate::config::Config;
use crate::token;

const PATIENCE: Duration = Duration::from_secs(2);

pub async fn look(config: &Config, http: Option<&str>, facts: &mut Facts) {
    let platform = Platform::production();
    let listens = [
        ("client.listen", &config.client_listen),
        ("http.listen", &config.http_listen),
        ("cluster.listen", &config.cluster.listen),
    ];
    for (key, address) in listens {
        let bound = bound(platform.net.bind(address).await.map(drop));
        facts.ports.push(Port { key, address: address.clone(), bound });
    }
    facts.own = own(config).await;
    facts.nodes = nodes(facts.own.as_ref(), http).await;
    facts.peers = peers(&platform, config).await;
}

fn bound(answer: io::Result<()>) -> Bound {
    let Err(error) = answer else { return Bound::Free };
    match error.kind() {
        ErrorKind::AddrInUse => Bound::InUse,
        ErrorKind::PermissionDenied => Bound::Forbidden,
        ErrorKind::AddrNotAvailable => Bound::Elsewhere(error.to_string()),
        _ => Bound::Other(error.to_string()),
    }
}

/// The address at which this machine reaches its own listener.
fn dialled(listen: &str) -> String {
    match listen.parse::<SocketAddr>() {
        Ok(address) if address.ip().is_unspecified() && address.is_ipv4() => format!("127.0.0.1:{}", address.port()),
        Ok(address) if address.ip().is_unspecified() => format!("[::1]:{}", address.port()),
        _ => listen.to_owned(),
    }
}

/// The node of this configuration. Another one may have its port.
async fn own(config: &Config) -> Option<Own> {
    let address = dialled(&config.http_listen);
    let ask = |path| fetch::get_json(&address, path, PATIENCE);
    let (ready, cluster, upgrade) = tokio::join!(ask("/readyz"), ask("/v1/cluster"), ask("/v1/upgrade"));
    let (_, ready) = ready.ok().filter(|(_, ready)| ready["ready"].is_boolean())?;
    let answer = |answer: anyhow::Result<(u16, Value)>| match answer {
        Ok((200, answer)) => answer,
        _ => Value::Null,
    };
    let (cluster, upgrade) = (answer(cluster), answer(upgrade));
    let is_own =
        cluster.is_null() || own_entry(&cluster).is_some_and(|node| node["cluster"] == config.cluster.advertise);
    let reasons = ready["reasons"].as_array().into_iter().flatten();
    let reasons = reasons.filter_map(|reason| reason.as_str().map(str::to_owned)).collect();
    is_own.then(|| Own { address: address.clone(), ready: ready["ready"] == true, reasons, cluster, upgrade })
}

fn own_entry(cluster: &Value) -> Option<&Value> {
    listed(cluster).find(|node| node["id"] == cluster["node"])
}

fn listed(cluster: &Value) -> impl Iterator<Item = &Value> {
    cluster["nodes"].as_array().into_iter().flatten()
}

/// The nodes that the own node, or one of those at `http`, knows of.
async fn nodes(own: Option<&Own>, http: Option<&str>) -> Vec<Node> {
    let (cluster, upgrade) = match own {
        Some(own) if !own.cluster.is_null() => (own.cluster.clone(), own.upgrade.clone()),
        _ => {
            let mut asker = Asker::new(http.unwrap_or_default());
            let Ok((_, cluster)) = asker.get("/v1/cluster").await else { return Vec::new() };
            let upgrade = asker.get("/v1/upgrade").await.map_or(Value::Null, |(_, upgrade)| upgrade);
            (cluster, upgrade)
        }
    };
    let here = own.and_then(|own| own.cluster["node"].as_u64());
    join_all(listed(&cluster).filter_map(|node| {
        let id = node["id"].as_u64()?;
        let version = listed(&upgrade).find(|told| told["id"] == id).and_then(|told| told["version"].as_str());
        Some(look_at(id, node["http"].as_str().unwrap_or_default().to_owned(), version.map(str::to_owned), here))
    }))
    .await
}

/// A node that tells no address is not asked, and neither is the one on this machine, which has its
/// clock.
async fn look_at(id: u64, address: String, version: Option<String>, here: Option<u64>) -> Node {
    if address.is_empty() || here == Some(id) {
        return Node { id, address, answers: true, clock_ms: None, version };
    }
    let before = now_ms();
    let clock = fetch::clock(&address, PATIENCE).await;
    let middle = before + (now_ms() - before) / 2;
    let (answers, clock_ms) = match clock {
        Ok(clock) => {
            let since = clock.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            // The date is cut to the second: in the middle it is half a second later.
            (true, i64::try_from(since.as_millis()).ok().map(|clock| clock + 500 - middle))
        }
        Err(_) => (false, None),
    };
    Node { id, address, answers, clock_ms, version }
}

fn now_ms() -> i64 {
    i64::try_from(crate::accounts::now_ms()).unwrap_or(i64::MAX)
}

/// Each other node of the join list, asked as a holder of the token.
async fn peers(platform: &Platform, config: &Config) -> Vec<Peer> {
    let kept = || std::fs::read_to_string(config.data_dir.join(token::FILE)).ok();
    let token = config.cluster.token.clone().or_else(kept).and_then(|text| Token::parse(&text).ok());
    let security = match (config.cluster.insecure, token) {
        (true, token) => Security::Insecure(token),
        (false, Some(token)) => Security::Token(token),
        (false, None) => return Vec::new(),
    };
    let Ok(port) = ClusterPort::dialer(platform, security) else { return Vec::new() };
    let others = config.cluster.join.iter().filter(|address| **address != config.cluster.advertise);
    join_all(others.map(|address| peer(&port, address))).await
}

async fn peer(port: &ClusterPort, address: &str) -> Peer {
    let reached = match port.dial_formation(address).await {
        Ok(_) => Reached::Yes,
        Err(error) => reached(error.why),
    };
    Peer { address: address.to_owned(), reached }
}

fn reached(why: Why) -> Reached {
    match why {
        Why::Unreachable(error) => match error.kind() {
            ErrorKind::ConnectionRefused => Reached::Down,
            // The resolver of names gives no number of the system.
            kind if error.raw_os_error().is_none() && kind != ErrorKind::TimedOut => Reached::NoName(error.to_string()),
            _ => Reached::Silent(error.to_string()),
        },
        Why::Timeout => Reached::Silent("no answer in time".to_owned()),
        Why::Closed(error) => Reached::Silent(format!("closed the connection: {error}")),
        Why::BadToken => Reached::OtherToken,
        Why::WithoutTls | Why::ExpectsTls => Reached::OtherTls,
        Why::Unsupported => Reached::OtherProgram,
        Why::NotReady | Why::Busy => Reached::NotReady,
        why @ (Why::WrongCluster(_) | Why::WrongNode | Why::WrongName | Why::Removed) => {
            Reached::Refuses(why.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::asker::stand_in;

    #[test]
    fn an_own_listener_is_dialled_where_it_listens() {
        assert_eq!(dialled("0.0.0.0:7780"), "127.0.0.1:7780");
        assert_eq!(dialled("[::]:7780"), "[::1]:7780");
        assert_eq!(dialled("a:7780"), "a:7780");
    }

    #[test]
    fn the_cause_of_a_failed_dial_is_kept() {
        let unreachable = |error: io::Error| reached(Why::Unreachable(error));
        assert_eq!(unreachable(io::Error::from_raw_os_error(nix::libc::ECONNREFUSED)), Reached::Down);
        let routes = unreachable(io::Error::from_raw_os_error(nix::libc::EHOSTUNREACH));
        assert!(matches!(routes, Reached::Silent(_)), "{routes:?}");
        assert!(matches!(unreachable(io::Error::other("failed to lookup")), Reached::NoName(_)));
        assert_eq!(reached(Why::BadToken), Reached::OtherToken);
        assert!(matches!(reached(Why::Removed), Reached::Refuses(text) if text.contains("removed")));
    }

    #[tokio::test]
    async fn the_versions_of_all_nodes_come_from_one_that_answers() {
        let up = stand_in::node(|path| match path {
            "/v1/upgrade" => json!({ "nodes": [{ "id": 1, "version": "1.0" }, { "id": 2, "version": "1.1" }] }),
            _ => json!({ "node": 1, "nodes": [{ "id": 1, "http": "" }, { "id": 2, "http": "127.0.0.1:1" }] }),
        })
        .await;
        let seen = nodes(None, Some(&up)).await;
        let short: Vec<_> = seen.iter().map(|node| (node.id, node.answers, node.version.as_deref())).collect();
        assert_eq!(short, [(1, true, Some("1.0")), (2, false, Some("1.1"))]);
        assert!(nodes(None, None).await.is_empty());
    }
}

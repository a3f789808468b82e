//! SIGHUP: the configuration is read again, and what can change while the node serves does:
//! certificates, limits and the log filter.
//!
//! Nothing here ends the node. A configuration that is wrong by now changes nothing, and the log
//! says what is wrong with it. Keys that need a restart keep their values, and the log names those
//! that differ.

use std::sync::Arc;

use anyhow::{Context, Result};
use troupe_actors::budgets::Limits;
use troupe_actors::node::NodeHandle;
use troupe_client::Fingerprint;
use troupe_edge_tcp::door::Door;
use troupe_raft::api::address::Reach;
use troupe_raft::transport::port::Port;
use troupe_raft::transport::tls::clients::Shown;
use troupe_runtime::net::{host, is_loopback};

use crate::config::{Config, Settings};
use crate::logging::SetFilter;

/// Keys that a reload follows. The files of certificates are read again even if their names are the
/// same.
const FOLLOWED: &[&str] = &["client.tls_cert", "client.tls_key", "log.filter"];
const LIMITS: &str = "limits.";

/// Whether a reload follows the key.
pub fn follows(key: &str) -> bool {
    FOLLOWED.contains(&key) || key.starts_with(LIMITS)
}

/// Where a configuration comes from.
pub type Read = Box<dyn Fn() -> Result<Settings> + Send + Sync>;

/// The parts of a running node that follow its configuration.
pub struct Reload {
    pub read: Read,
    pub running: Settings,
    pub set_filter: SetFilter,
    /// More than the process has descriptors for are never let in.
    pub most_connections: usize,
}

impl Reload {
    pub fn run(&mut self, node: &NodeHandle, door: &Door, port: &Port) {
        match self.follow(node, door, port) {
            Ok(later) if later.is_empty() => tracing::info!("reloaded: certificates, limits and log filter"),
            Ok(later) => tracing::warn!(
                keys = later.join(", "),
                "reloaded: certificates, limits and log filter; these keys have changed and need a restart"
            ),
            Err(error) => tracing::error!(
                error = format!("{error:#}"),
                "not reloaded: the node goes on as it was; correct the configuration and send SIGHUP again"
            ),
        }
    }

    /// Everything is judged before anything changes. Answers the keys that wait for a restart.
    fn follow(&mut self, node: &NodeHandle, door: &Door, port: &Port) -> Result<Vec<&'static str>> {
        let settings = (self.read)()?;
        let config = Config::from_settings(&settings)?;
        let shown = shown(&config, port)?;
        (self.set_filter)(&config.log_filter).map_err(anyhow::Error::msg)?;
        if let Some(shown) = shown {
            door.renew(shown);
        }
        let connections = config.limits.connections.min(self.most_connections);
        node.set_limits(Limits { connections, ..config.limits });
        settings.warnings().iter().for_each(|warning| tracing::warn!("{warning}"));
        Ok(settings.changed(&self.running).into_iter().filter(|key| !follows(key)).collect())
    }
}

/// How clients are let in. The log says by which fingerprint they know this cluster.
pub fn door(config: &Config, port: &Port) -> Result<Arc<Door>> {
    let plain = config.client_tls.insecure || is_loopback(&config.client_listen);
    if config.client_tls.insecure && !is_loopback(&config.client_listen) {
        tracing::warn!(
            client = %config.client_listen,
            "client.insecure is set: passwords and messages may cross the network in plain text"
        );
    }
    Ok(Arc::new(Door::new(shown(config, port)?, plain)))
}

/// The certificate for clients: the operator's own, or one from the cluster's authority, or none in
/// a cluster without TLS.
fn shown(config: &Config, port: &Port) -> Result<Option<Shown>> {
    let (identity, whose) = match &config.client_tls.own {
        Some((certificate, key)) => (Some(crate::config::read_certificate(certificate, key)?), "its own"),
        None => (port.mint_for_clients(&hosts(config))?, "from the cluster's authority"),
    };
    let Some(identity) = identity else { return Ok(None) };
    let fingerprint = Fingerprint::of_chain(&identity.chain).context("the certificate for clients cannot be read")?;
    tracing::info!(%fingerprint, certificate = whose, "clients may connect with TLS");
    Ok(Some(identity.server()?))
}

/// The hosts that clients dial, for those that check names.
fn hosts(config: &Config) -> Vec<String> {
    let bare = |address: &str| host(address.split_once("://").map_or(address, |(_, address)| address)).to_owned();
    let mut hosts = vec![bare(&config.cluster.client_address), bare(&config.client_listen), "localhost".to_owned()];
    hosts.retain(|host| host.is_ascii() && Reach::of(host) != Reach::Unspecified);
    hosts.sort();
    hosts.dedup();
    hosts
}

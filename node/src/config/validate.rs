//! Validation of values by the code that uses them, so that `troupe config check` finds the same
//! faults as a start.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use troupe_edge_http::PushConfig;
use troupe_edge_websocket::handshake::Origins;
use troupe_raft::transport::tls::clients::ClientIdentity;
use troupe_raft::transport::token::Token;
use troupe_runtime::net::{host, is_loopback};

use super::{ClientTls, ConfigError, Settings};
use crate::logging;

/// The error names the key and where its value came from, as all errors here do.
fn wrong(settings: &Settings, name: &str, why: impl std::fmt::Display) -> ConfigError {
    let (value, source) = settings.get(name);
    ConfigError(format!("{name} = \"{value}\" ({source}): {why}"))
}

pub fn log_filter(settings: &Settings) -> Result<String, ConfigError> {
    let filter = settings.text("log.filter");
    logging::filter(filter).map_err(|why| wrong(settings, "log.filter", why))?;
    Ok(filter.to_owned())
}

/// Never shows the token.
pub fn token(settings: &Settings, text: String) -> Result<String, ConfigError> {
    let key = if settings.text("cluster.token").is_empty() { "cluster.token_file" } else { "cluster.token" };
    let source = settings.get(key).1;
    Token::parse(&text).map_err(|why| ConfigError(format!("{key} ({source}): {why}")))?;
    Ok(text)
}

/// Pages of this node itself may always connect.
pub fn origins(settings: &Settings, own: [&str; 3]) -> Result<Origins, ConfigError> {
    let bare = |address: &str| host(address.split_once("://").map_or(address, |(_, address)| address)).to_lowercase();
    let own = own.into_iter().map(bare).filter(|host| !host.is_empty());
    Origins::new(settings.text("http.origins"), own).map_err(|why| wrong(settings, "http.origins", why))
}

/// It goes into the policy of a page, so it holds an address and nothing else.
pub fn control(settings: &Settings) -> Result<Option<String>, ConfigError> {
    match settings.text("http.control") {
        "" => Ok(None),
        text if text.parse::<SocketAddr>().is_ok_and(|address| address.ip().is_loopback()) => Ok(Some(text.to_owned())),
        _ => Err(wrong(settings, "http.control", "wants an address on loopback, as 127.0.0.1:7870")),
    }
}

/// A push service tells the operator of trouble there.
pub fn push(settings: &Settings) -> Result<PushConfig, ConfigError> {
    let subject = settings.text("push.subject");
    if !subject.is_empty() && !["mailto:", "https:"].iter().any(|scheme| subject.starts_with(scheme)) {
        return Err(wrong(settings, "push.subject", "wants mailto:address or https:address, or nothing"));
    }
    Ok(PushConfig { subject: subject.to_owned(), preview: settings.parsed("push.preview", "true or false")? })
}

/// No two listeners want the same port of the same address. Port 0 is the system's choice and
/// always free.
pub fn ports(settings: &Settings) -> Result<(), ConfigError> {
    let mut listeners: Vec<(&str, String, u16)> = Vec::new();
    let cim: bool = settings.parsed("compat.cim.enabled", "true or false")?;
    let cim: &[&str] = if cim { &["compat.cim.http", "compat.cim.listen"] } else { &[] };
    for name in ["client.listen", "http.listen", "cluster.listen"].iter().chain(cim) {
        let address = settings.address(name)?;
        let Some((host, port)) = address.rsplit_once(':') else { continue };
        let port = port.parse::<u16>().unwrap_or_default();
        let taken = listeners.iter().find(|other| port != 0 && other.2 == port && overlap(&other.1, host));
        if let Some((other, ..)) = taken {
            return Err(wrong(settings, name, format!("{other} listens there already: choose another port")));
        }
        listeners.push((name, host.to_owned(), port));
    }
    Ok(())
}

/// Whether two hosts to listen on include the same address, as far as that can be known without
/// asking for their names.
fn overlap(one: &str, other: &str) -> bool {
    let address = |host: &str| match host.trim_start_matches('[').trim_end_matches(']') {
        "localhost" => Some(IpAddr::from([127, 0, 0, 1])),
        host => host.parse::<IpAddr>().ok(),
    };
    match (address(one), address(other)) {
        (Some(one), Some(other)) => one == other || one.is_unspecified() || other.is_unspecified(),
        (Some(known), None) | (None, Some(known)) => known.is_unspecified(),
        (None, None) => one == other,
    }
}

pub fn client_tls(settings: &Settings) -> Result<ClientTls, ConfigError> {
    let insecure: bool = settings.parsed("client.insecure", "true or false")?;
    let file = |name: &str| match settings.text(name) {
        "" => None,
        path => Some(PathBuf::from(path)),
    };
    let own = match (file("client.tls_cert"), file("client.tls_key")) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        (Some(_), None) => return Err(wrong(settings, "client.tls_cert", "wants client.tls_key as well")),
        (None, Some(_)) => return Err(wrong(settings, "client.tls_key", "wants client.tls_cert as well")),
    };
    if let Some((certificate, key)) = &own {
        read(certificate, key)?;
    }
    let without_authority: bool = settings.parsed("cluster.insecure", "true or false")?;
    let listen = settings.text("client.listen");
    if own.is_none() && without_authority && !insecure && !is_loopback(listen) {
        return Err(wrong(
            settings,
            "client.listen",
            "passwords and messages would cross the network in plain text, because a cluster without TLS has no authority to sign a \
             certificate for clients: give client.tls_cert and client.tls_key, or run the cluster with a join token, or set \
             client.insecure = true if the network is yours alone",
        ));
    }
    Ok(ClientTls { own, insecure })
}

/// The files of an own certificate, at the start and at each reload.
pub fn read(certificate: &Path, key: &Path) -> Result<ClientIdentity, ConfigError> {
    ClientIdentity::read(certificate, key).map_err(|why| ConfigError(format!("client.tls_cert, client.tls_key: {why}")))
}

/// The address for clients. An address off loopback means TLS to them, unless its scheme says
/// otherwise.
pub fn client_address(settings: &Settings, tls: &ClientTls, told: String) -> Result<String, ConfigError> {
    match told.split_once("://") {
        None if tls.insecure && !told.is_empty() && !is_loopback(&told) => Ok(format!("tcp://{told}")),
        None | Some(("tls", _)) => Ok(told),
        Some(("tcp", host)) if tls.insecure || is_loopback(host) => Ok(told),
        Some(("tcp", _)) => Err(wrong(settings, "client.advertise", "plain text wants client.insecure = true")),
        Some(_) => Err(wrong(settings, "client.advertise", "wants host:port, tls://host:port or tcp://host:port")),
    }
}

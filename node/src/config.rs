//! Configuration: file, then environment, then flags; each later source wins.
//!
//! [`KEYS`] is the whole list: every key has a name in the file, a variable, a flag, a default and
//! a sentence. A key that is not in the list is refused with the nearest one as a suggestion; of a
//! variable only a warning is made, since others may set those. [`Settings`] remembers where each
//! value came from, so that `troupe config explain` can say it. [`Config`] is the typed result that
//! the rest of the node sees.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::logging;
use troupe_actors::budgets::Limits;
use troupe_core::Username;
use troupe_edge_websocket::handshake::Origins;
use troupe_raft::api::{ClusterConfig, LoginPolicy, LowMark, Registration, Settings as ClusterSettings, Strangers};
use troupe_raft::level::Support;
pub use troupe_runtime::net::is_loopback;

mod advertise;
mod cim;
mod environment;
mod explain;
mod flags;
mod keys;
mod limits;
mod lines;
mod sample;
mod schema;
mod validate;

pub use environment::Variable;
pub use explain::{explain, explain_json};
pub use flags::Keys;
pub use keys::{KEYS, Key};
pub use sample::init;
pub use schema::schema;
pub use validate::read as read_certificate;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    Default,
    /// The file and the line, if it is known.
    File(PathBuf, Option<usize>),
    Environment(String),
    Flag(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Default => f.write_str("default"),
            Source::File(path, None) => write!(f, "file {}", path.display()),
            Source::File(path, Some(line)) => write!(f, "file {}:{line}", path.display()),
            Source::Environment(name) => write!(f, "variable {name}"),
            Source::Flag(name) => write!(f, "flag --{name}"),
        }
    }
}

/// The text says what to change.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0}")]
pub struct ConfigError(pub String);

/// Every key's value as text, and where it came from.
#[derive(Clone, Debug)]
pub struct Settings {
    values: BTreeMap<&'static str, (String, Source)>,
    warnings: Vec<String>,
}

impl Settings {
    /// Gathers all sources. `flags` are (key name, value) pairs of the command line; `known` are
    /// variables of the environment that other verbs read.
    pub fn gather(
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
        flags: &[(&'static str, String)],
        known: &BTreeSet<String>,
    ) -> Result<Settings, ConfigError> {
        let mut values: BTreeMap<_, _> =
            KEYS.iter().map(|key| (key.name, (key.default.to_owned(), Source::Default))).collect();

        if let Some(path) = file {
            let text = std::fs::read_to_string(path)
                .map_err(|e| ConfigError(format!("cannot read the configuration {}: {e}", path.display())))?;
            let lines = lines::of(&text);
            for (name, value) in flatten(&text, path)? {
                let source = Source::File(path.to_owned(), lines.get(&name).copied());
                let key = find(&name).ok_or_else(|| unknown("key", &name, &source.to_string()))?;
                values.insert(key.name, (value, source));
            }
        }
        let mut warnings = Vec::new();
        for (variable, value) in environment {
            match environment::judge(&variable, &value, known) {
                Variable::Key(key) => drop(values.insert(key.name, (value, Source::Environment(variable)))),
                Variable::Foreign => {}
                Variable::Unknown(warning) => warnings.push(warning),
            }
        }
        for (name, value) in flags {
            let key = find(name).ok_or_else(|| unknown("flag", name, "the command line"))?;
            values.insert(key.name, (value.clone(), Source::Flag(key.flag())));
        }
        Ok(Settings { values, warnings })
    }

    /// Skipped settings, in words for the operator.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Keys whose values differ, in order.
    pub fn changed(&self, other: &Settings) -> Vec<&'static str> {
        KEYS.iter().map(|key| key.name).filter(|name| self.text(name) != other.text(name)).collect()
    }

    pub fn get(&self, name: &str) -> (&str, &Source) {
        let (value, source) = &self.values[name];
        (value, source)
    }

    fn text(&self, name: &str) -> &str {
        self.get(name).0
    }

    fn parsed<T: std::str::FromStr>(&self, name: &str, wants: &str) -> Result<T, ConfigError> {
        let (value, source) = self.get(name);
        value.parse().map_err(|_| ConfigError(format!("{name} = \"{value}\" ({source}): wants {wants}")))
    }

    fn number(&self, name: &str, low: u64, high: u64) -> Result<u64, ConfigError> {
        let wants = format!("a number from {low} to {high}");
        let number = self.parsed(name, &wants)?;
        if (low..=high).contains(&number) {
            return Ok(number);
        }
        let (value, source) = self.get(name);
        Err(ConfigError(format!("{name} = \"{value}\" ({source}): wants {wants}")))
    }

    fn address(&self, name: &str) -> Result<String, ConfigError> {
        let (value, source) = self.get(name);
        let good = value.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
        if good {
            Ok(value.to_owned())
        } else {
            Err(ConfigError(format!("{name} = \"{value}\" ({source}): wants host:port")))
        }
    }
}

fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

fn unknown(what: &str, name: &str, place: &str) -> ConfigError {
    let nearest = KEYS.iter().map(|key| key.name).min_by_key(|known| strsim::damerau_levenshtein(known, name));
    ConfigError(format!("unknown {what} \"{name}\" in {place}; did you mean \"{}\"?", nearest.unwrap_or_default()))
}

/// TOML tables to dotted names. Lists become comma-separated text.
fn flatten(text: &str, path: &Path) -> Result<Vec<(String, String)>, ConfigError> {
    fn walk(prefix: &str, table: &toml::Table, out: &mut Vec<(String, String)>) -> Result<(), String> {
        for (name, value) in table {
            let name = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            match value {
                toml::Value::Table(inner) => walk(&name, inner, out)?,
                toml::Value::Array(items) => {
                    let items: Option<Vec<_>> = items.iter().map(toml::Value::as_str).collect();
                    out.push((name.clone(), items.ok_or(format!("{name}: a list holds texts"))?.join(",")));
                }
                toml::Value::String(text) => out.push((name, text.clone())),
                other => out.push((name, other.to_string())),
            }
        }
        Ok(())
    }
    let table: toml::Table = text.parse().map_err(|e| ConfigError(format!("{}: {e}", path.display())))?;
    let mut out = Vec::new();
    walk("", &table, &mut out).map_err(|e| ConfigError(format!("{}: {e}", path.display())))?;
    Ok(out)
}

/// The configuration of the node.
#[derive(Clone, Debug)]
pub struct Config {
    pub data_dir: PathBuf,
    pub client_listen: String,
    pub limits: Limits,
    pub client_tls: ClientTls,
    pub http_listen: String,
    /// Web pages that may connect.
    pub origins: Origins,
    /// The control of a demo, which the web client may ask for faults.
    pub control: Option<String>,
    /// For clients of CIM; `None`: they are not served.
    pub cim: Option<troupe_edge_cim::Config>,
    pub hooks: troupe_edge_http::ReceiversConfig,
    /// Of receivers of hooks.
    pub authorities: PathBuf,
    pub debug_replica: bool,
    pub drain_seconds: u64,
    pub log_filter: String,
    pub log_format: logging::Format,
    pub cluster: ClusterConfig,
    /// Bytes of each shard's log that stay for an archive.
    pub log_kept: u64,
    /// Where connections to other nodes leave from; `None`: the system chooses.
    pub outgoing: Option<IpAddr>,
}

/// How clients are served: with TLS, and without it where that is safe or wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientTls {
    /// The operator's own certificate chain and key; `None`: one from the cluster's authority.
    pub own: Option<(PathBuf, PathBuf)>,
    pub insecure: bool,
}

impl Config {
    pub fn from_settings(settings: &Settings) -> Result<Config, ConfigError> {
        let data_dir = PathBuf::from(settings.text("data.dir"));
        let client_listen = settings.address("client.listen")?;
        let http_listen = settings.address("http.listen")?;
        let cluster_listen = settings.address("cluster.listen")?;
        let join: Vec<String> = settings
            .text("cluster.join")
            .split(',')
            .map(str::trim)
            .filter(|s| !s.is_empty())
            .map(str::to_owned)
            .collect();
        for address in &join {
            if !address.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok()) {
                let source = settings.get("cluster.join").1;
                return Err(ConfigError(format!("cluster.join ({source}): \"{address}\" is not host:port")));
            }
        }
        let login_policy = match settings.text("cluster.login_policy") {
            "replace" => LoginPolicy::Replace,
            "refuse" => LoginPolicy::Refuse,
            other => {
                let source = settings.get("cluster.login_policy").1;
                return Err(ConfigError(format!(
                    "cluster.login_policy = \"{other}\" ({source}): wants replace or refuse"
                )));
            }
        };
        let registration = Registration::named(settings.text("cluster.registration")).ok_or_else(|| {
            let (value, source) = settings.get("cluster.registration");
            ConfigError(format!("cluster.registration = \"{value}\" ({source}): wants open, invite or closed"))
        })?;
        let first_admin = settings.text("cluster.first_admin").to_owned();
        if !first_admin.is_empty() && Username::for_operator(&first_admin).is_err() {
            let source = settings.get("cluster.first_admin").1;
            return Err(ConfigError(format!(
                "cluster.first_admin = \"{first_admin}\" ({source}): wants a user's name"
            )));
        }
        let strangers = Strangers::named(settings.text("contacts.strangers")).ok_or_else(|| {
            let (value, source) = settings.get("contacts.strangers");
            ConfigError(format!("contacts.strangers = \"{value}\" ({source}): wants invite or add"))
        })?;
        let debug_replica = settings.parsed("debug.replica", "true or false")?;
        if debug_replica && !is_loopback(&http_listen) {
            return Err(ConfigError("debug.replica shows every message: it wants http.listen on loopback".into()));
        }
        let outgoing = match settings.text("cluster.outgoing") {
            "" => None,
            _ => Some(settings.parsed("cluster.outgoing", "an IP address")?),
        };
        validate::ports(settings)?;
        let told = advertise::told(settings, &join)?;
        let client_tls = validate::client_tls(settings)?;
        let cluster = ClusterConfig {
            advertise: told.cluster,
            listen: cluster_listen,
            join,
            token: token(settings)?,
            insecure: settings.parsed("cluster.insecure", "true or false")?,
            client_address: validate::client_address(settings, &client_tls, told.client)?,
            http_address: told.http,
            shards: settings.number("cluster.shards", 1, 256)? as u32,
            replication: settings.number("cluster.replication", 1, 7)? as usize,
            data_dir: Some(data_dir.clone()),
            login_policy,
            storage_low_mark: low_mark(settings)?,
            settings: ClusterSettings {
                registration,
                session_idle: settings.number("cluster.session_idle", 0, 100 * 365 * 24 * 3600)?,
                first_admin,
                strangers,
                ..ClusterSettings::default()
            },
            supports: Support::from_environment(),
            auto_finalize: Duration::from_secs(settings.number("cluster.auto_finalize", 0, 30 * 24 * 3600)?),
            replace_after: Duration::from_secs(settings.number("cluster.replace_after", 1, 30 * 24 * 3600)?),
        };
        let origins = validate::origins(settings, [&http_listen, &cluster.http_address, &cluster.client_address])?;
        Ok(Config {
            data_dir,
            client_listen,
            origins,
            control: validate::control(settings)?,
            limits: limits::limits(settings)?,
            client_tls,
            http_listen,
            cim: cim::cim(settings)?,
            hooks: troupe_edge_http::ReceiversConfig {
                private: settings.parsed("hooks.private", "true or false")?,
                push: validate::push(settings)?,
                ..Default::default()
            },
            authorities: settings.text("hooks.authorities").into(),
            debug_replica,
            drain_seconds: settings.number("drain.seconds", 1, 3600)?,
            log_filter: validate::log_filter(settings)?,
            log_format: settings.parsed("log.format", "auto, human or json")?,
            cluster,
            log_kept: settings.number("cluster.log_kept", 0, 65_536)? << 20,
            outgoing,
        })
    }
}

fn low_mark(settings: &Settings) -> Result<LowMark, ConfigError> {
    let (value, source) = settings.get("storage.low_mark");
    value.parse().map_err(|wants| ConfigError(format!("storage.low_mark = \"{value}\" ({source}): wants {wants}")))
}

fn token(settings: &Settings) -> Result<Option<String>, ConfigError> {
    let inline = settings.text("cluster.token");
    let file = settings.text("cluster.token_file");
    let text = match (inline.is_empty(), file.is_empty()) {
        (true, true) => return Ok(None),
        (false, true) => inline.trim().to_owned(),
        (true, false) => std::fs::read_to_string(file)
            .map(|text| text.trim().to_owned())
            .map_err(|e| ConfigError(format!("cluster.token_file = \"{file}\": {e}")))?,
        (false, false) => return Err(ConfigError("set cluster.token or cluster.token_file, not both".into())),
    };
    validate::token(settings, text).map(Some)
}

#[cfg(test)]
mod tests;

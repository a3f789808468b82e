//! Configuration: file, then environment, then flags; each later source wins.
//!
//! [`KEYS`] is the whole list: every key has a name in the file, a variable, a flag, a default and
//! a sentence. A key that is not in the list is refused with the nearest one as a suggestion; of a
//! variable only a warning is made, since others may set those. [`Settings`] remembers where each
//! value came from, so that `troupe config explain` can say it. [`Config`] is the typed result that
//! the rest of the node sees.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::logging;
use troupe_actors::budgets::Limits;
use troupe_core::Username;
use troupe_raft::cluster::{ClusterConfig, LoginPolicy};
use troupe_raft::level::Support;
use troupe_raft::meta::{Registration, Settings as ClusterSettings, Strangers};
use troupe_raft::space::LowMark;
pub use troupe_runtime::net::is_loopback;

mod advertise;
mod environment;
mod limits;
mod validate;

pub use environment::Variable;
pub use validate::read as read_certificate;

/// One thing that can be set.
pub struct Key {
    /// Dotted name in the file; the flag is the same with dashes (`--client-listen`).
    pub name: &'static str,
    pub default: &'static str,
    pub about: &'static str,
}

impl Key {
    /// `client.listen` is set by `TROUPE_CLIENT_LISTEN`.
    pub fn variable(&self) -> String {
        format!("TROUPE_{}", self.name.replace(['.', '-'], "_").to_uppercase())
    }

    pub fn flag(&self) -> String {
        self.name.replace(['.', '_'], "-")
    }
}

macro_rules! keys {
    ($($name:literal = $default:literal, $about:literal;)*) => {
        /// Every key there is.
        pub const KEYS: &[Key] = &[$(Key { name: $name, default: $default, about: $about }),*];
    };
}

keys! {
    "data.dir" = "./troupe-data", "folder of this node's data; one node per folder";
    "client.listen" = "127.0.0.1:7700", "host:port for clients (native protocol)";
    "client.advertise" = "", "host:port that clients are told; empty: the listen address, or nothing if only this machine reaches that";
    "client.tls_cert" = "", "PEM file with the certificate chain that clients are shown; empty: one from the cluster's authority";
    "client.tls_key" = "", "PEM file with the private key of client.tls_cert";
    "client.insecure" = "false", "serve clients without TLS although client.listen is not on loopback";
    "http.listen" = "127.0.0.1:7780", "host:port for health, metrics and status";
    "http.advertise" = "", "host:port that tools are told; empty: the listen address, or nothing if only this machine reaches that";
    "cluster.listen" = "127.0.0.1:7800", "host:port for the other nodes";
    "cluster.advertise" = "", "host:port that other nodes dial, as in the join list; empty: the listen address";
    "cluster.outgoing" = "", "address of this machine that connections to other nodes leave from; empty: the system's choice";
    "cluster.join" = "", "cluster addresses of all founding nodes, comma-separated; empty: a cluster of one";
    "cluster.token" = "", "the cluster's join token (secret: prefer the variable or cluster.token_file)";
    "cluster.token_file" = "", "file that holds the join token";
    "cluster.insecure" = "false", "no TLS between nodes; only on loopback";
    "cluster.shards" = "12", "shards of a newborn cluster, 1 to 256";
    "cluster.replication" = "3", "replicas of each shard of a newborn cluster, capped by the number of its nodes at any time";
    "cluster.replace_after" = "600", "seconds after which a node that cannot be reached is replaced, where others have room";
    "cluster.auto_finalize" = "600", "seconds for which all nodes must have run a newer version before its feature level comes into force by itself; 0: only by troupe cluster upgrade finalize";
    "cluster.login_policy" = "replace", "second login of a user: replace (per device) or refuse (as CIM)";
    "cluster.registration" = "open", "who may register in a newborn cluster: open, invite (with a code) or closed";
    "cluster.session_idle" = "2592000", "seconds after which an unused session ends in a newborn cluster; 0: never";
    "cluster.first_admin" = "admin", "administrator that a newborn cluster makes, with a one-time password in the log; empty: none";
    "limits.user_rate" = "1000", "units per second that one user may use; a short message is one unit; 0: no limit";
    "limits.user_burst" = "5000", "units that one user may use at once after a rest";
    "limits.address_rate" = "5000", "units per second of all users of one address (of a /64 with IPv6); 0: no limit";
    "limits.address_burst" = "20000", "units that one address may use at once after a rest";
    "limits.entry_rate" = "50", "greetings, logins and resumed sessions per second from one address; 0: no limit";
    "limits.entry_burst" = "1000", "greetings, logins and resumed sessions from one address at once after a rest";
    "limits.login_rate" = "60", "logins and registrations per minute from one address; each hashes a password; 0: no limit";
    "limits.login_burst" = "40", "logins and registrations from one address at once after a rest";
    "limits.accounts_per_day" = "300", "accounts that one address may register in a day; 0: no limit";
    "limits.accounts_burst" = "30", "accounts that one address may register at once after a rest";
    "limits.messages_per_day" = "1000000", "messages that one user may send in a day; 0: no limit";
    "limits.bytes_per_day" = "1073741824", "bytes of messages that one user may send in a day; 0: no limit";
    "limits.groups_per_day" = "1000", "groups that one user may make in a day; 0: no limit";
    "limits.connections" = "65536", "client connections of this node; above it those without a login make room";
    "limits.address_connections" = "1024", "client connections from one address";
    "limits.active_entities" = "20000", "users and conversations whose actors are awake on this node; the longest idle rest first";
    "limits.output_bytes" = "134217728", "bytes that may wait for all clients of this node together";
    "limits.loopback_factor" = "50", "how many times as much a loopback address may do; 1: as any other address";
    "storage.low_mark" = "10%", "free space below which sends are refused: percent of the disk (within 256M and 2G, at most half of it), or bytes such as 500M";
    "contacts.strangers" = "invite", "a user that a stranger adds to a group in a newborn cluster: invite (enters when it accepts) or add (is in at once)";
    "log.filter" = "info", "what to log, for instance info,troupe_raft=debug";
    "log.format" = "auto", "human, json, or auto: human on a terminal";
    "drain.seconds" = "10", "longest time for a graceful stop";
    "debug.replica" = "false", "serve this node's applied rows over HTTP, for checkers; only on loopback";
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    Default,
    File(PathBuf),
    Environment(String),
    Flag(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Default => f.write_str("default"),
            Source::File(path) => write!(f, "file {}", path.display()),
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
    /// Gathers all sources. `flags` are (key name, value) pairs of the command line.
    pub fn gather(
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
        flags: &[(&'static str, String)],
    ) -> Result<Settings, ConfigError> {
        let mut values: BTreeMap<_, _> =
            KEYS.iter().map(|key| (key.name, (key.default.to_owned(), Source::Default))).collect();

        if let Some(path) = file {
            let text = std::fs::read_to_string(path)
                .map_err(|e| ConfigError(format!("cannot read the configuration {}: {e}", path.display())))?;
            for (name, value) in flatten(&text, path)? {
                let key = find(&name).ok_or_else(|| unknown("key", &name, &format!("{}", path.display())))?;
                values.insert(key.name, (value, Source::File(path.to_owned())));
            }
        }
        let mut warnings = Vec::new();
        for (variable, value) in environment {
            match environment::judge(&variable, &value) {
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

    /// What was passed over, in words for the operator.
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

/// What the node runs with.
#[derive(Clone, Debug)]
pub struct Config {
    pub data_dir: PathBuf,
    pub client_listen: String,
    pub limits: Limits,
    pub client_tls: ClientTls,
    pub http_listen: String,
    pub debug_replica: bool,
    pub drain_seconds: u64,
    pub log_filter: String,
    pub log_format: logging::Format,
    pub cluster: ClusterConfig,
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
            },
            supports: Support::from_environment(),
            auto_finalize: Duration::from_secs(settings.number("cluster.auto_finalize", 0, 30 * 24 * 3600)?),
            replace_after: Duration::from_secs(settings.number("cluster.replace_after", 1, 30 * 24 * 3600)?),
        };
        Ok(Config {
            data_dir,
            client_listen,
            limits: limits::limits(settings)?,
            client_tls,
            http_listen,
            debug_replica,
            drain_seconds: settings.number("drain.seconds", 1, 3600)?,
            log_filter: validate::log_filter(settings)?,
            log_format: settings.parsed("log.format", "auto, human or json")?,
            cluster,
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

/// What `troupe config explain` prints: one key, or all. Secrets are not shown.
pub fn explain(settings: &Settings, only: Option<&str>) -> Result<String, ConfigError> {
    let keys: Vec<&Key> = match only {
        Some(name) => vec![find(name).ok_or_else(|| unknown("key", name, "config explain"))?],
        None => KEYS.iter().collect(),
    };
    let mut out = String::new();
    for key in keys {
        let (value, source) = settings.get(key.name);
        let shown = if key.name == "cluster.token" && !value.is_empty() { "(secret)" } else { value };
        out.push_str(&format!(
            "{} = \"{shown}\"  ({source})\n    {}\n    default \"{}\", variable {}, flag --{}\n",
            key.name,
            key.about,
            key.default,
            key.variable(),
            key.flag()
        ));
    }
    Ok(out)
}

#[cfg(test)]
mod tests;

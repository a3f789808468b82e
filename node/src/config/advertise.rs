//! The advertised addresses of this node.
//!
//! The advertised address is the configured one, or else the listener's. `0.0.0.0` is never
//! advertised, since it leads nowhere: the operator must then configure the address. A loopback
//! address is advertised only where the whole cluster is on loopback: on another host it leads to
//! that host itself.

use troupe_raft::api::address::{Reach, misfit};

use super::{ConfigError, Settings};

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub cluster: String,
    /// Empty: not advertised.
    pub client: String,
    pub http: String,
}

pub(super) fn told(settings: &Settings, join: &[String]) -> Result<Told, ConfigError> {
    let Tellable { key, address: cluster, .. } = tellable(settings, "cluster", "other nodes")?;
    if let Some(why) =
        misfit(&cluster, join.iter().map(String::as_str)).filter(|_| Reach::of(&cluster) == Reach::Loopback)
    {
        let (_, source) = settings.get(&key);
        return Err(ConfigError(format!("{key} ({source}): {why}")));
    }
    let near = Reach::of(&cluster) == Reach::Loopback;
    let serves = |what: &str, whom: &str| -> Result<String, ConfigError> {
        let Tellable { key, address, chosen } = tellable(settings, what, whom)?;
        if near || Reach::of(&address) == Reach::Elsewhere {
            return with_port(settings, &key, address);
        }
        if chosen {
            let (_, source) = settings.get(&key);
            return Err(ConfigError(format!(
                "{key} = \"{address}\" ({source}): from another host it leads to that host itself, and this node's cluster \
                 address {cluster} is for other hosts; give an address that they reach, or leave it out"
            )));
        }
        Ok(String::new())
    };
    Ok(Told { client: serves("client", "clients")?, http: serves("http", "tools")?, cluster })
}

struct Tellable {
    key: String,
    address: String,
    /// For telling, not only for listening.
    chosen: bool,
}

fn tellable(settings: &Settings, what: &str, whom: &str) -> Result<Tellable, ConfigError> {
    let (listen, advertise) = (format!("{what}.listen"), format!("{what}.advertise"));
    let chosen = !settings.text(&advertise).is_empty();
    let key = if chosen { advertise.clone() } else { listen };
    let address = settings.address(&key)?;
    if Reach::of(&address) == Reach::Unspecified {
        let (_, source) = settings.get(&key);
        return Err(ConfigError(format!(
            "{key} = \"{address}\" ({source}): it means all addresses of this machine and leads {whom} nowhere; say which one \
             they dial: {advertise} = \"host:port\""
        )));
    }
    Ok(Tellable { key, address, chosen })
}

/// The cluster port says itself which one the system chose; the others do not.
fn with_port(settings: &Settings, key: &str, address: String) -> Result<String, ConfigError> {
    if !address.ends_with(":0") {
        return Ok(address);
    }
    let (_, source) = settings.get(key);
    Err(ConfigError(format!("{key} = \"{address}\" ({source}): wants a port that others can dial, and 0 is none")))
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    fn config(flags: &[(&'static str, &str)]) -> Result<Told, String> {
        let flags: Vec<_> = flags.iter().map(|(key, value)| (*key, value.to_string())).collect();
        let settings = Settings::gather(None, std::iter::empty(), &flags, &Default::default()).expect("gathered");
        let config = Config::from_settings(&settings).map_err(|error| error.to_string())?;
        let cluster = config.cluster;
        Ok(Told { cluster: cluster.advertise, client: cluster.client_address, http: cluster.http_address })
    }

    fn told(cluster: &str, client: &str, http: &str) -> Result<Told, String> {
        Ok(Told { cluster: cluster.into(), client: client.into(), http: http.into() })
    }

    #[test]
    fn all_addresses_of_a_machine_are_told_nobody() {
        for what in ["cluster", "client", "http"] {
            for nowhere in ["0.0.0.0:7", "[::]:7"] {
                let (listen, advertise): (&'static str, &'static str) = match what {
                    "cluster" => ("cluster.listen", "cluster.advertise"),
                    "client" => ("client.listen", "client.advertise"),
                    _ => ("http.listen", "http.advertise"),
                };
                let refused = config(&[(listen, nowhere)]).unwrap_err();
                assert!(
                    refused.contains(&format!("{listen} = \"{nowhere}\"")) && refused.contains(advertise),
                    "{refused}"
                );
                assert!(config(&[(advertise, nowhere)]).unwrap_err().contains("leads"));
                config(&[(listen, nowhere), (advertise, "127.0.0.1:7")]).expect("an address is given");
            }
        }
    }

    #[test]
    fn on_one_machine_loopback_is_told() {
        assert_eq!(config(&[]), told("127.0.0.1:7800", "127.0.0.1:7700", "127.0.0.1:7780"));
        assert!(config(&[("http.listen", "127.0.0.1:0")]).unwrap_err().contains("0 is none"));
        config(&[("cluster.listen", "127.0.0.2:1"), ("cluster.join", "127.0.0.1:1,localhost:2")]).expect("one machine");
    }

    /// README's command for several hosts.
    #[test]
    fn what_only_this_machine_reaches_is_told_to_no_other_host() {
        let hosts = ("cluster.join", "a:7800,b:7800,c:7800");
        let (cluster, client) = (("cluster.listen", "a:7800"), ("client.listen", "a:7700"));
        assert_eq!(config(&[hosts, cluster, client]), told("a:7800", "a:7700", ""));
        assert_eq!(config(&[hosts, cluster]), told("a:7800", "", ""));
        let shown = ("http.advertise", "a:7780");
        assert_eq!(config(&[hosts, cluster, client, shown]), told("a:7800", "a:7700", "a:7780"));
        let refused = config(&[hosts, cluster, ("client.advertise", "localhost:1")]).unwrap_err();
        assert!(refused.contains("client.advertise") && refused.contains("leads to that host itself"), "{refused}");
    }

    #[test]
    fn a_node_on_loopback_joins_no_other_host() {
        let refused = config(&[("cluster.join", "10.0.0.1:7800")]).unwrap_err();
        assert!(refused.starts_with("cluster.listen (default)") && refused.contains("10.0.0.1:7800"), "{refused}");
        // A neighbour may be named by loopback.
        let near = [("cluster.join", "127.0.0.1:7800"), ("cluster.listen", "10.0.0.1:7801")];
        config(&near).expect("a list is not advertised");
    }
}

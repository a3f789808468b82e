//! Variables that begin with `TROUPE_`: configuration keys, those of other verbs, and those that an
//! orchestrator puts there.

use std::collections::BTreeSet;

use super::{KEYS, Key};

pub enum Variable {
    Key(&'static Key),
    /// Not the configuration's business.
    Foreign,
    /// Passed over, with a warning: it may be a typing error, and it may be somebody else's.
    Unknown(String),
}

/// Read before the command line.
const EARLY: &[&str] = &[crate::contexts::VARIABLE];
/// Read by no verb's command line, and only in a build that can carry planted bugs.
const OTHERS: &[&str] =
    if cfg!(feature = "planted-bugs") { &["TROUPE_PLANTED_BUG", "TROUPE_PRETEND_LEVEL"] } else { &[] };

pub fn judge(name: &str, value: &str, known: &BTreeSet<String>) -> Variable {
    if !name.starts_with("TROUPE_") {
        return Variable::Foreign;
    }
    if let Some(key) = KEYS.iter().find(|key| key.variable() == name) {
        return Variable::Key(key);
    }
    if EARLY.contains(&name) || OTHERS.contains(&name) || known.contains(name) || is_injected(name, value) {
        return Variable::Foreign;
    }
    let nearest = KEYS.iter().map(Key::variable).min_by_key(|known| strsim::damerau_levenshtein(known, name));
    let nearest = nearest.unwrap_or_default();
    Variable::Unknown(format!("the variable {name} sets nothing and is passed over; did you mean {nearest}?"))
}

/// Kubernetes gives each pod such variables for every service in its namespace, and a service may
/// be named `troupe`: `TROUPE_SERVICE_HOST`, `TROUPE_SERVICE_PORT_CLIENTS`, `TROUPE_PORT` (a URL),
/// `TROUPE_PORT_7700_TCP_ADDR`.
fn is_injected(name: &str, value: &str) -> bool {
    if name.ends_with("_SERVICE_HOST") || name.ends_with("_SERVICE_PORT") || name.contains("_SERVICE_PORT_") {
        return true;
    }
    if name.ends_with("_PORT") && value.contains("://") {
        return true;
    }
    let Some((_, port)) = name.split_once("_PORT_") else { return false };
    let mut parts = port.split('_');
    let number = parts.next().is_some_and(|part| part.parse::<u16>().is_ok());
    let protocol = parts.next().is_some_and(|part| matches!(part, "TCP" | "UDP" | "SCTP"));
    let rest = matches!(parts.next(), None | Some("PROTO" | "PORT" | "ADDR")) && parts.next().is_none();
    number && protocol && rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(name: &str, value: &str) -> &'static str {
        match judge(name, value, &crate::cli::variables()) {
            Variable::Key(_) => "key",
            Variable::Foreign => "foreign",
            Variable::Unknown(_) => "unknown",
        }
    }

    #[test]
    fn every_variable_has_its_place() {
        for (name, value, wanted) in [
            ("PATH", "/bin", "foreign"),
            ("TROUPE_CLIENT_LISTEN", "a:1", "key"),
            // Of other verbs: `troupe backup`, `troupe chat`, `troupe node`.
            ("TROUPE_CLUSTER", "a:7800", "foreign"),
            ("TROUPE_PASSWORD", "secret", "foreign"),
            ("TROUPE_SERVER", "a:7700", "foreign"),
            ("TROUPE_HTTP", "a:7780", "foreign"),
            ("TROUPE_CONTEXT", "home", "foreign"),
            ("TROUPE_PLANTED_BUG", "stale_read", if cfg!(feature = "planted-bugs") { "foreign" } else { "unknown" }),
            // Of Kubernetes, for services named troupe and troupe-http.
            ("TROUPE_SERVICE_HOST", "10.0.0.1", "foreign"),
            ("TROUPE_SERVICE_PORT", "7700", "foreign"),
            ("TROUPE_SERVICE_PORT_CLIENTS", "7700", "foreign"),
            ("TROUPE_PORT", "tcp://10.0.0.1:7700", "foreign"),
            ("TROUPE_PORT_7700_TCP", "tcp://10.0.0.1:7700", "foreign"),
            ("TROUPE_PORT_7700_TCP_ADDR", "10.0.0.1", "foreign"),
            ("TROUPE_HTTP_PORT_7780_TCP_PROTO", "tcp", "foreign"),
            // Of a person, with a typing error.
            ("TROUPE_CLIENT_LISTNE", "a:1", "unknown"),
            ("TROUPE_PORT", "7700", "unknown"),
            ("TROUPE_PORT_7700_TCP_COLOUR", "red", "unknown"),
        ] {
            assert_eq!(kind(name, value), wanted, "{name}");
        }
        let Variable::Unknown(text) = judge("TROUPE_CLIENT_LISTNE", "a:1", &BTreeSet::new()) else { panic!("known") };
        assert!(text.contains("TROUPE_CLIENT_LISTEN"), "{text}");
    }
}

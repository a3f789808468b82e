//! Findings from facts.

use std::time::Duration;

use super::facts::{Bound, Disk, Facts, Folder, Medium, Node, Own, Peer, Port, Reached, Validity};
use crate::descriptors;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Ok,
    Warn,
    Fail,
}

impl Level {
    pub fn word(self) -> &'static str {
        match self {
            Level::Ok => "ok",
            Level::Warn => "warn",
            Level::Fail => "fail",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub check: &'static str,
    pub level: Level,
    /// Its entry of the catalogue, which has the advice; `None` if all is well.
    pub code: Option<&'static str>,
    pub found: String,
}

/// A synced write that takes longer is worth a warning. A disk with power-loss protection takes
/// less than a millisecond, one that rotates about ten.
const SLOW: Duration = Duration::from_millis(20);
/// Each send would wait as long, twice.
const TOO_SLOW: Duration = Duration::from_millis(250);
/// Differences of clocks up to this are without effect.
const SKEW_MS: i64 = 2_000;
/// The date of an answer is cut to the second, and the answer takes a while.
const SKEW_BY_DATE_MS: i64 = SKEW_MS + 1_500;
const CERTIFICATE_SOON: i64 = 21 * 24 * 3600;
const MIB: u64 = 1024 * 1024;

fn ok(check: &'static str, found: impl Into<String>) -> Finding {
    Finding { check, level: Level::Ok, code: None, found: found.into() }
}

fn warn(check: &'static str, code: &'static str, found: impl Into<String>) -> Finding {
    Finding { check, level: Level::Warn, code: Some(code), found: found.into() }
}

fn fail(check: &'static str, code: &'static str, found: impl Into<String>) -> Finding {
    Finding { check, level: Level::Fail, code: Some(code), found: found.into() }
}

/// All findings, in the order of the checks.
pub fn judge(facts: &Facts) -> Vec<Finding> {
    let mut findings = configuration(facts);
    findings.extend(facts.descriptors.map(|(_, hard)| descriptors(hard, facts.connections)));
    findings.extend(facts.folder.iter().flat_map(folder));
    findings.extend(facts.open_secrets.iter().map(|path| {
        warn("permissions", "secret_open", format!("any user of this machine can read {}", path.display()))
    }));
    findings.extend(facts.disk.iter().flat_map(|found| disk(found, facts.mark.bytes(found.total))));
    findings.extend(facts.ports.iter().map(|found| port(found, facts.own.is_some())));
    findings
        .extend(facts.certificate.iter().map(|(path, validity)| certificate(&path.display().to_string(), *validity)));
    findings.extend(facts.peers.iter().map(peer));
    findings.extend(facts.own.iter().map(readiness));
    findings.extend(
        facts
            .nodes
            .iter()
            .filter(|node| !node.answers)
            .map(|node| warn("nodes", "node_silent", format!("node {} does not answer at {}", node.id, node.address))),
    );
    if facts.wrong.is_none() {
        findings.push(clocks(facts.own.as_ref(), &facts.nodes));
        findings.push(versions(&facts.nodes, env!("CARGO_PKG_VERSION")));
    }
    findings
}

fn configuration(facts: &Facts) -> Vec<Finding> {
    let mut findings: Vec<Finding> =
        facts.warnings.iter().map(|text| warn("configuration", "variable_unknown", text)).collect();
    findings.push(match &facts.wrong {
        Some(wrong) => fail("configuration", "configuration_wrong", wrong),
        None => ok("configuration", "as a start accepts it"),
    });
    findings
}

fn descriptors(hard: u64, wanted: usize) -> Finding {
    const CHECK: &str = "descriptors";
    match descriptors::share(hard) {
        None => {
            let least = descriptors::LEAST;
            fail(CHECK, "descriptors_too_few", format!("{hard} open files are allowed, and a node needs {least}"))
        }
        Some(caps) if wanted > 0 && caps.clients < wanted => warn(
            CHECK,
            "descriptors_few",
            format!("{hard} open files are allowed: {} client connections of {wanted}", caps.clients),
        ),
        Some(_) => ok(CHECK, format!("{hard} open files are allowed")),
    }
}

fn folder(folder: &Folder) -> Vec<Finding> {
    const CHECK: &str = "permissions";
    let path = folder.path.display();
    let mut findings = Vec::new();
    if !folder.writable {
        let verb = if folder.exists { "write" } else { "make" };
        findings.push(fail(CHECK, "folder_not_writable", format!("user {} cannot {verb} {path}", folder.user)));
    }
    if folder.exists && folder.owner != folder.user {
        let (owner, user) = (folder.owner, folder.user);
        findings.push(warn(
            CHECK,
            "folder_foreign",
            format!("{path} belongs to user {owner}, and this is user {user}"),
        ));
    }
    if folder.exists && folder.mode & 0o077 != 0 {
        findings.push(warn(CHECK, "folder_open", format!("{path} has the mode {:o}", folder.mode & 0o777)));
    }
    if folder.set_aside > 0 {
        let many = folder.set_aside;
        findings.push(warn(CHECK, "data_set_aside", format!("{path} has {many} database(s) set aside as damaged")));
    }
    if findings.is_empty() {
        let state = if folder.exists { "is private" } else { "does not exist yet, and can be made" };
        findings.push(ok(CHECK, format!("{path} {state}")));
    }
    findings
}

fn disk(disk: &Disk, mark: u64) -> Vec<Finding> {
    const CHECK: &str = "disk";
    let free = format!("{} MiB of {} MiB are free", disk.free / MIB, disk.total / MIB);
    let mut findings = vec![match disk.free {
        free_bytes if free_bytes < mark => {
            fail(CHECK, "disk_full", format!("{free}, and sends are refused below {} MiB", mark / MIB))
        }
        free_bytes if free_bytes < mark.saturating_mul(2) => {
            warn(CHECK, "disk_fills", format!("{free}, and sends are refused below {} MiB", mark / MIB))
        }
        _ => ok(CHECK, free),
    }];
    match disk.medium {
        Medium::Disk => {}
        Medium::Memory => findings.push(warn(CHECK, "data_in_memory", "the data folder is in memory")),
        Medium::Network => {
            findings.push(warn(CHECK, "data_over_network", "the data folder is on a network file system"))
        }
    }
    findings.extend(disk.sync.map(|sync| {
        let found = format!("a synced write takes {:.1} ms", sync.as_secs_f64() * 1e3);
        match sync {
            sync if sync > TOO_SLOW => fail(CHECK, "disk_slow", found),
            sync if sync > SLOW => warn(CHECK, "disk_slow", found),
            _ => ok(CHECK, found),
        }
    }));
    findings
}

/// A port in use is the node's own where that node answers.
fn port(port: &Port, runs: bool) -> Finding {
    const CHECK: &str = "ports";
    let Port { key, address, bound } = port;
    match bound {
        Bound::Free => ok(CHECK, format!("{key} = {address} is free")),
        Bound::InUse if runs => ok(CHECK, format!("{key} = {address} is this node's own, which runs")),
        Bound::InUse => fail(CHECK, "port_in_use", format!("{key} = {address}: another process listens there")),
        Bound::Forbidden => fail(CHECK, "port_forbidden", format!("{key} = {address}: not permitted")),
        Bound::Elsewhere(why) | Bound::Other(why) => fail(CHECK, "port_elsewhere", format!("{key} = {address}: {why}")),
    }
}

fn certificate(path: &str, validity: Validity) -> Finding {
    const CHECK: &str = "certificates";
    let days = |seconds: i64| seconds / (24 * 3600);
    match validity {
        Validity::Unreadable => fail(CHECK, "certificate_expired", format!("{path} cannot be read as a certificate")),
        Validity::NotYet => fail(CHECK, "certificate_expired", format!("{path} is not valid yet")),
        Validity::EndsIn(left) if left <= 0 => {
            fail(CHECK, "certificate_expired", format!("{path} ended {} days ago", days(-left)))
        }
        Validity::EndsIn(left) if left < CERTIFICATE_SOON => {
            warn(CHECK, "certificate_ends", format!("{path} ends in {} days", days(left)))
        }
        Validity::EndsIn(left) => ok(CHECK, format!("{path} ends in {} days", days(left))),
    }
}

/// A peer that is away is no fault of this machine, and the first node of a cluster sees all others
/// so. A peer that has another secret never becomes one.
fn peer(peer: &Peer) -> Finding {
    const CHECK: &str = "peers";
    let Peer { address, reached } = peer;
    match reached {
        Reached::Yes => ok(CHECK, format!("{address} answers, and has the same authority")),
        Reached::NoName(why) => fail(CHECK, "peer_name", format!("{address}: {why}")),
        Reached::Down => warn(CHECK, "peer_down", format!("{address}: nothing listens there")),
        Reached::Silent(why) => warn(CHECK, "peer_unreachable", format!("{address}: {why}")),
        Reached::NotReady => warn(CHECK, "peer_not_ready", format!("{address} starts, stops or is busy")),
        Reached::OtherToken => fail(CHECK, "peer_other_token", format!("{address} does not accept our token")),
        Reached::OtherTls => {
            fail(CHECK, "peer_other_tls", format!("{address}: one side speaks TLS, the other does not"))
        }
        Reached::OtherProgram => {
            fail(CHECK, "peer_other_program", format!("{address} is no node that this one understands"))
        }
        Reached::Refuses(why) => fail(CHECK, "peer_refuses", format!("{address} {why}")),
    }
}

fn readiness(own: &Own) -> Finding {
    const CHECK: &str = "readiness";
    match own.ready {
        true => ok(CHECK, format!("the node at {} is ready", own.address)),
        false => warn(CHECK, "not_ready", format!("the node at {}: {}", own.address, own.reasons.join("; "))),
    }
}

/// Nodes know their differences to a millisecond; from here they are known to a second.
fn clocks(own: Option<&Own>, nodes: &[Node]) -> Finding {
    const CHECK: &str = "clock";
    let told = own.and_then(|own| own.cluster["clock_skew_ms"].as_object()).into_iter().flatten();
    let told = told.filter_map(|(node, skew)| Some((format!("node {node}"), skew.as_i64()?, SKEW_MS)));
    let seen = nodes.iter().filter_map(|node| Some((format!("node {}", node.id), node.clock_ms?, SKEW_BY_DATE_MS)));
    let all: Vec<(String, i64, i64)> = told.chain(seen).collect();
    let off = all.iter().filter(|(_, skew, bound)| skew.abs() > *bound).max_by_key(|(_, skew, _)| skew.abs());
    match off {
        Some((node, skew, _)) => {
            warn(CHECK, "clock_differs", format!("the clock of {node} differs by {:.1} s", *skew as f64 / 1e3))
        }
        None if all.is_empty() => ok(CHECK, "no other node answers over HTTP: not compared"),
        None => ok(CHECK, "clocks agree with all nodes that answer"),
    }
}

fn versions(nodes: &[Node], own: &str) -> Finding {
    const CHECK: &str = "versions";
    let others = nodes.iter().filter_map(|node| Some((node.id, node.version.as_deref()?)));
    let different: Vec<String> =
        others.filter(|(_, version)| *version != own).map(|(id, version)| format!("node {id} has {version}")).collect();
    match different.is_empty() {
        true => ok(CHECK, format!("{own} here and on all nodes that answer")),
        false => warn(CHECK, "versions_differ", format!("{own} here; {}", different.join(", "))),
    }
}

#[cfg(test)]
mod tests;

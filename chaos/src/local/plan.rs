//! Fixed properties of a local cluster: its ports, its secret, and private files.

use std::fs::File;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use super::Addresses;

/// A new join token, as `troupe token new` prints it.
#[allow(clippy::disallowed_methods, reason = "before any node runs")]
pub fn new_token(binary: &Path) -> Result<String> {
    let answer = std::process::Command::new(binary)
        .args(["token", "new"])
        .output()
        .with_context(|| format!("cannot run {}", binary.display()))?;
    ensure!(answer.status.success(), "{} token new: {}", binary.display(), String::from_utf8_lossy(&answer.stderr));
    Ok(String::from_utf8(answer.stdout).context("the token is not text")?.trim().to_owned())
}

/// Free ports, searched upwards from the given ones.
#[allow(clippy::disallowed_methods, reason = "looks for free ports before any node runs")]
pub(super) fn choose_ports(nodes: usize, first: (u16, u16, u16)) -> Result<Vec<Addresses>> {
    // Held until all are chosen, so that none is chosen twice.
    let mut held = Vec::new();
    let mut free_from = |first: u16| -> Result<u16> {
        for port in first..=u16::MAX {
            if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) {
                held.push(listener);
                return Ok(port);
            }
        }
        bail!("no free port from {first} upwards on 127.0.0.1")
    };
    let mut plan = Vec::new();
    let (mut client, mut http, mut cluster) = first;
    for _ in 0..nodes {
        client = free_from(client)?;
        http = free_from(http)?;
        cluster = free_from(cluster)?;
        let at = |port: u16| format!("127.0.0.1:{port}");
        plan.push(Addresses { client: at(client), http: at(http), cluster: at(cluster) });
    }
    Ok(plan)
}

/// Keys that earlier versions refuse as unknown.
const NEW_KEYS: &[&str] = &["contacts.strangers", "http.control"];

/// The settings of a node. `is_older`: it runs the other program of a mixed cluster.
pub(super) fn known_settings(all: &[(String, String)], is_older: bool) -> impl Iterator<Item = &(String, String)> {
    all.iter().filter(move |(key, _)| !is_older || !NEW_KEYS.contains(&key.as_str()))
}

/// Writes a file that only its owner may read.
pub fn write_secret(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    file.write_all(bytes)?;
    file.sync_all()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chosen_ports_are_all_different() {
        let plan = choose_ports(5, (18_700, 18_700, 18_700)).expect("free ports");
        let mut all: Vec<_> = plan.iter().flat_map(|n| [&n.client, &n.http, &n.cluster]).collect();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 15);
    }
}

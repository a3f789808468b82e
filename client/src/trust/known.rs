//! The known clusters, and their file: one line per cluster, `<cluster id> <fingerprint>
//! <host:port>,<host:port>...`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use troupe_runtime::private;

use super::Fingerprint;

/// A larger file was not written by this program.
const FILE_BYTES: u64 = 1024 * 1024;
/// Addresses stored per cluster. Above it the file keeps the first ones, and a further address
/// counts as new each time.
const ADDRESSES: usize = 64;

const HEAD: &str = "# Clusters whose keys were taken on first use: cluster id, SHA-256 of the key, addresses.\n";

#[derive(Default)]
pub(super) struct Known {
    file: Option<PathBuf>,
    clusters: BTreeMap<String, Cluster>,
    /// Reported by nodes and not dialed yet. No user has named these, so they are not stored.
    told: BTreeMap<String, String>,
}

struct Cluster {
    fingerprint: Fingerprint,
    addresses: BTreeSet<String>,
}

impl Known {
    /// A missing file is empty.
    pub fn read(file: &Path) -> io::Result<Known> {
        let mut known = Known { file: Some(file.to_owned()), ..Known::default() };
        known.clusters = parse(file)?;
        Ok(known)
    }

    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    pub fn of_cluster(&self, cluster: &str) -> Option<Fingerprint> {
        self.clusters.get(cluster).map(|known| known.fingerprint)
    }

    pub fn of_address(&self, dial: &str) -> Option<Fingerprint> {
        let dialed = self.clusters.values().find(|known| known.addresses.contains(dial));
        dialed.map(|known| known.fingerprint).or_else(|| self.of_cluster(self.told.get(dial)?))
    }

    /// The address belongs to this cluster only, from now on.
    pub fn keep(&mut self, cluster: &str, fingerprint: Fingerprint, dial: &str) -> io::Result<()> {
        let kept = self.clusters.get(cluster);
        if kept.is_some_and(|kept| kept.fingerprint == fingerprint && kept.addresses.contains(dial)) {
            return Ok(());
        }
        if let Some(file) = &self.file {
            // Another process may have written it meanwhile.
            for (cluster, known) in parse(file)? {
                self.clusters.entry(cluster).or_insert(known);
            }
        }
        for other in self.clusters.values_mut() {
            other.addresses.remove(dial);
        }
        let empty = || Cluster { fingerprint, addresses: BTreeSet::new() };
        let known = self.clusters.entry(cluster.to_owned()).or_insert_with(empty);
        known.fingerprint = fingerprint;
        if known.addresses.len() < ADDRESSES {
            known.addresses.insert(dial.to_owned());
        }
        // A cluster that has lost its last address is removed.
        self.clusters.retain(|_, known| !known.addresses.is_empty());
        self.write()
    }

    pub fn learn<'a>(&mut self, cluster: &str, addresses: impl Iterator<Item = &'a str>) {
        for address in addresses {
            // Existing bindings win: a foreign cluster cannot claim an address of another one.
            let bound = self.clusters.values().any(|known| known.addresses.contains(address));
            if !bound && self.told.len() < ADDRESSES {
                self.told.entry(address.to_owned()).or_insert_with(|| cluster.to_owned());
            }
        }
    }

    fn write(&self) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let mut text = HEAD.to_owned();
        for (cluster, known) in &self.clusters {
            let addresses: Vec<&str> = known.addresses.iter().map(String::as_str).collect();
            text.push_str(&format!("{cluster} {} {}\n", known.fingerprint, addresses.join(",")));
        }
        if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            private::create_dir(folder)?;
        }
        let new = file.with_extension("new");
        let mut writing = private::create(&new)?;
        writing.write_all(text.as_bytes())?;
        writing.sync_all()?;
        fs::rename(&new, file)
    }
}

fn parse(file: &Path) -> io::Result<BTreeMap<String, Cluster>> {
    let length = match fs::metadata(file) {
        Ok(found) => found.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(error),
    };
    if length > FILE_BYTES {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("{} is too large to be one of ours", file.display()),
        ));
    }
    let text = fs::read_to_string(file)?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let parsed = lines.map(|(number, line)| {
        // An unreadable pin must not count as no pin.
        let wrong = || format!("{}:{}: wants a cluster id, a fingerprint and addresses", file.display(), number + 1);
        let mut parts = line.split_whitespace();
        let (Some(cluster), Some(fingerprint), Some(addresses), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(wrong());
        };
        let fingerprint = fingerprint.parse().map_err(|_| wrong())?;
        let addresses = addresses.split(',').map(str::to_owned).collect();
        Ok((cluster.to_owned(), Cluster { fingerprint, addresses }))
    });
    parsed.collect::<Result<_, String>>().map_err(|why| io::Error::new(io::ErrorKind::InvalidData, why))
}

//! File descriptors: as many as the system gives, and who may have how many of them.
//!
//! Connections come from outside and in any number, whereas the storage engine ends the node when
//! it cannot open a file. So connections are capped below the limit, and what the engine and the
//! node itself need is kept for them.

use anyhow::{Result, bail};
use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};

/// The storage engine: its open tables (512, see `store/src/rocks/options.rs`), logs, manifests,
/// and the files of snapshots that are installed.
const STORAGE: u64 = 512 + 128;
/// Listeners, the log, timers, directories that are synced.
const NODE: u64 = 64;
const HTTP: std::ops::RangeInclusive<u64> = 16..=2_048;
const CLUSTER: std::ops::RangeInclusive<u64> = 48..=1_024;
const CLIENTS_LEAST: u64 = 64;
/// With fewer a node does not start: it would end at its next file.
pub const LEAST: u64 = STORAGE + NODE + *HTTP.start() + *CLUSTER.start() + CLIENTS_LEAST;

/// Connections that may be open at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    pub clients: usize,
    pub http: usize,
    pub cluster: usize,
}

/// Raises the soft limit to the hard one, and shares out what there is.
pub fn claim() -> Result<Caps> {
    let (before, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if before < hard
        && let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
    {
        tracing::warn!(%error, before, hard, "the limit of file descriptors cannot be raised");
    }
    let (limit, _) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let Some(caps) = share(limit) else {
        bail!(
            "this process may open {limit} files, and a node needs at least {LEAST}: raise the hard limit \
             (ulimit -Hn, or LimitNOFILE= of its service)"
        );
    };
    let Caps { clients, http, cluster } = caps;
    tracing::info!(before, limit, clients, http, cluster, "file descriptors, and the connections that may be open");
    Ok(caps)
}

/// The places that a limit allows; `None` if there are too few.
pub fn share(limit: rlim_t) -> Option<Caps> {
    if limit < LEAST {
        return None;
    }
    let spare = limit - STORAGE - NODE;
    let http = (spare / 10).clamp(*HTTP.start(), *HTTP.end());
    let cluster = (spare / 5).clamp(*CLUSTER.start(), *CLUSTER.end());
    let places = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
    Some(Caps { clients: places(spare - http - cluster), http: places(http), cluster: places(cluster) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn storage_keeps_its_share_whatever_the_limit_is() {
        assert_eq!(share(LEAST - 1), None);
        for limit in [LEAST, 1_024, 4_096, 65_536, 1 << 30] {
            let Caps { clients, http, cluster } = share(limit).expect("enough");
            assert!((clients + http + cluster) as u64 + STORAGE + NODE <= limit, "{limit}");
            assert!(clients as u64 >= CLIENTS_LEAST && cluster > 0 && http > 0, "{limit}");
        }
        assert_eq!(share(1_024), Some(Caps { clients: 224, http: 32, cluster: 64 }));
    }
}

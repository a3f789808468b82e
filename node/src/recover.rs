//! `troupe recover`: looks at the data of a stopped node, says what may be lost, asks, and makes it
//! the only node of a new cluster.
//!
//! [`troupe_raft::recover`] does the rewriting. This command is for the loss of a majority of the
//! disks; start the cluster with a majority if there is one.

use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Result, bail};
use clap::Args;
use troupe_raft::recover::{Survey, recover, survey};
use troupe_runtime::Rng;
use troupe_store::engine::Engine;

use crate::disk;

#[derive(Args)]
pub struct Recover {
    /// Data folder of the node, which must be stopped
    #[arg(long, default_value = "./troupe-data", env = "TROUPE_DATA_DIR")]
    pub data_dir: PathBuf,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
}

/// The operator's confirmation, typed in full.
const CONSENT: &str = "recover";

pub fn run(args: &Recover) -> Result<()> {
    let engine: Arc<dyn Engine> = Arc::new(disk::open_stopped(&args.data_dir)?);
    let seen = survey(&engine)?;
    print!("{}", describe(&seen));
    if !args.yes && !consents()? {
        bail!("nothing was changed");
    }
    let rng = Rng::from_os();
    let cluster_id = rng.bytes::<16>();
    recover(&engine, cluster_id, u64::from_be_bytes(rng.bytes()))?;
    println!(
        "this node is the only one of cluster {} now. Start it as before; then empty the data directories of the others, and they join as new \
         nodes and get their copies. Devices learn what is gone when they connect.",
        hex(&cluster_id)
    );
    Ok(())
}

fn consents() -> Result<bool> {
    let input = std::io::stdin();
    if !input.is_terminal() {
        bail!("nothing was changed: give --yes where there is no terminal to ask on");
    }
    print!("type {CONSENT} to go on: ");
    std::io::stdout().flush()?;
    let mut line = String::new();
    input.lock().read_line(&mut line)?;
    Ok(line.trim() == CONSENT)
}

fn describe(seen: &Survey) -> String {
    let mut out = format!("node {} of cluster {}\n", seen.me, hex(&seen.cluster_id));
    for copy in &seen.copies {
        let others: Vec<String> = copy.elsewhere.iter().map(ToString::to_string).collect();
        let others = if others.is_empty() { "none".to_owned() } else { others.join(", ") };
        let here = match copy.here {
            Some(reach) => format!(
                "log up to {}, known to be committed up to {}, applied up to {}",
                reach.last, reach.committed, reach.applied
            ),
            None => "NO COPY HERE: all of it is lost, and it begins empty".to_owned(),
        };
        out.push_str(&format!("  shard {:<4} {here}; other copies on nodes: {others}\n", copy.shard.to_string()));
    }
    out.push_str("\nThese nodes will be out for good:\n");
    for (node, address) in &seen.others {
        out.push_str(&format!("  node {node:<4} {address}\n"));
    }
    out.push_str(
        "\nWhatever the other copies had beyond this one is lost, acknowledged messages among it. Do this only if a majority of the nodes can never \
         be started again with its data: otherwise start those, and nothing is lost.\n",
    );
    out
}

fn hex(id: &[u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(*id))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use troupe_core::{NodeId, ShardId};
    use troupe_raft::recover::{Copy, Reach};

    use super::*;

    #[test]
    fn what_may_be_lost_is_said() {
        let reach = Reach { last: 12, committed: 11, applied: 10 };
        let copy = |shard, here| Copy { shard: ShardId(shard), here, elsewhere: vec![NodeId(2), NodeId(3)] };
        let seen = Survey {
            cluster_id: [0xab; 16],
            me: NodeId(1),
            others: BTreeMap::from([(NodeId(2), "b:7800".to_owned())]),
            copies: vec![copy(0, Some(reach)), copy(1, None)],
        };
        let text = describe(&seen);
        for part in [
            "node 1 of cluster abab",
            "log up to 12, known to be committed up to 11, applied up to 10",
            "NO COPY",
            "b:7800",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}

//! Renames of 79 KB for groups in every shard, existing or not. Together they once formed an entry
//! that no frame could carry.

use std::time::Duration;

use anyhow::Result;
use futures::StreamExt;
use tokio::time::Instant;
use troupe_client::connection::Request;
use troupe_proto::wire::client as wire;

use super::site::{Site, attacker, random_id, user};

/// The largest name that fits into a client frame.
const NAME_BYTES: usize = 79 * 1024;
/// The send window of a connection. Requests behind the first entries of a shard share the next
/// entry.
const AT_ONCE: u64 = 256;
/// Groups of one round, in neighbouring slots and therefore in one shard. One entry holds as many.
const GROUPS: u64 = 64;
/// The rounds cover all slots, and therefore all shards.
const SLOTS: u64 = 1_024;

pub async fn run(site: &mut Site, time: Duration) -> Result<Vec<String>> {
    let attacker = user(attacker(), site.node(0), "wedger").await?;
    let name = "n".repeat(NAME_BYTES);
    let until = Instant::now() + time;
    let mut placed = 0;
    let mut round = 0;
    while Instant::now() < until && !attacker.connection.is_closed() {
        let renames = (0..AT_ONCE).map(|i| {
            attacker.connection.request(Request::ChangeGroup(wire::ChangeGroup {
                request: random_id(),
                conversation: format!("g{}", 1_024 + (round * GROUPS + i % GROUPS) % SLOTS),
                change: Some(wire::change_group::Change::Rename(name.clone())),
            }))
        });
        let answers: Vec<_> = futures::stream::iter(renames).buffer_unordered(AT_ONCE as usize).collect().await;
        placed += answers.iter().filter(|answer| answer.is_ok()).count();
        round += 1;
    }
    Ok(if placed > 0 { vec![format!("{placed} renames to names of {NAME_BYTES} bytes were accepted")] } else { vec![] })
}

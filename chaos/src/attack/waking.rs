//! Acknowledgements for conversations that do not exist. They have no answer, and once started an
//! actor each.

use std::time::Duration;

use anyhow::Result;
use tokio::time::{Instant, sleep};
use troupe_client::connection::Request;
use troupe_client::error::Error;
use troupe_proto::wire::client as wire;

use super::site::{Site, attacker, user};

pub async fn run(site: &mut Site, time: Duration) -> Result<Vec<String>> {
    let until = Instant::now() + time;
    let mut attacker = user(attacker(), site.node(0), "waker").await?;
    let mut number = 0u64;
    while Instant::now() < until && !attacker.connection.is_closed() {
        let conversation = match number % 2 {
            0 => format!("g{}", 1_024 + number),
            _ => format!("d{}-{}", attacker.id, attacker.id + number),
        };
        number += 1;
        match attacker.connection.tell(Request::Acknowledge(wire::Acknowledge { conversation, seq: 1 })) {
            Ok(()) => {}
            // The queue of this connection is full.
            Err(Error::Overloaded { .. }) => sleep(Duration::from_millis(1)).await,
            Err(_) => break,
        }
        while attacker.pushes.try_next().is_some() {}
    }
    Ok(Vec::new())
}

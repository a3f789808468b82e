//! Misbehaving clients: reconnect storms, clients that never read, and membership churn.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use futures::{StreamExt, stream};
use tokio::time::{Instant, sleep, timeout};
use troupe_client::Connection;
use troupe_runtime::{Net, Platform};

use super::Nemesis;
use crate::scenario::STORM;
use crate::workload;

/// Concurrent connections of a storm, limited by the machine's ports.
const AT_ONCE: usize = 500;
/// A server that does not answer a new connection within this time has failed under the storm.
const ANSWER: Duration = Duration::from_secs(10);
/// Clients that never read.
const NON_READERS: usize = 12;

impl Nemesis<'_> {
    /// Ten thousand connections, each greeted by the server and then dropped.
    pub(super) async fn reconnect_storm(&mut self) -> Result<()> {
        self.recorder.fault(&format!("{STORM} connections come and go"));
        let net: Arc<dyn Net> = Platform::production().net;
        let nodes = self.cluster.client_addresses();
        let came = stream::iter(0..STORM).map(|number| {
            let (net, address) = (net.clone(), nodes[number % nodes.len()].clone());
            async move { timeout(ANSWER, Connection::open(&*net, &address)).await.is_ok_and(|greeted| greeted.is_ok()) }
        });
        let served = came.buffer_unordered(AT_ONCE).filter(|served| std::future::ready(*served)).count().await;
        self.recorder.fault(&format!("{served} of {STORM} were greeted"));
        Ok(())
    }

    /// Devices of the workload's users that log in, receive everything, and never read.
    pub(super) async fn slow_consumers(&mut self, time: Duration) -> Result<()> {
        self.recorder.fault(&format!("{NON_READERS} clients subscribe and read nothing"));
        let platform = Platform::production();
        let nodes = self.cluster.client_addresses();
        let mut non_readers = Vec::new();
        for number in 0..NON_READERS {
            match workload::non_reader(&platform, &nodes[number % nodes.len()], number).await {
                Ok(stream) => non_readers.push(stream),
                // A busy node may refuse the login. Such a client reads nothing either.
                Err(error) => tracing::debug!("a slow consumer: {error:#}"),
            }
        }
        sleep(time).await;
        self.recorder.fault(&format!("{} slow consumers leave", non_readers.len()));
        Ok(())
    }

    /// A user joins and leaves the workload's groups all the time.
    pub(super) async fn membership_churn(&mut self, time: Duration) -> Result<()> {
        self.recorder.fault("members come and go");
        let until = Instant::now() + time;
        let mut changes = 0u64;
        while Instant::now() < until {
            changes += self.workload.churn().await;
        }
        self.recorder.fault(&format!("{changes} changes of membership"));
        Ok(())
    }
}

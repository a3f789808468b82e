//! The account of a participant with a single device: registration, and an SDK client whose events
//! are recorded.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use troupe_client::builder::Builder;
use troupe_client::{Client, Events, Incoming, StartAt};
use troupe_core::UserId;
use troupe_runtime::Platform;

use super::device_store::DeviceStore;
use super::{AGAIN, PASSWORD, WorkloadContext};

/// How long a registration or a request looks for a node that answers.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) struct Account {
    pub workload: Arc<WorkloadContext>,
    pub platform: Platform,
    pub number: u32,
    user: usize,
    device: &'static str,
}

impl Account {
    pub fn new(workload: Arc<WorkloadContext>, number: u32, user: usize, device: &'static str) -> Account {
        workload.owners.lock().insert(number, user);
        let platform = workload.platform(number);
        Account { workload, platform, number, user, device }
    }

    fn builder(&self) -> Builder {
        Client::builder()
            .context(self.platform.clone())
            .nodes(self.workload.nodes(self.number as usize))
            .credentials(WorkloadContext::name(self.user), PASSWORD)
            .device(self.device)
            .start_at(StartAt::Beginning)
            .patience(PATIENCE)
            .store(DeviceStore::default())
    }

    /// Repeats the registration until it succeeds.
    pub async fn register(&self) -> UserId {
        loop {
            match self.builder().register().await {
                Ok(me) => return me,
                Err(_) => sleep(AGAIN).await,
            }
        }
    }

    /// For a participant that records its events by itself.
    pub fn open(&self) -> (Client, Events) {
        self.builder().start().expect("a store in memory is readable")
    }

    pub fn start(&self) -> Client {
        let (client, events) = self.open();
        tokio::spawn(record(self.workload.clone(), self.number, events));
        client
    }
}

async fn record(workload: Arc<WorkloadContext>, number: u32, mut events: Events) {
    while let Some(incoming) = events.next().await {
        if let Incoming::Event { conversation, event } = incoming {
            workload.evidence.handed(number, conversation, &event);
        }
    }
}

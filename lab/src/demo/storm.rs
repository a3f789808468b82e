//! A storm: for half a minute one node of the demo after the other is killed, frozen or cut off,
//! while numbered messages are sent, and a second device reads them.
//!
//! It gives the orders of `troupe chaos`, one at a time: the next fault waits until all nodes serve
//! again. The messages are in a group of the first account, which stays.

mod judge;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};
use troupe_chaos::control::{self, Order, Victims};
use troupe_client::{Client, Events, Incoming, StartAt};
use troupe_core::{Body, EventKind};
use troupe_fetch as fetch;

use self::judge::{Judge, Verdict};
use super::faults::Stage;

const LENGTH: Duration = Duration::from_secs(30);
/// Between two messages.
const EVERY: Duration = Duration::from_millis(100);
const FROZEN_SECONDS: u64 = 4;
const CUT: Duration = Duration::from_secs(4);
/// No fault begins later than this before the end.
const LAST: Duration = Duration::from_secs(6);
/// After the end, for the last answers and for nodes that come back.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at nodes that do not serve yet.
const LOOK: Duration = Duration::from_millis(200);
const TEXT: &str = "storm ";

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    #[default]
    None,
    /// Faults, and messages.
    Runs,
    /// The faults are over, and the last messages arrive.
    Settles,
    Over,
}

/// One order of a storm.
#[derive(Clone, Debug, Serialize)]
struct Step {
    at_ms: u64,
    /// The same on a command line.
    line: String,
    text: String,
    is_done: bool,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct Progress {
    pub phase: Phase,
    #[serde(skip)]
    begun: Option<Instant>,
    elapsed_ms: u64,
    seconds: u64,
    steps: Vec<Step>,
    verdict: Verdict,
    /// At the end.
    is_good: Option<bool>,
    /// The reason why a storm ended early.
    trouble: Option<String>,
}

/// At most one storm at a time.
pub struct Storm(watch::Sender<Progress>);

impl Default for Storm {
    fn default() -> Storm {
        Storm(watch::Sender::new(Progress::default()))
    }
}

impl Storm {
    pub fn look(&self) -> Progress {
        let mut progress = self.0.borrow().clone();
        if matches!(progress.phase, Phase::Runs | Phase::Settles) {
            progress.elapsed_ms = elapsed(&progress);
        }
        progress
    }

    /// Whether one begins now: no second one while another runs.
    pub fn begin(self: &Arc<Self>, stage: Arc<Stage>) -> bool {
        let begins = self.0.send_if_modified(|progress| {
            let is_free = matches!(progress.phase, Phase::None | Phase::Over);
            if is_free {
                let (begun, seconds) = (Some(Instant::now()), LENGTH.as_secs());
                *progress = Progress { phase: Phase::Runs, begun, seconds, ..Progress::default() };
            }
            is_free
        });
        if begins {
            let storm = self.clone();
            tokio::spawn(async move {
                let outcome = storm.play(&stage).await;
                storm.0.send_modify(|progress| {
                    progress.elapsed_ms = elapsed(progress);
                    progress.phase = Phase::Over;
                    progress.is_good = Some(outcome.is_ok() && progress.verdict.is_good());
                    progress.trouble = outcome.err().map(|error| format!("{error:#}"));
                });
            });
        }
        begins
    }

    async fn play(&self, stage: &Stage) -> Result<()> {
        let (writer, _others) = enter(stage, "storm-writer").await?;
        let (_reader, mut events) = enter(stage, "storm-reader").await?;
        let group = writer.create_group("storm", false, &[]).await.context("the group of the storm")?;
        let until = Instant::now() + LENGTH;
        let faults = self.faults(stage, until);
        tokio::pin!(faults);
        let (mut judge, mut waiting, mut patience) = (Judge::default(), FuturesUnordered::new(), None);
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        while patience.is_none() || !judge.is_settled() {
            tokio::select! {
                _ = ticks.tick(), if patience.is_none() => {
                    let number = judge.next();
                    // A full outbox takes no message; the next tick tries again.
                    if let Ok(handle) = writer.send(group, Body::text(&format!("{TEXT}{number}"))) {
                        judge.sent();
                        let begun = Instant::now();
                        waiting.push(async move { (number, handle.await, begun.elapsed()) });
                    }
                }
                Some((number, outcome, after)) = waiting.next() => {
                    let acked = outcome.with_context(|| format!("message {number} was refused"))?;
                    judge.acknowledged(number, acked.seq, after);
                }
                incoming = events.next() => match incoming.context("the reader was logged out")? {
                    Incoming::Event { conversation, event } if conversation == group => {
                        judge.read(event.seq, number_of(&event.kind));
                    }
                    _ => {}
                },
                outcome = &mut faults, if patience.is_none() => {
                    outcome?;
                    patience = Some(Instant::now() + PATIENCE);
                    self.0.send_modify(|progress| progress.phase = Phase::Settles);
                }
                () = sleep_until(patience.unwrap_or(until)), if patience.is_some() => {
                    bail!("after {} s some messages have no answer, or have not reached the reader", PATIENCE.as_secs())
                }
            }
            self.0.send_modify(|progress| progress.verdict = judge.verdict());
        }
        writer.close().await;
        Ok(())
    }

    /// One fault after the other, until it is time to end; at the end all nodes serve.
    async fn faults(&self, stage: &Stage, until: Instant) -> Result<()> {
        let kinds =
            if stage.cuts { &[Fault::Kill, Fault::Freeze, Fault::Cut][..] } else { &[Fault::Kill, Fault::Freeze] };
        for turn in 0.. {
            if !is_whole(stage, until).await || Instant::now() + LAST > until {
                break;
            }
            let (kind, round) = (kinds[turn % kinds.len()], turn / kinds.len());
            let node = (turn + round) % stage.nodes.len() + 1;
            self.order(stage, kind.line(node), &kind.order(node)).await?;
            if kind == Fault::Cut {
                sleep(CUT).await;
                self.order(stage, "troupe chaos heal".to_owned(), &Order::Heal).await?;
            }
        }
        sleep_until(until).await;
        ensure!(is_whole(stage, Instant::now() + PATIENCE).await, "not all nodes serve again: look at their logs");
        Ok(())
    }

    async fn order(&self, stage: &Stage, line: String, order: &Order) -> Result<()> {
        let outcome = control::send(&stage.dir, order).await;
        let is_done = outcome.is_ok();
        let text = outcome.unwrap_or_else(|error| format!("{error:#}"));
        let failed = text.clone();
        self.0.send_modify(|progress| {
            let at_ms = elapsed(progress);
            progress.steps.push(Step { at_ms, line, text, is_done });
        });
        ensure!(is_done, "{failed}");
        Ok(())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    Kill,
    Freeze,
    Cut,
}

impl Fault {
    /// Nodes count from 1.
    fn order(self, node: usize) -> Order {
        let victims = Victims::Nodes(vec![node]);
        match self {
            Fault::Kill => Order::Kill { victims },
            Fault::Freeze => Order::Freeze { victims, seconds: FROZEN_SECONDS },
            Fault::Cut => Order::Partition { groups: vec![victims], one_way: false },
        }
    }

    fn line(self, node: usize) -> String {
        match self {
            Fault::Kill => format!("troupe chaos kill {node}"),
            Fault::Freeze => format!("troupe chaos freeze {node} --seconds {FROZEN_SECONDS}"),
            Fault::Cut => format!("troupe chaos partition {node}"),
        }
    }
}

fn elapsed(progress: &Progress) -> u64 {
    let elapsed = progress.begun.map_or(Duration::ZERO, |begun| begun.elapsed());
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

fn number_of(kind: &EventKind) -> Option<u64> {
    match kind {
        EventKind::Message(body) => body.as_text()?.strip_prefix(TEXT)?.parse().ok(),
        _ => None,
    }
}

async fn enter(stage: &Stage, device: &str) -> Result<(Client, Events)> {
    let account = stage.accounts.first().context("this demo has no accounts")?;
    Client::builder()
        .nodes(stage.clients.clone())
        .credentials(&account.name, &account.password)
        .device(device)
        .start_at(StartAt::Beginning)
        .connect()
        .await
        .with_context(|| format!("{device} cannot log in"))
}

/// Waits until all nodes serve, or the time is over.
async fn is_whole(stage: &Stage, until: Instant) -> bool {
    loop {
        let mut ready = true;
        for http in &stage.http {
            ready &= fetch::get(http, "/readyz", Duration::from_secs(1)).await.is_ok_and(|(status, _)| status == 200);
        }
        if ready || Instant::now() >= until {
            return ready;
        }
        sleep(LOOK).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_give_the_orders_of_the_steps() {
        for (kind, line) in [
            (Fault::Kill, "troupe chaos kill 2"),
            (Fault::Freeze, "troupe chaos freeze 2 --seconds 4"),
            (Fault::Cut, "troupe chaos partition 2"),
        ] {
            assert_eq!(kind.line(2), line);
        }
        assert_eq!(Fault::Kill.order(2), Order::Kill { victims: Victims::Nodes(vec![2]) });
    }

    #[test]
    fn only_numbered_messages_have_a_number() {
        let of = |text: &str| number_of(&EventKind::Message(Body::text(text)));
        assert_eq!(
            (of("storm 12"), of("storm x"), of("hello"), number_of(&EventKind::Disbanded)),
            (Some(12), None, None, None)
        );
    }

    #[tokio::test]
    async fn a_storm_without_accounts_ends_with_its_reason_and_another_may_begin() {
        let storm = Arc::new(Storm::default());
        let mut progress = storm.0.subscribe();
        for _ in 0..2 {
            assert!(storm.begin(Arc::new(Stage::default())));
            let over = progress.wait_for(|progress| progress.phase == Phase::Over).await.expect("it ends").clone();
            assert_eq!(over.is_good, Some(false));
            assert!(over.trouble.is_some_and(|why| why.contains("no accounts")));
        }
        storm.0.send_modify(|progress| progress.phase = Phase::Runs);
        assert!(!storm.begin(Arc::new(Stage::default())), "one at a time");
    }
}

//! A keeper: a user with two devices that change its own state of `everyone`, often from an old
//! version, and clear its history.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use troupe_chaos::history::{Outcome, Personal};
use troupe_client::{Client, Error};
use troupe_core::command::PersonalChange;
use troupe_core::{ClientMessageId, ConversationId, Event, EventKind, Seq, UserId};
use troupe_runtime::Rng;

use super::account::Account;
use super::{Phase, WorkloadContext};

/// A change without an answer may or may not have been applied.
const PATIENCE: Duration = Duration::from_secs(5);
/// Maximum pause between two acts of a device.
const PAUSE_MS: u64 = 200;
/// Attempts of one act under one id.
const ATTEMPTS: u32 = 4;
/// Events of a page.
const PAGE: usize = 50;
/// One change in this many is from a version that the device has read long ago.
const STALE: u64 = 2;
/// Devices of one keeper.
pub const DEVICES: usize = 2;

pub async fn live(workload: Arc<WorkloadContext>, number: u32, user: usize, first: bool) {
    let account = Account::new(workload.clone(), number, user, if first { "phone" } else { "tablet" });
    // A cleared history leaves gaps on the other device, which are right here.
    workload.send_only.lock().insert(number);
    workload.everybody().await;
    if first {
        let me = account.register().await;
        workload.strangers.send_modify(|strangers| strangers.extend([(user, me)]));
    }
    let mut known = workload.strangers.subscribe();
    let me = known.wait_for(|known| known.contains_key(&user)).await.expect("the square outlives the people")[&user];
    let (client, mut events) = account.open();
    tokio::spawn(async move { while events.next().await.is_some() {} });
    let rng = account.platform.rng.clone();
    let mut keeper = Keeper { workload: workload.clone(), number, me, client, rng, seen: (0, 0), changes: 0 };
    let phase = workload.phase.subscribe();
    while *phase.borrow() == Phase::Talking {
        sleep(Duration::from_millis(keeper.rng.range(1, PAUSE_MS))).await;
        match keeper.rng.range(0, 11) {
            0..4 => keeper.pin().await,
            4 | 5 => drop(keeper.look().await),
            6 => drop(keeper.leaf().await),
            7 => keeper.delete().await,
            8 => keeper.save().await,
            9 => keeper.list().await,
            _ => keeper.clear().await,
        }
    }
    // The device stays connected and receives events.
    std::future::pending().await
}

const PLACE: ConversationId = ConversationId::Everyone;

struct Keeper {
    workload: Arc<WorkloadContext>,
    number: u32,
    me: UserId,
    client: Client,
    rng: Arc<Rng>,
    /// The version that the device has seen, and its pin.
    seen: (u64, u64),
    changes: u64,
}

impl Keeper {
    /// Sets a pin that no other change sets, from the version that the device has seen.
    async fn pin(&mut self) {
        if self.rng.range(0, STALE) > 0
            && let Some(seen) = self.look().await
        {
            self.seen = seen;
        }
        self.changes += 1;
        let (seen, was) = self.seen;
        let to = u64::from(self.number) * 1_000 + self.changes;
        let change = PersonalChange { pin: Some(to), ..PersonalChange::default() };
        self.change(Personal::Pin { seen: Some(seen), was, to }, Some(seen), change).await;
    }

    async fn clear(&self) {
        let Ok(Ok(page)) = timeout(PATIENCE, self.client.history_before(PLACE, Seq::ZERO, 1)).await else { return };
        let to = self.rng.range(page.head.0 / 2, page.head.0 + 1);
        let change = PersonalChange { clear_to: Some(Seq(to)), ..PersonalChange::default() };
        self.change(Personal::Clear { to }, None, change).await;
    }

    /// Deletes one message for this user.
    async fn delete(&self) {
        let Some(seqs) = self.leaf().await.filter(|seqs| !seqs.is_empty()) else { return };
        let seq = seqs[self.rng.range(0, seqs.len() as u64) as usize];
        let (evidence, personal) = (&self.workload.evidence, Personal::Delete { seq });
        let asked = evidence.now().as_micros() as u64;
        let tell = |outcome| evidence.personal(self.number, self.me, PLACE, asked, &personal, outcome);
        tell(Outcome::Asked);
        match timeout(PATIENCE, self.client.delete_for_me(PLACE, &[Seq(seq)])).await {
            Ok(Ok(_)) => tell(Outcome::Done),
            Ok(Err(Error::Rejected { code, text })) if !["too_many_deleted", "upgrade_pending"].contains(&&*code) => {
                evidence.wrong(format!("{personal:?} of user {} was refused: {text}", self.me));
            }
            // It may have been applied.
            Ok(Err(_)) | Err(_) => {}
        }
    }

    /// Saves a message, or removes it from the saved ones, under one id.
    async fn save(&self) {
        let Some(seqs) = self.leaf().await.filter(|seqs| !seqs.is_empty()) else { return };
        let seq = seqs[self.rng.range(0, seqs.len() as u64) as usize];
        let removed = self.rng.range(0, 3) == 0;
        let (evidence, personal) = (&self.workload.evidence, Personal::Save { seq, removed });
        let request = ClientMessageId(self.rng.bytes());
        let asked = evidence.now().as_micros() as u64;
        let tell = |outcome| evidence.personal(self.number, self.me, PLACE, asked, &personal, outcome);
        tell(Outcome::Asked);
        for _ in 0..ATTEMPTS {
            let attempt = self.client.change_favourite_as(request, PLACE, Seq(seq), removed);
            match timeout(PATIENCE, attempt).await {
                Ok(Ok(())) => return tell(Outcome::Done),
                // The other device may have cleared the history meanwhile.
                Ok(Err(Error::Rejected { code, text })) => {
                    if !["no_such_message", "upgrade_pending"].contains(&&*code) {
                        evidence.wrong(format!("{personal:?} of user {} was refused: {text}", self.me));
                    }
                    return;
                }
                Ok(Err(_)) | Err(_) => {}
            }
        }
    }

    /// Reads all saved messages.
    async fn list(&self) {
        let evidence = &self.workload.evidence;
        let asked = evidence.now();
        let (mut seqs, mut before) = (Vec::new(), None);
        loop {
            let Ok(Ok(page)) = timeout(PATIENCE, self.client.favourites(before, 0)).await else { return };
            seqs.extend(page.favourites.iter().map(|favourite| favourite.seq.0));
            before = page.next;
            if before.is_none() {
                return evidence.saved(self.number, self.me, PLACE, asked, seqs);
            }
        }
    }

    /// One change under one id, repeated until there is an answer. Sometimes it is repeated with
    /// one.
    async fn change(&self, personal: Personal, seen: Option<u64>, change: PersonalChange) {
        let evidence = &self.workload.evidence;
        let request = ClientMessageId(self.rng.bytes());
        let asked = evidence.now().as_micros() as u64;
        let tell = |outcome| evidence.personal(self.number, self.me, PLACE, asked, &personal, outcome);
        tell(Outcome::Asked);
        let (mut is_done, mut is_in_doubt) = (false, false);
        for _ in 0..ATTEMPTS {
            let attempt = self.client.change_personal_as(request, PLACE, seen, change.clone());
            match timeout(PATIENCE, attempt).await {
                Ok(Ok(_)) => {
                    if !is_done {
                        tell(Outcome::Done);
                    }
                    is_done = true;
                    if self.rng.range(0, 3) > 0 {
                        return;
                    }
                }
                Ok(Err(Error::Rejected { code, text })) => {
                    if !["state_changed", "upgrade_pending"].contains(&&*code) {
                        evidence.wrong(format!("{personal:?} of user {} was refused: {text}", self.me));
                    }
                    if !is_in_doubt {
                        tell(Outcome::Refused);
                    }
                    return;
                }
                Ok(Err(_)) | Err(_) => is_in_doubt = true,
            }
        }
    }

    /// Returns the version and the pin.
    async fn look(&self) -> Option<(u64, u64)> {
        let evidence = &self.workload.evidence;
        let asked = evidence.now();
        let state = timeout(PATIENCE, self.client.personal(PLACE)).await.ok()?.ok()?;
        let shown = (state.version, state.pin, state.cleared.0);
        evidence.personal_state(self.number, self.me, PLACE, asked, shown);
        Some((state.version, state.pin))
    }

    /// Reads the end of the history, and returns the messages that it shows.
    async fn leaf(&self) -> Option<Vec<u64>> {
        let evidence = &self.workload.evidence;
        let asked = evidence.now();
        let page = timeout(PATIENCE, self.client.history_before(PLACE, Seq::ZERO, PAGE)).await.ok()?.ok()?;
        let has_content = |event: &&Event| !matches!(&event.kind, EventKind::Unknown { .. });
        let shown: Vec<u64> = page.events.iter().filter(has_content).map(|event| event.seq.0).collect();
        evidence.personal_page(self.number, self.me, PLACE, asked, shown.clone());
        let messages = page.events.iter().filter(|event| matches!(&event.kind, EventKind::Message(_)));
        Some(messages.map(|event| event.seq.0).collect())
    }
}

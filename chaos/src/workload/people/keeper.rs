//! A keeper: two devices of one user change its own state of a group, often from an old version,
//! clear its history, delete messages for it, and save some.

use tokio::time::timeout;
use troupe_client::Error;
use troupe_core::command::PersonalChange;
use troupe_core::{ConversationId, Event, EventKind, Seq};

use super::{ATTEMPTS, PATIENCE, Person, RECENT};
use crate::history::{Outcome, Personal, Record};

/// The version that a device has seen, its pin, and how many pins the device has set.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    version: u64,
    pin: u64,
    changes: u64,
}

impl Person {
    pub(super) async fn keep(&self, place: ConversationId, seen: &mut Seen) {
        match self.draw(11) {
            0..4 => self.pin(place, seen).await,
            4 | 5 => drop(self.state(place).await),
            6 => drop(self.leaf(place).await),
            7 => self.delete(place).await,
            8 => self.save(place).await,
            9 => self.list(place).await,
            _ => self.clear(place).await,
        }
    }

    /// Sets a pin that no other change sets, every other time from an old version.
    async fn pin(&self, place: ConversationId, seen: &mut Seen) {
        if self.draw(2) > 0
            && let Some((version, pin)) = self.state(place).await
        {
            (seen.version, seen.pin) = (version, pin);
        }
        seen.changes += 1;
        let to = u64::from(self.device) * 1_000 + seen.changes % 1_000;
        let change = PersonalChange { pin: Some(to), ..PersonalChange::default() };
        let personal = Personal::Pin { seen: Some(seen.version), was: seen.pin, to };
        self.change(place, personal, Some(seen.version), change).await;
    }

    async fn clear(&self, place: ConversationId) {
        let Ok(Ok(page)) = timeout(PATIENCE, self.client.history_before(place, Seq::ZERO, 1)).await else { return };
        let to = page.head.0 / 2 + self.draw(page.head.0 / 2 + 1);
        let change = PersonalChange { clear_to: Some(Seq(to)), ..PersonalChange::default() };
        self.change(place, Personal::Clear { to }, None, change).await;
    }

    async fn one_of_page(&self, place: ConversationId) -> Option<u64> {
        let seqs = self.leaf(place).await?;
        seqs.get(self.draw(seqs.len() as u64) as usize).copied()
    }

    async fn delete(&self, place: ConversationId) {
        let Some(seq) = self.one_of_page(place).await else { return };
        let (personal, asked) = (Personal::Delete { seq }, self.common.recorder.now());
        self.personal(place, asked, &personal, Outcome::Asked);
        if let Ok(Ok(_)) = timeout(PATIENCE, self.client.delete_for_me(place, &[Seq(seq)])).await {
            self.personal(place, asked, &personal, Outcome::Done);
        }
    }

    /// Saves a message, or removes it from the saved ones, under one id.
    async fn save(&self, place: ConversationId) {
        let Some(seq) = self.one_of_page(place).await else { return };
        let removed = self.draw(3) == 0;
        let (request, personal, asked) = (self.id(), Personal::Save { seq, removed }, self.common.recorder.now());
        self.personal(place, asked, &personal, Outcome::Asked);
        for _ in 0..ATTEMPTS {
            let attempt = self.client.change_favourite_as(request, place, Seq(seq), removed);
            match timeout(PATIENCE, attempt).await {
                Ok(Ok(())) => return self.personal(place, asked, &personal, Outcome::Done),
                // The other device may have cleared the history meanwhile.
                Ok(Err(Error::Rejected { .. })) => return,
                Ok(Err(_)) | Err(_) => {}
            }
        }
    }

    /// Reads all saved messages.
    async fn list(&self, place: ConversationId) {
        let asked = self.common.recorder.now();
        let (mut seqs, mut before) = (Vec::new(), None);
        loop {
            let Ok(Ok(page)) = timeout(PATIENCE, self.client.favourites(before, 0)).await else { return };
            seqs.extend(page.favourites.iter().map(|favourite| favourite.seq.0));
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        let (device, user, conversation) = (self.device, self.user.0, place.to_string());
        self.record(|at| Record::Saved { at, asked, device, user, conversation, seqs });
    }

    /// One change under one id, repeated until there is an answer, and sometimes with one.
    async fn change(&self, place: ConversationId, personal: Personal, seen: Option<u64>, change: PersonalChange) {
        let (request, asked) = (self.id(), self.common.recorder.now());
        self.personal(place, asked, &personal, Outcome::Asked);
        let (mut is_done, mut is_in_doubt) = (false, false);
        for _ in 0..ATTEMPTS {
            let attempt = self.client.change_personal_as(request, place, seen, change.clone());
            match timeout(PATIENCE, attempt).await {
                Ok(Ok(_)) => {
                    if !is_done {
                        self.personal(place, asked, &personal, Outcome::Done);
                    }
                    is_done = true;
                    if self.draw(3) > 0 {
                        return;
                    }
                }
                Ok(Err(Error::Rejected { .. })) => {
                    if !is_in_doubt && !is_done {
                        self.personal(place, asked, &personal, Outcome::Refused);
                    }
                    return;
                }
                Ok(Err(_)) | Err(_) => is_in_doubt = true,
            }
        }
    }

    /// A change whose first attempt was at `asked`, or its outcome.
    fn personal(&self, place: ConversationId, asked: u64, personal: &Personal, outcome: Outcome) {
        let (device, user, conversation, personal) = (self.device, self.user.0, place.to_string(), personal.clone());
        self.record(|at| Record::Personal { at, asked, device, user, conversation, personal, outcome });
    }

    /// Returns the version and the pin.
    async fn state(&self, place: ConversationId) -> Option<(u64, u64)> {
        let asked = self.common.recorder.now();
        let state = timeout(PATIENCE, self.client.personal(place)).await.ok()?.ok()?;
        let (device, user, conversation) = (self.device, self.user.0, place.to_string());
        let (version, pin, cleared) = (state.version, state.pin, state.cleared.0);
        self.record(|at| Record::PersonalState { at, asked, device, user, conversation, version, pin, cleared });
        Some((version, pin))
    }

    /// Reads the end of the history, and returns the messages that it shows.
    async fn leaf(&self, place: ConversationId) -> Option<Vec<u64>> {
        let asked = self.common.recorder.now();
        let page = timeout(PATIENCE, self.client.history_before(place, Seq::ZERO, RECENT as usize)).await.ok()?.ok()?;
        let has_content = |event: &&Event| !matches!(&event.kind, EventKind::Unknown { .. });
        let shown: Vec<u64> = page.events.iter().filter(has_content).map(|event| event.seq.0).collect();
        let (device, user, conversation) = (self.device, self.user.0, place.to_string());
        self.record(|at| Record::PersonalPage { at, asked, device, user, conversation, shown });
        let messages = page.events.iter().filter(|event| matches!(&event.kind, EventKind::Message(_)));
        Some(messages.map(|event| event.seq.0).collect())
    }
}

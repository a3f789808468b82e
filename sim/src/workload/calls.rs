//! Devices that call and type: one of the first user calls the second, whose two devices race to
//! answer. All of them type in groups with changing members. The first user hides its presence, and
//! the second watches it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use troupe_client::{Acked, Client, Error, Incoming, Presence};
use troupe_core::feature::CallAnswer;
use troupe_core::record::Viewers;
use troupe_core::{Body, ClientMessageId, ConversationId, Event, EventKind, Seq, UserId, signal};
use troupe_runtime::Rng;

use super::account::Account;
use super::{AGAIN, Phase, WorkloadContext};

/// A step without an answer may or may not have been applied.
const PATIENCE: Duration = Duration::from_secs(5);
/// Maximum pause between two acts of a device.
const PAUSE_MS: u64 = 300;
/// Maximum delay of an answer: the two devices answer at about the same time.
const ANSWER_MS: u64 = 40;
/// Attempts under one id, after a first one.
const REPEATS: u64 = 3;
/// Refusals of a step that another one was faster than.
const EXPECTED: [&str; 4] = ["call_over", "call_under_way", "own_call", "upgrade_pending"];

pub async fn live(workload: Arc<WorkloadContext>, number: u32, user: usize, device: &'static str) {
    let users = workload.everybody().await;
    let (me, other) = (users[&user], users[&(1 - user)]);
    let Some(conversation) = ConversationId::direct(me, other) else { return };
    let account = Account::new(workload.clone(), number, user, device);
    let (client, mut events) = account.open();
    let rng = account.platform.rng.clone();
    let talker = Talker { workload: workload.clone(), number, me, conversation, client, rng };
    if user == 0 {
        tokio::spawn(talker.clone().hide());
        // The conversation begins with a message.
        talker.greet();
    }
    let mut phase = workload.phase.subscribe();
    let mut act_at = talker.soon();
    loop {
        let talks = *phase.borrow() == Phase::Talking;
        tokio::select! {
            biased;
            incoming = events.next() => match incoming {
                Some(Incoming::Event { conversation, event }) => {
                    workload.evidence.handed(number, conversation, &event);
                    if talks && conversation == talker.conversation {
                        talker.react(&event);
                    }
                }
                Some(Incoming::Signal { conversation, from, payload, seq, .. }) => {
                    let id = String::from_utf8_lossy(&payload).into_owned();
                    workload.evidence.signalled(number, (me, from), conversation, &id, seq.0);
                }
                Some(Incoming::Presence(presence)) => talker.heard_of(presence),
                Some(_) => {}
                None => return,
            },
            () = sleep_until(act_at), if talks => {
                if user == 0 && talker.rng.range(0, 3) == 0 {
                    talker.clone().spawn(Step::Start);
                } else if user == 1 && talker.rng.range(0, 4) == 0 {
                    tokio::spawn(talker.clone().look_at(other));
                    tokio::spawn(talker.clone().watch(other));
                } else {
                    talker.clone().type_somewhere();
                }
                act_at = talker.soon();
            }
            _ = phase.changed() => {}
        }
    }
}

#[derive(Clone)]
struct Talker {
    workload: Arc<WorkloadContext>,
    number: u32,
    me: UserId,
    conversation: ConversationId,
    client: Client,
    rng: Arc<Rng>,
}

#[derive(Clone, Copy)]
enum Step {
    Start,
    Answer(Seq, CallAnswer),
    End(Seq),
}

impl Talker {
    fn soon(&self) -> Instant {
        Instant::now() + Duration::from_millis(self.rng.range(1, PAUSE_MS))
    }

    fn greet(&self) {
        let id = ClientMessageId(self.rng.bytes());
        let Ok(sent) = self.client.send_as(self.conversation, id, Body::text("may I call?")) else { return };
        let (workload, number, conversation) = (self.workload.clone(), self.number, self.conversation);
        let name = format!("{}/{id}", self.me);
        workload.evidence.invoked(number, self.me, conversation, &name);
        tokio::spawn(async move {
            match sent.await {
                Ok(acked) => workload.evidence.acked(number, conversation, &name, acked.seq.0),
                Err(error) if error.is_definite() => {
                    workload.evidence.rejected(number, conversation, &name, error.code().unwrap_or("none"));
                }
                // Without an outcome the message is still in the outbox, and is sent later.
                Err(_) => {}
            }
        });
    }

    /// The called devices answer, and both ends hang up or leave it to the other.
    fn react(&self, event: &Event) {
        let step = match event.kind {
            EventKind::CallStarted { .. } if event.sender != self.me => {
                let answer = match self.rng.range(0, 10) {
                    0 => CallAnswer::Refuse,
                    1 => CallAnswer::Busy,
                    _ => CallAnswer::Accept,
                };
                Step::Answer(event.seq, answer)
            }
            EventKind::CallStarted { .. } if self.rng.range(0, 4) == 0 => Step::End(event.seq),
            EventKind::CallAnswered { call, .. } if self.rng.range(0, 3) > 0 => Step::End(call),
            _ => return,
        };
        self.clone().spawn(step);
    }

    /// Takes the step after a moment, often again under the same id.
    fn spawn(self, step: Step) {
        let delay = match step {
            Step::Start => 0,
            Step::Answer(..) => self.rng.range(0, ANSWER_MS),
            Step::End(_) => self.rng.range(0, PAUSE_MS),
        };
        let (id, repeats) = (ClientMessageId(self.rng.bytes()), self.rng.range(0, REPEATS));
        let begin = Instant::now() + Duration::from_millis(delay);
        tokio::spawn(async move {
            sleep_until(begin).await;
            for _ in 0..=repeats {
                self.take(id, step).await;
            }
        });
    }

    async fn take(&self, id: ClientMessageId, step: Step) {
        let (client, conversation) = (&self.client, self.conversation);
        let name = format!("{}/{id}", self.me);
        let outcome: Option<Result<Acked, Error>> = match step {
            Step::Start => timeout(PATIENCE, client.start_call_as(id, conversation, false)).await.ok(),
            Step::Answer(call, answer) => {
                timeout(PATIENCE, client.answer_call_as(id, conversation, call, answer)).await.ok()
            }
            Step::End(call) => timeout(PATIENCE, client.end_call_as(id, conversation, call)).await.ok(),
        };
        let evidence = &self.workload.evidence;
        match (outcome, step) {
            (Some(Ok(acked)), step) => {
                let accepts = match step {
                    Step::Answer(call, CallAnswer::Accept) => Some(call.0),
                    _ => None,
                };
                evidence.called(self.number, conversation, &name, acked.seq.0, accepts);
            }
            (Some(Err(Error::Rejected { code, .. })), Step::Answer(call, _)) if code == "already_answered" => {
                evidence.taken(self.number, conversation, call.0);
            }
            // Before the first message there is no conversation.
            (Some(Err(Error::Rejected { code, .. })), Step::Start) if code == "not_member" => {}
            (Some(Err(Error::Rejected { code, text })), _) if !EXPECTED.contains(&&*code) => {
                evidence.wrong(format!("{name} was refused in {conversation}: {text}"));
            }
            // The log shows whether it was applied.
            (Some(Err(_)) | None, _) => {}
        }
    }

    /// No one sees this user from the acknowledgement on.
    async fn hide(self) {
        while self.client.change_presence(Viewers::NoOne).await.is_err() {
            sleep(AGAIN).await;
        }
        self.workload.hidden.store(true, Ordering::SeqCst);
    }

    async fn look_at(self, other: UserId) {
        let hidden = self.workload.hidden.load(Ordering::SeqCst);
        let looked = timeout(PATIENCE, self.client.get_users(&[other], &[])).await;
        let Ok(Ok(users)) = looked else { return };
        let is_seen = users.iter().any(|user| user.online || user.last_seen.0 > 0);
        if hidden && is_seen {
            self.workload.evidence.wrong(format!("user {} sees the presence of {other}, which hides it", self.me));
        }
    }

    /// Watches a user that hides its presence already, so no push may show it.
    async fn watch(self, other: UserId) {
        if self.workload.hidden.load(Ordering::SeqCst)
            && let Ok(Ok(watched)) = timeout(PATIENCE, self.client.watch(&[other])).await
        {
            watched.into_iter().for_each(|presence| self.heard_of(presence));
        }
    }

    fn heard_of(&self, Presence { user, online, last_seen }: Presence) {
        if online || last_seen.0 > 0 {
            self.workload.evidence.wrong(format!("user {} hears the presence of {user}, which hides it", self.me));
        }
    }

    /// Also where this user is no member at the moment.
    fn type_somewhere(self) {
        let groups: Vec<ConversationId> = self.workload.churn_groups.borrow().clone();
        let all: Vec<ConversationId> =
            groups.into_iter().chain(*self.workload.group.borrow()).chain([self.conversation]).collect();
        let conversation = all[self.rng.range(0, all.len() as u64) as usize];
        let id = ClientMessageId(self.rng.bytes()).to_string();
        tokio::spawn(async move {
            let sent = self.client.signal(conversation, signal::TYPING, Bytes::from(id), 0);
            if let Ok(Err(Error::Rejected { code, text })) = timeout(PATIENCE, sent).await
                && !["not_member", "upgrade_pending", "not_logged_in"].contains(&&*code)
            {
                self.workload.evidence.wrong(format!("{} cannot type in {conversation}: {text}", self.me));
            }
        });
    }
}

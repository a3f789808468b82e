//! Devices of two users that ask and vote: few options, so that they vote the same again, change
//! their votes and take back what is not there. Some polls are anonymous, some close by themselves.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use troupe_chaos::history::PollStep;
use troupe_client::{Client, Error};
use troupe_core::content::{Content, Poll};
use troupe_core::{Body, ClientMessageId, ConversationId, Event, EventKind, UserId};
use troupe_proto::wire::client::{ClosePoll, Fetch, Page, Vote, client_frame::Request, server_frame::Message};
use troupe_runtime::Rng;

use super::account::Account;
use super::{Phase, WorkloadContext};

/// A request without an answer may or may not have been applied.
const PATIENCE: Duration = Duration::from_secs(5);
/// Maximum pause between two acts.
const PAUSE_MS: u64 = 300;
/// Events of a page from which a poll is chosen.
const RECENT: u32 = 60;
const OPTIONS: u64 = 3;
/// One act in this many is a new poll, and one the end of a poll.
const NEW: u64 = 5;
const CLOSE: u64 = 12;
/// Attempts under one id.
const ATTEMPTS: u64 = 3;
/// Refusals of a vote that changes nothing, of a poll that has ended, and in a group that the user
/// has left.
const EXPECTED: [&str; 10] = [
    "already_voted",
    "no_such_vote",
    "poll_closed",
    "erased",
    "no_such_message",
    "not_your_message",
    "not_member",
    "group_disbanded",
    "not_taken",
    "upgrade_pending",
];

pub async fn live(workload: Arc<WorkloadContext>, number: u32, user: usize) {
    let me = workload.everybody().await[&user];
    let account = Account::new(workload.clone(), number, user, "pollster");
    let client = account.start();
    let rng = account.platform.rng.clone();
    let voter = Voter { workload: workload.clone(), number, me, client, rng };
    let phase = workload.phase.subscribe();
    while *phase.borrow() == Phase::Talking {
        sleep(Duration::from_millis(voter.rng.range(0, PAUSE_MS))).await;
        voter.act().await;
    }
    // The device stays connected and receives events.
    std::future::pending().await
}

struct Voter {
    workload: Arc<WorkloadContext>,
    number: u32,
    me: UserId,
    client: Client,
    rng: Arc<Rng>,
}

impl Voter {
    async fn act(&self) {
        let group = *self.workload.group.borrow();
        let conversation = group.filter(|_| self.rng.range(0, 2) == 0).unwrap_or(ConversationId::Everyone);
        let Some(page) = self.look(conversation).await else { return };
        let events = page.events.iter().filter_map(|event| Event::try_from(event.clone()).ok());
        let polls: Vec<(u64, Poll)> = events.filter_map(|event| Some((event.seq.0, poll_of(&event)?))).collect();
        if polls.is_empty() || self.rng.range(0, NEW) == 0 {
            let newest = page.events.last().map_or(0, |event| event.time_ms);
            return self.ask(conversation, newest).await;
        }
        let (poll, asked) = &polls[self.rng.range(0, polls.len() as u64) as usize];
        self.step(conversation, *poll, asked.multiple).await;
        self.look(conversation).await;
    }

    /// A new poll.
    async fn ask(&self, conversation: ConversationId, newest: u64) {
        let options = (0..OPTIONS).map(|option| option.to_string()).collect();
        let (multiple, anonymous) = (self.rng.range(0, 2) == 0, self.rng.range(0, 3) == 0);
        // Its time may have passed by the clock of the leader, which refuses it then.
        let ends_ms = if self.rng.range(0, 3) == 0 { newest + self.rng.range(500, 6_000) } else { 0 };
        let question = "which?".to_owned();
        let body = Body::from(Poll { question, options, multiple, anonymous, ends_ms });
        let id = ClientMessageId(self.rng.bytes());
        let Ok(sent) = self.client.send_as(conversation, id, body) else { return };
        let (workload, number) = (self.workload.clone(), self.number);
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

    /// A vote or an end under one id, repeated without an answer, and sometimes with one.
    async fn step(&self, conversation: ConversationId, poll: u64, multiple: bool) {
        let id = ClientMessageId(self.rng.bytes());
        let (request, place) = (id.0.to_vec().into(), conversation.to_string());
        let (request, step) = if self.rng.range(0, CLOSE) == 0 {
            let step = PollStep::Closed { to: poll, voters: 0, counts: Vec::new() };
            (Request::ClosePoll(ClosePoll { request, conversation: place, seq: poll }), step)
        } else {
            let remove = self.rng.range(0, 4) == 0;
            let options = if remove { Vec::new() } else { self.options(multiple) };
            let step = PollStep::Voted { to: poll, options: options.clone(), removed: remove };
            (Request::Vote(Vote { request, conversation: place, seq: poll, options, remove }), step)
        };
        let evidence = &self.workload.evidence;
        let mut placed: Option<u64> = None;
        for _ in 0..1 + self.rng.range(0, ATTEMPTS) {
            match timeout(PATIENCE, self.client.call(request.clone())).await {
                Ok(Ok(Message::SendAck(ack))) => {
                    if placed.replace(ack.seq).is_some_and(|before| before != ack.seq) {
                        evidence.wrong(format!("the vote {id} of user {} has two places, {} is one", self.me, ack.seq));
                    }
                    evidence.voted(self.number, conversation, &format!("{}/{id}", self.me), ack.seq, step.clone());
                }
                Ok(Err(Error::Rejected { code, text })) => {
                    if !EXPECTED.contains(&&*code) {
                        evidence.wrong(format!("a vote of user {} in {conversation} was refused: {text}", self.me));
                    }
                    if let Some(placed) = placed {
                        evidence.wrong(format!("the vote {id} is at {placed}, and was refused: {text}"));
                    }
                    return;
                }
                // The log shows whether it was applied.
                Ok(Ok(_) | Err(_)) | Err(_) => {}
            }
        }
    }

    /// One option, or some of them.
    fn options(&self, multiple: bool) -> Vec<u32> {
        let first = self.rng.range(0, OPTIONS) as u32;
        let more = (0..OPTIONS as u32).filter(|option| *option > first && multiple && self.rng.range(0, 2) == 0);
        std::iter::once(first).chain(more).collect()
    }

    async fn look(&self, conversation: ConversationId) -> Option<Page> {
        let fetch = Fetch { conversation: conversation.to_string(), seq: 0, backward: true, limit: RECENT };
        let asked = timeout(PATIENCE, self.client.call(Request::Fetch(fetch))).await;
        let Ok(Ok(Message::Page(page))) = asked else { return None };
        let evidence = &self.workload.evidence;
        evidence.looked_at(self.me, conversation, page.events.iter().map(|event| event.seq));
        evidence.polled(self.number, self.me, &page);
        Some(page)
    }
}

fn poll_of(event: &Event) -> Option<Poll> {
    match &event.kind {
        EventKind::Message(body) => match body.typed() {
            Some(Content::Poll(poll)) => Some(poll),
            _ => None,
        },
        _ => None,
    }
}

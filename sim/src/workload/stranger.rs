//! Strangers: users without contacts who create groups and add others, and the added users' answers
//! to invitations.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use troupe_client::{Client, Connection};
use troupe_core::command::Intent;
use troupe_core::{Body, ClientMessageId, ConversationId, UserId, limits};
use troupe_proto::wire::client::{self as wire, client_frame::Request, server_frame::Message};
use troupe_runtime::Rng;

use super::account::Account;
use super::device::settled;
use super::{Phase, WorkloadContext};

/// A change without an answer may or may not have been applied.
const PATIENCE: Duration = Duration::from_secs(5);
/// More groups than pending invitations that one user may have from one stranger.
const GROUPS: usize = limits::INVITATIONS_PENDING_OF_ONE + 3;
/// Maximum pause between two acts.
const PAUSE_MS: u64 = 400;

pub async fn live(workload: Arc<WorkloadContext>, number: u32, user: usize) {
    let account = Account::new(workload.clone(), number, user, "stranger");
    let users = workload.everybody().await;
    let me = account.register().await;
    workload.strangers.send_modify(|strangers| strangers.extend([(user, me)]));
    let client = account.start();
    let people: Vec<UserId> = (0..workload.plan.people.busy).map(|user| users[&user]).collect();
    let stranger = Stranger { account, me, client, people };
    stranger.create_groups().await;
    // The device stays connected and receives the events of its groups.
    std::future::pending().await
}

struct Stranger {
    account: Account,
    me: UserId,
    client: Client,
    people: Vec<UserId>,
}

impl Stranger {
    async fn create_groups(&self) {
        let rng = self.account.platform.rng.clone();
        let phase = self.account.workload.phase.subscribe();
        let mut groups: Vec<ConversationId> = Vec::new();
        while *phase.borrow() == Phase::Talking {
            sleep(Duration::from_millis(rng.range(10, PAUSE_MS))).await;
            let victim = self.people[rng.range(0, self.people.len() as u64) as usize];
            let Some(group) = (rng.range(0, 3) > 0).then(|| groups.get(rng.range(0, GROUPS as u64) as usize)).flatten()
            else {
                if groups.len() < GROUPS {
                    groups.extend(self.begin_group(groups.len(), victim).await);
                }
                continue;
            };
            match rng.range(0, 4) {
                0 => self.change(*group, Intent::Add { users: vec![victim] }).await,
                1 => self.change(*group, Intent::Remove { user: victim }).await,
                _ => self.say(*group),
            }
        }
        self.account.workload.until(Phase::LastWords).await;
        groups.into_iter().for_each(|group| self.say(group));
    }

    /// The first user is invited to every group, so that it reaches the bounds.
    async fn begin_group(&self, number: usize, other: UserId) -> Option<ConversationId> {
        let request = ClientMessageId([number as u8 + 100; 16]);
        let members = [self.people[0], other];
        let made = self.client.create_group_as(request, "strange", false, &members).await.ok()?;
        self.account.workload.stranger_groups.send_modify(|stranger_groups| stranger_groups.extend([(made, self.me)]));
        Some(made)
    }

    async fn change(&self, group: ConversationId, change: Intent) {
        // The log shows whether it was applied.
        let _ = timeout(PATIENCE, self.client.change_group(group, change)).await;
    }

    fn say(&self, group: ConversationId) {
        let id = ClientMessageId(self.account.platform.rng.bytes());
        let Ok(sent) = self.client.send_as(group, id, Body::text(&id.to_string())) else { return };
        let name = format!("{}/{id}", self.me);
        self.account.workload.evidence.invoked(self.account.number, self.me, group, &name);
        let (number, workload) = (self.account.number, self.account.workload.clone());
        tokio::spawn(async move {
            let outcome = sent.await;
            settled(&workload, number, group, name, outcome);
        });
    }
}

/// Answers a user's invitations: those of known users are accepted. Those of strangers are
/// accepted, declined, or left pending.
pub async fn answer(workload: Arc<WorkloadContext>, connection: Arc<Connection>, me: UserId, rng: Arc<Rng>) {
    let list = connection.request(Request::ListInvitations(wire::ListInvitations {})).await;
    let Ok(Message::Invitations(list)) = list else { return };
    let evidence = &workload.evidence;
    for line in list.invitations {
        let (by, Ok(group)) = (UserId(line.invited_by), line.conversation.parse::<ConversationId>()) else {
            evidence.wrong(format!("user {me} is invited to {line:?}"));
            continue;
        };
        let known = workload.users.borrow().values().any(|user| *user == by);
        let dice = if known { 0 } else { rng.range(0, 8) };
        if dice < 3 {
            evidence.accepting(me, by);
            let accept = wire::AcceptInvitation { conversation: line.conversation, seq: line.seq, decline: false };
            if let Ok(Message::Done(_)) = connection.request(Request::AcceptInvitation(accept)).await {
                evidence.accepted(me, group, line.seq);
            }
        } else if dice == 3 {
            let change = Some(wire::change_group::Change::Leave(wire::Done {}));
            let request = rng.bytes::<16>().to_vec().into();
            let leave = wire::ChangeGroup { request, conversation: line.conversation, change };
            // Without an answer, the invitation is declined or still pending.
            drop(connection.request(Request::ChangeGroup(leave)).await);
        }
    }
}

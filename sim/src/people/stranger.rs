//! Strangers: nobody knows them, and they make groups with people who then decide whether they
//! enter; and what people do about invitations.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use troupe_client::{Client, Connection, Events, Incoming, StartAt};
use troupe_core::command::Intent;
use troupe_core::{Body, ClientMessageId, ConversationId, UserId, limits};
use troupe_proto::wire::client::{self as wire, client_frame::Request, server_frame::Message};
use troupe_runtime::{Platform, Rng};

use super::device::settled;
use super::pocket::Pocket;
use super::{AGAIN, PASSWORD, Phase, Square};

/// A change without an answer by then may have happened or not.
const PATIENCE: Duration = Duration::from_secs(5);
/// More than one stranger may have pending with one user.
const GROUPS: usize = limits::INVITATIONS_PENDING_OF_ONE + 3;
/// Between two deeds, at most.
const PAUSE_MS: u64 = 400;

pub async fn live(square: Arc<Square>, number: u32, user: usize) {
    square.owners.lock().insert(number, user);
    let users = square.everybody().await;
    let world = square.world(number);
    let builder = || {
        Client::builder()
            .context(world.clone())
            .nodes(square.nodes(number as usize))
            .credentials(Square::name(user), PASSWORD)
            .device("stranger")
            .start_at(StartAt::Beginning)
            .patience(Duration::from_secs(30))
            .store(Pocket::default())
    };
    let me = loop {
        match builder().register().await {
            Ok(me) => break me,
            Err(_) => sleep(AGAIN).await,
        }
    };
    square.strangers.send_modify(|strangers| strangers.extend([(user, me)]));
    let (client, events) = builder().start().expect("a store in memory is readable");
    tokio::spawn(listen(square.clone(), number, events));
    let people: Vec<UserId> = (0..square.plan.people.busy).map(|user| users[&user]).collect();
    let stranger = Stranger { square: square.clone(), number, me, world, client, people };
    stranger.meddle().await;
    // The device stays on, and hears what is said in its groups.
    std::future::pending().await
}

struct Stranger {
    square: Arc<Square>,
    number: u32,
    me: UserId,
    world: Platform,
    client: Client,
    people: Vec<UserId>,
}

impl Stranger {
    async fn meddle(&self) {
        let rng = self.world.rng.clone();
        let phase = self.square.phase.subscribe();
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
        self.square.until(Phase::LastWords).await;
        groups.into_iter().for_each(|group| self.say(group));
    }

    /// The first of the people is in each: so one of them meets the bounds.
    async fn begin_group(&self, number: usize, other: UserId) -> Option<ConversationId> {
        let request = ClientMessageId([number as u8 + 100; 16]);
        let members = [self.people[0], other];
        let made = self.client.create_group_as(request, "strange", false, &members).await.ok()?;
        self.square.strange.send_modify(|strange| strange.extend([(made, self.me)]));
        Some(made)
    }

    async fn change(&self, group: ConversationId, change: Intent) {
        // It happened or it did not: the log says which.
        let _ = timeout(PATIENCE, self.client.change_group(group, change)).await;
    }

    fn say(&self, group: ConversationId) {
        let id = ClientMessageId(self.world.rng.bytes());
        let Ok(sent) = self.client.send_as(group, id, Body::text(&id.to_string())) else { return };
        let name = format!("{}/{id}", self.me);
        self.square.evidence.invoked(self.number, self.me, group, &name);
        let (number, square) = (self.number, self.square.clone());
        tokio::spawn(async move {
            let outcome = sent.await;
            settled(&square, number, group, name, outcome);
        });
    }
}

async fn listen(square: Arc<Square>, number: u32, mut events: Events) {
    while let Some(incoming) = events.next().await {
        if let Incoming::Event { conversation, event } = incoming {
            square.evidence.handed(number, conversation, &event);
        }
    }
}

/// Somebody looks at their invitations: those of people they might know are accepted, of the others
/// some are, some are declined, and some wait.
pub async fn answer(square: Arc<Square>, connection: Arc<Connection>, me: UserId, rng: Arc<Rng>) {
    let list = connection.request(Request::ListInvitations(wire::ListInvitations {})).await;
    let Ok(Message::Invitations(list)) = list else { return };
    let evidence = &square.evidence;
    for line in list.invitations {
        let (by, Ok(group)) = (UserId(line.invited_by), line.conversation.parse::<ConversationId>()) else {
            evidence.wrong(format!("user {me} is invited to {line:?}"));
            continue;
        };
        let known = square.users.borrow().values().any(|user| *user == by);
        let dice = if known { 0 } else { rng.range(0, 8) };
        if dice < 3 {
            evidence.accepting(me, by);
            let accept = wire::AcceptInvitation { conversation: line.conversation, seq: line.seq };
            if let Ok(Message::Done(_)) = connection.request(Request::AcceptInvitation(accept)).await {
                evidence.accepted(me, group, line.seq);
            }
        } else if dice == 3 {
            let change = Some(wire::change_group::Change::Leave(wire::Done {}));
            let request = rng.bytes::<16>().to_vec().into();
            let leave = wire::ChangeGroup { request, conversation: line.conversation, change };
            // Unanswered, it is declined or it is still there.
            drop(connection.request(Request::ChangeGroup(leave)).await);
        }
    }
}

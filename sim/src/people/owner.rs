//! Somebody who cannot leave the members of their groups alone: adds and removes them all the time.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use troupe_client::{Client, Events, Incoming, StartAt};
use troupe_core::command::Intent;
use troupe_core::event::Role;
use troupe_core::{ClientMessageId, ConversationId, UserId};
use troupe_runtime::Platform;

use super::pocket::Pocket;
use super::{AGAIN, PASSWORD, Phase, Square};

/// A change without an answer by then may have happened or not.
const PATIENCE: Duration = Duration::from_secs(5);

pub async fn live(square: Arc<Square>, number: u32, user: usize) {
    square.owners.lock().insert(number, user);
    let world = square.world(number);
    let builder = || {
        Client::builder()
            .context(world.clone())
            .nodes(square.nodes(number as usize))
            .credentials(Square::name(user), PASSWORD)
            .device("owner")
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
    square.users.send_modify(|users| users.extend([(user, me)]));
    let users = square.everybody().await;
    let (client, events) = builder().start().expect("a store in memory is readable");
    tokio::spawn(listen(square.clone(), number, events));

    let people: Vec<UserId> = (0..square.plan.people.busy).map(|user| users[&user]).collect();
    for group in 0..square.plan.people.churn {
        let request = ClientMessageId([group as u8 + 11; 16]);
        let made = loop {
            match client.create_group_as(request, "open", false, &people).await {
                Ok(made) => break made,
                Err(_) => sleep(AGAIN).await,
            }
        };
        square.open.send_modify(|open| open.push(made));
    }
    meddle(&square, &world, &client, &people).await;
    // The device stays on: its owner reads along.
    square.until(Phase::Silent).await;
    std::future::pending().await
}

async fn meddle(square: &Square, world: &Platform, client: &Client, people: &[UserId]) {
    let phase = square.phase.subscribe();
    let groups: Vec<ConversationId> = square.open.borrow().clone();
    // Who was removed, as far as the owner knows.
    let mut out: BTreeSet<(ConversationId, UserId)> = BTreeSet::new();
    while *phase.borrow() == Phase::Talking {
        sleep(Duration::from_millis(world.rng.range(10, square.plan.people.churn_pause_ms.max(11)))).await;
        let group = groups[world.rng.range(0, groups.len() as u64) as usize];
        let user = people[world.rng.range(0, people.len() as u64) as usize];
        let is_out = out.contains(&(group, user));
        let change = match world.rng.range(0, 8) {
            0 => Intent::Rename { name: format!("open {}", world.rng.range(0, 1_000)) },
            1 if !is_out => Intent::SetRole { user, role: Role::Member },
            _ if is_out => Intent::Add { users: vec![user] },
            _ => Intent::Remove { user },
        };
        let (adds, removes) = (matches!(change, Intent::Add { .. }), matches!(change, Intent::Remove { .. }));
        // A refusal says that an earlier change happened, or did not: then this one is done or
        // undone next time.
        let _ = timeout(PATIENCE, client.change_group(group, change)).await;
        if adds {
            out.remove(&(group, user));
        } else if removes {
            out.insert((group, user));
        }
    }
}

async fn listen(square: Arc<Square>, number: u32, mut events: Events) {
    while let Some(incoming) = events.next().await {
        if let Incoming::Event { conversation, event } = incoming {
            square.evidence.handed(number, conversation, &event);
        }
    }
}

//! Acquaintances: users that ask each other for contacts, answer, end them, block each other, and
//! write to each other all the while.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use troupe_chaos::history::{ContactAct, Outcome};
use troupe_client::{Client, Error};
use troupe_core::{Body, ClientMessageId, ConversationId, UserId, command};

use super::account::Account;
use super::{Phase, WorkloadContext};

/// A change without an answer may or may not have been applied.
const PATIENCE: Duration = Duration::from_secs(5);
/// Maximum pause between two acts.
const PAUSE_MS: u64 = 250;
/// Attempts of one act under one id.
const ATTEMPTS: u32 = 4;
/// Refusals of an act that another one has made pointless.
const EXPECTED: [&str; 3] = ["no_such_contact", "contact_blocked", "upgrade_pending"];
/// Of a message to a user that blocks its sender.
const NOT_TAKEN: &str = "not_taken";

pub async fn live(workload: Arc<WorkloadContext>, number: u32, user: usize) {
    let account = Account::new(workload.clone(), number, user, "acquaintance");
    workload.everybody().await;
    let me = account.register().await;
    workload.strangers.send_modify(|strangers| strangers.extend([(user, me)]));
    workload.acquaintances.send_modify(|all| all.extend([(user, me)]));
    let client = account.start();
    let mut all = workload.acquaintances.subscribe();
    let full = workload.plan.society.acquaintances;
    let all: BTreeMap<usize, UserId> =
        all.wait_for(|all| all.len() >= full).await.expect("the square outlives the people").clone();
    let others: Vec<UserId> = all.into_values().filter(|other| *other != me).collect();
    let rng = account.platform.rng.clone();
    let phase = workload.phase.subscribe();
    while *phase.borrow() == Phase::Talking {
        sleep(Duration::from_millis(rng.range(10, PAUSE_MS))).await;
        let Some(other) = others.get(rng.range(0, others.len() as u64) as usize) else { break };
        match rng.range(0, 12) {
            0..3 => act(&account, &client, me, *other, ContactAct::Ask).await,
            3 => act(&account, &client, me, *other, ContactAct::Accept).await,
            4 => act(&account, &client, me, *other, ContactAct::End).await,
            5 => act(&account, &client, me, *other, ContactAct::Block).await,
            6 | 7 => act(&account, &client, me, *other, ContactAct::Unblock).await,
            _ => say(&account, &client, me, *other),
        }
    }
    // The device stays connected and receives events.
    std::future::pending().await
}

/// One act under one id, repeated until there is an answer. Sometimes it is repeated with one.
async fn act(account: &Account, client: &Client, me: UserId, other: UserId, act: ContactAct) {
    let evidence = &account.workload.evidence;
    let request = ClientMessageId(account.platform.rng.bytes());
    let asked = evidence.now().as_micros() as u64;
    let tell = |outcome| evidence.contact(account.number, asked, (me, other), act, outcome);
    tell(Outcome::Asked);
    let change = match act {
        ContactAct::Ask => command::ContactAct::Ask { text: "hello".to_owned() },
        ContactAct::Accept => command::ContactAct::Accept,
        ContactAct::End => command::ContactAct::End,
        ContactAct::Block => command::ContactAct::Block,
        ContactAct::Unblock => command::ContactAct::Unblock,
    };
    let (mut is_done, mut is_in_doubt) = (false, false);
    for _ in 0..ATTEMPTS {
        match timeout(PATIENCE, client.change_contact_as(request, other, change.clone())).await {
            Ok(Ok(())) => {
                if !is_done {
                    tell(Outcome::Done);
                }
                is_done = true;
                if account.platform.rng.range(0, 4) > 0 {
                    return;
                }
            }
            Ok(Err(Error::Rejected { code, text })) => {
                if is_done || !EXPECTED.contains(&&*code) {
                    evidence.wrong(format!("{act:?} of user {me} on {other} was refused: {text}"));
                }
                // An attempt without an answer may still arrive.
                if !is_in_doubt {
                    tell(Outcome::Refused);
                }
                return;
            }
            // It is repeated under its id.
            Ok(Err(_)) | Err(_) => is_in_doubt = true,
        }
    }
}

fn say(account: &Account, client: &Client, me: UserId, other: UserId) {
    let Some(conversation) = ConversationId::direct(me, other) else { return };
    let id = ClientMessageId(account.platform.rng.bytes());
    let Ok(sent) = client.send_as(conversation, id, Body::text(&id.to_string())) else { return };
    let name = format!("{me}/{id}");
    account.workload.evidence.invoked(account.number, me, conversation, &name);
    let (number, workload) = (account.number, account.workload.clone());
    tokio::spawn(async move {
        let evidence = &workload.evidence;
        match sent.await {
            Ok(acked) => evidence.acked(number, conversation, &name, acked.seq.0),
            Err(error) if error.is_definite() => {
                let code = error.code().unwrap_or("none").to_owned();
                evidence.rejected(number, conversation, &name, &code);
                if code != NOT_TAKEN {
                    evidence.wrong(format!("{name} was refused in {conversation}: {error}"));
                }
            }
            // Without an outcome the message is still in the outbox, and is sent later.
            Err(_) => {}
        }
    });
}

//! Lists of conversations that are full of large messages, without pause. A list that reads events
//! reads their bodies, up to 64 KiB each.

use std::time::Duration;

use anyhow::{Result, bail};
use futures::StreamExt;
use futures::future::{join_all, try_join_all};
use tokio::time::{Instant, sleep};
use troupe_client::connection::{Connection, Message, Request};
use troupe_client::error::Error;
use troupe_proto::wire::client as wire;

use super::site::{Site, User, attacker, random_id, user};

const GROUPS: usize = 40;
/// Accounts of the one address. Each may list and write as much as a user may.
const ACCOUNTS: usize = 5;
const BODY_BYTES: usize = 60 * 1024;
/// Messages of each account in each group. The attack is the lists, so the writes are few and slow.
const MESSAGES: usize = 2;
const WRITES_AT_ONCE: usize = 2;
const LISTS_AT_ONCE: usize = 32;
/// One body per conversation. A list needs only heads, cursors and numbers; the remainder is a
/// margin for compactions, which read as well.
const BYTES_PER_LIST: u64 = (GROUPS * BODY_BYTES) as u64;

pub async fn run(site: &mut Site, time: Duration) -> Result<Vec<String>> {
    let mut accounts = Vec::new();
    for number in 0..ACCOUNTS {
        let User { connection, mut pushes, .. } =
            user(attacker(), site.node(number), &format!("lister{number}")).await?;
        // Pushes are read, so that the connection does not count as slow.
        tokio::spawn(async move { while pushes.next().await.is_some() {} });
        accounts.push(connection);
    }
    let groups = create_groups(&accounts).await?;

    let filled = Instant::now() + time / 2;
    let written = join_all(accounts.iter().map(|account| write(account, &groups, filled))).await;
    let written: u64 = written.into_iter().sum();

    let until = Instant::now() + time / 2;
    let before = site.bytes_read();
    let listed = join_all(accounts.iter().map(|account| list(account, until))).await;
    let lists: u64 = listed.iter().map(|(lists, _)| lists).sum();
    let lines = listed.iter().map(|(_, lines)| *lines).max().unwrap_or_default();
    let per_list = site.bytes_read().saturating_sub(before) / lists.max(1);
    site.notes.push(format!(
        "{lists} lists of {lines} conversations, over {written} messages of {} KiB: {} KiB read per list",
        BODY_BYTES >> 10,
        per_list >> 10
    ));

    let mut findings = Vec::new();
    if lines < GROUPS {
        findings.push(format!("a list of {GROUPS} groups had {lines} lines in {lists} answers"));
    }
    if per_list > BYTES_PER_LIST {
        findings.push(format!("the nodes read {per_list} bytes for each list"));
    }
    Ok(findings)
}

/// Open groups of the first account, which the others join.
async fn create_groups(accounts: &[Connection]) -> Result<Vec<String>> {
    let mut groups = Vec::new();
    for number in 0..GROUPS {
        let create =
            wire::CreateGroup { request: random_id(), name: format!("large {number}"), open: true, members: vec![] };
        let Message::GroupCreated(created) = accounts[0].request(Request::CreateGroup(create)).await? else {
            bail!("a group was not created")
        };
        let join = || wire::ChangeGroup {
            request: random_id(),
            conversation: created.conversation.clone(),
            change: Some(wire::change_group::Change::Join(wire::Done {})),
        };
        try_join_all(accounts[1..].iter().map(|account| account.request(Request::ChangeGroup(join())))).await?;
        groups.push(created.conversation);
    }
    Ok(groups)
}

/// Writes into all groups in turn. Returns the number of acknowledged messages.
async fn write(account: &Connection, groups: &[String], until: Instant) -> u64 {
    let body = vec![b'x'; BODY_BYTES];
    let sends = futures::stream::iter(groups.iter().cycle().take(MESSAGES * groups.len())).map(|group| {
        account.request(Request::Send(wire::Send {
            conversation: group.clone(),
            client_message_id: random_id(),
            after: Default::default(),
            body: Some(wire::Body { kind: 1_000, content: body.clone().into(), context: None }),
        }))
    });
    let sends = sends.buffer_unordered(WRITES_AT_ONCE);
    tokio::pin!(sends);
    let mut written = 0;
    while Instant::now() < until && !account.is_closed() {
        match sends.next().await {
            Some(Ok(_)) => written += 1,
            Some(Err(_)) => sleep(Duration::from_millis(5)).await,
            None => break,
        }
    }
    written
}

/// Returns the number of answered lists, and the lines of the longest.
async fn list(account: &Connection, until: Instant) -> (u64, usize) {
    let lists = futures::stream::repeat_with(|| account.request(Request::ListConversations(Default::default())));
    let lists = lists.buffer_unordered(LISTS_AT_ONCE);
    tokio::pin!(lists);
    let (mut answered, mut lines) = (0, 0);
    while Instant::now() < until && !account.is_closed() {
        match lists.next().await {
            Some(Ok(Message::Conversations(page))) => {
                answered += 1;
                lines = lines.max(page.conversations.len());
            }
            // The queue of this connection is full.
            Some(Err(Error::Overloaded { code, .. })) if code == "connection_queue" => {
                sleep(Duration::from_millis(1)).await;
            }
            _ => {}
        }
    }
    (answered, lines)
}

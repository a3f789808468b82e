//! One account that continuously requests operations of administrators, and answers invitations
//! and invite links that it does not have.

use std::time::Duration;

use anyhow::Result;
use futures::StreamExt;
use tokio::time::Instant;
use troupe_client::connection::{Message, Request};
use troupe_client::error::{Error, Result as Answer};
use troupe_proto::wire::client as wire;
use troupe_proto::wire::client::admin::Operation;

use super::site::{Site, User, address, attacker, random_id, user};

const AT_ONCE: usize = 64;

/// Every kind of operation that shows or changes data of others.
fn operations(victim: &str) -> Vec<Operation> {
    let password = "chosen by a stranger".to_owned();
    vec![
        Operation::ListAccounts(wire::ListAccounts::default()),
        Operation::ShowAccount(victim.to_owned()),
        Operation::CreateAccount(wire::CreateAccount { name: "mine".into(), password: password.clone(), admin: true }),
        Operation::DisableAccount(victim.to_owned()),
        Operation::DeleteAccount(victim.to_owned()),
        Operation::ResetPassword(wire::ResetPassword { account: victim.to_owned(), password }),
        Operation::SetAdmin(wire::SetAdmin { account: "pretender".into(), admin: true }),
        Operation::SetRole(wire::SetRole { account: "pretender".into(), role: "auditor".into() }),
        Operation::AccountSessions(victim.to_owned()),
        Operation::EndSessions(wire::EndSessions { account: victim.to_owned(), device: String::new() }),
        Operation::ListInvites(wire::ListInvites::default()),
        Operation::ReadAudit(wire::ReadAudit::default()),
        Operation::ShowSettings(wire::Done {}),
        Operation::ChangeSettings(wire::ChangeSettings { registration: Some("closed".into()), ..Default::default() }),
    ]
}

pub async fn administer(site: &mut Site, time: Duration) -> Result<Vec<String>> {
    let nodes = site.cluster.client_addresses();
    let attacker = user(attacker(), &nodes[1], "pretender").await?;
    let operations = operations("alice");
    let asked = |n: usize| {
        let operation = Some(operations[n % operations.len()].clone());
        Request::Admin(wire::Admin { request: random_id(), operation })
    };
    Ok(flood(&attacker, time, asked, "not_admin").await)
}

/// Accepts and declines the groups of an honest user, with guessed ids.
pub async fn answer(site: &mut Site, time: Duration) -> Result<Vec<String>> {
    let nodes = site.cluster.client_addresses();
    let host = user(address(1, 2), &nodes[0], "carol").await?;
    let create = wire::CreateGroup { request: random_id(), name: "closed".into(), open: false, members: vec![] };
    let Message::GroupCreated(group) = host.connection.request(Request::CreateGroup(create)).await? else {
        anyhow::bail!("a group was not created")
    };
    let attacker = user(attacker(), &nodes[1], "pretender").await?;
    let accept = |n: usize| {
        let (conversation, seq) = (group.conversation.clone(), 1 + n as u64 % 8);
        Request::AcceptInvitation(wire::AcceptInvitation { conversation, seq, decline: false })
    };
    let decline = |_| {
        let leave = Some(wire::change_group::Change::Leave(wire::Done {}));
        Request::ChangeGroup(wire::ChangeGroup {
            request: random_id(),
            conversation: group.conversation.clone(),
            change: leave,
        })
    };
    let mut findings = flood(&attacker, time / 2, accept, "no_such_invitation").await;
    findings.extend(flood(&attacker, time / 2, decline, "not_member").await);
    Ok(findings)
}

/// Guesses codes of the invite link of an honest user's group.
pub async fn guess(site: &mut Site, time: Duration) -> Result<Vec<String>> {
    use wire::change_group::Change;
    let nodes = site.cluster.client_addresses();
    let host = user(address(1, 2), &nodes[0], "carol").await?;
    let create = wire::CreateGroup { request: random_id(), name: "closed".into(), open: false, members: vec![] };
    let Message::GroupCreated(group) = host.connection.request(Request::CreateGroup(create)).await? else {
        anyhow::bail!("a group was not created")
    };
    let change = |change| {
        let (request, conversation) = (random_id(), group.conversation.clone());
        Request::ChangeGroup(wire::ChangeGroup { request, conversation, change: Some(change) })
    };
    let link = wire::NewLink { code: "a-code-of-an-honest-user".into(), uses: 1, expires_ms: 0 };
    host.connection.request(change(Change::MakeLink(link))).await?;
    let attacker = user(attacker(), &nodes[1], "pretender").await?;
    let code = |n: usize| format!("a-code-of-an-attacker-{n}");
    let preview =
        |n| Request::PreviewLink(wire::PreviewLink { conversation: group.conversation.clone(), code: code(n) });
    let mut findings = flood(&attacker, time / 2, preview, "bad_link").await;
    findings.extend(flood(&attacker, time / 2, |n| change(Change::JoinLink(code(n))), "bad_link").await);
    Ok(findings)
}

/// Asks without pause. Any answer other than a refusal by that code, or for the rate, is a finding.
async fn flood(attacker: &User, time: Duration, asked: impl Fn(usize) -> Request, code: &str) -> Vec<String> {
    let until = Instant::now() + time;
    let answers = futures::stream::iter(0..).map(|n| attacker.connection.request(asked(n))).buffer_unordered(AT_ONCE);
    tokio::pin!(answers);
    let (mut refused, mut findings) = (0u64, Vec::new());
    while Instant::now() < until && findings.is_empty() && !attacker.connection.is_closed() {
        match answers.next().await {
            Some(answer) if is_refused(&answer, code) => refused += 1,
            Some(Err(Error::Overloaded { .. } | Error::Unavailable(_))) => {}
            other => findings.push(format!("instead of {code} the answer was {other:?}")),
        }
    }
    if refused == 0 {
        findings.push(format!("nothing was refused with {code}"));
    }
    findings
}

fn is_refused(answer: &Answer<Message>, wanted: &str) -> bool {
    matches!(answer, Err(Error::Rejected { code, .. }) if code == wanted)
}

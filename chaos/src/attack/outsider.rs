//! An outsider asks about conversations of others. All answers must be equal, whether they exist or
//! not.

use anyhow::Result;
use troupe_client::connection::Request;
use troupe_client::error::Error;
use troupe_proto::wire::client as wire;

use super::site::{Site, User, address, attacker, random_id, user};

pub async fn run(site: &mut Site) -> Result<Vec<String>> {
    let carol = user(address(1, 2), site.node(0), "carol").await?;
    let peer = user(address(1, 3), site.node(1), "peer").await?;
    let outsider = user(attacker(), site.node(2), "outsider").await?;
    let silent = user(address(1, 4), site.node(2), "silent").await?;
    let create = wire::CreateGroup { request: random_id(), name: "secret".into(), open: false, members: vec![] };
    let group = match carol.connection.request(Request::CreateGroup(create)).await? {
        troupe_client::connection::Message::GroupCreated(created) => created.conversation,
        other => anyhow::bail!("unexpected: {other:?}"),
    };
    let send = wire::Send {
        conversation: carol.direct(peer.id),
        client_message_id: random_id(),
        after: Default::default(),
        body: Some(wire::Body { kind: 1, content: "between us".into(), context: None }),
    };
    carol.connection.request(Request::Send(send)).await?;

    let mut findings = Vec::new();
    let pairs = [
        (carol.direct(peer.id), carol.direct(silent.id)),
        // The id of a group that does not exist, in the same slot.
        (group.clone(), format!("g{}", group[1..].parse::<u64>()? + 1_024 * 1_024)),
    ];
    for (existing, missing) in pairs {
        for (operation, ask) in operations() {
            let of_existing = answer(&outsider, ask(&existing)).await;
            let of_missing = answer(&outsider, ask(&missing)).await;
            if of_existing != of_missing {
                findings.push(format!("{operation}: {of_existing} for {existing}, {of_missing} for {missing}"));
            }
        }
    }
    Ok(findings)
}

type Ask = fn(&str) -> Request;

fn operations() -> Vec<(&'static str, Ask)> {
    fn change(conversation: &str, change: wire::change_group::Change) -> Request {
        Request::ChangeGroup(wire::ChangeGroup {
            request: random_id(),
            conversation: conversation.into(),
            change: Some(change),
        })
    }
    vec![
        ("fetch", |c| Request::Fetch(wire::Fetch { conversation: c.into(), limit: 10, ..Default::default() })),
        ("mark_read", |c| Request::MarkRead(wire::MarkRead { conversation: c.into(), seq: 1 })),
        ("list_members", |c| Request::ListMembers(wire::ListMembers { conversation: c.into(), ..Default::default() })),
        ("send", |c| {
            Request::Send(wire::Send {
                conversation: c.into(),
                client_message_id: random_id(),
                after: Default::default(),
                body: Some(wire::Body { kind: 1, content: "let me in".into(), context: None }),
            })
        }),
        ("rename", |c| change(c, wire::change_group::Change::Rename("mine".into()))),
        ("join", |c| change(c, wire::change_group::Change::Join(wire::Done {}))),
        ("leave", |c| change(c, wire::change_group::Change::Leave(wire::Done {}))),
    ]
}

/// The distinguishable part of an answer: kind and code.
async fn answer(outsider: &User, request: Request) -> String {
    match outsider.connection.request(request).await {
        Ok(_) => "an answer".into(),
        Err(Error::Rejected { code, text }) => format!("{code} ({text})"),
        Err(error) => error.to_string(),
    }
}

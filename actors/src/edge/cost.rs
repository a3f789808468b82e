//! What each request of a client costs its user and its address. One unit is a short message.

use troupe_core::Rejection;

use super::{ClientRequest, wire};
use crate::message::Refusal;

/// Bytes of a body that cost as much as a message.
const BYTES_PER_UNIT: u64 = 1_024;
/// A commit that is no message.
const CHANGE: u64 = 5;
/// A user that is added to a group: it hears of it in its shard, and if that takes no more
/// invitations it leaves again.
const NAMED: u64 = 4;
/// A question to one shard.
const READ: u64 = 1;
/// Events of history that cost a unit.
const EVENTS_PER_UNIT: u64 = 25;
/// Users looked up by id or name that cost a unit.
const USERS_PER_UNIT: u64 = 8;
/// A question to a majority of a shard.
const OUTSIDER: u64 = 4;
/// A question to each shard of the cluster.
const SEARCH: u64 = 40;
/// The same, over everybody who is online.
const ONLINE: u64 = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// Keeps a connection alive; paid by the connection.
    Heartbeat,
    /// Comes in; paid by the address.
    Entry,
    Units(u64),
}

pub fn of(request: Option<&ClientRequest>) -> Cost {
    let Some(request) = request else { return Cost::Units(1) };
    Cost::Units(match request {
        ClientRequest::Ping(_) | ClientRequest::Pong(_) => return Cost::Heartbeat,
        ClientRequest::Hello(_)
        | ClientRequest::Register(_)
        | ClientRequest::Login(_)
        | ClientRequest::Resume(_)
        | ClientRequest::Logout(_) => {
            return Cost::Entry;
        }
        ClientRequest::Send(send) => {
            1 + send.body.as_ref().map_or(0, |body| body.content.len() as u64 / BYTES_PER_UNIT)
        }
        ClientRequest::Acknowledge(_) | ClientRequest::MarkRead(_) => 1,
        ClientRequest::ListSessions(_) => READ,
        ClientRequest::RevokeSession(_) => CHANGE,
        // Two hashes, as two logins.
        ClientRequest::ChangePassword(_) => 4 * CHANGE,
        ClientRequest::Admin(admin) => match &admin.operation {
            Some(wire::admin::Operation::ReadAudit(_)) => SEARCH,
            Some(wire::admin::Operation::ListAccounts(_) | wire::admin::Operation::ListInvites(_)) => SEARCH / 2,
            _ => 2 * CHANGE,
        },
        ClientRequest::Fetch(fetch) => {
            let events = if fetch.limit == 0 { u32::MAX } else { fetch.limit };
            READ + u64::from(events).min(troupe_core::limits::PAGE_EVENTS as u64) / EVENTS_PER_UNIT
        }
        // The page itself, then a question to each shard that has one of its conversations.
        ClientRequest::ListConversations(_) | ClientRequest::ListInvitations(_) => SEARCH / 2,
        ClientRequest::AcceptInvitation(_) => CHANGE,
        ClientRequest::CreateGroup(create) => CHANGE + NAMED * create.members.len() as u64,
        ClientRequest::ChangeGroup(change) => match &change.change {
            Some(wire::change_group::Change::Add(add)) => CHANGE + NAMED * add.users.len() as u64,
            _ => CHANGE,
        },
        ClientRequest::ListMembers(_) => READ + READ * 10,
        ClientRequest::FindUsers(_) => SEARCH,
        ClientRequest::ListOnline(_) => ONLINE,
        ClientRequest::GetUsers(get) => READ + (get.ids.len() + get.names.len()) as u64 / USERS_PER_UNIT,
    })
}

/// What is owed after a refusal. A stranger to a conversation is refused behind a read barrier,
/// which asks a majority.
pub fn of_refusal(refusal: &Refusal) -> u64 {
    let strange = [Rejection::NotMember.code(), Rejection::NotOpen.code()];
    match refusal {
        Refusal::Rejected { code, .. } if strange.contains(&code.as_ref()) => OUTSIDER,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_costs_what_it_makes_the_cluster_do() {
        let send = |bytes: usize| {
            let body = wire::Body { kind: 1, content: vec![b'x'; bytes].into() };
            of(Some(&ClientRequest::Send(wire::Send { body: Some(body), ..Default::default() })))
        };
        assert_eq!((send(10), send(64 * 1024)), (Cost::Units(1), Cost::Units(65)));
        let units = |asked: ClientRequest| match of(Some(&asked)) {
            Cost::Units(units) => units,
            other => panic!("{other:?}"),
        };
        let group = |members: u64| {
            units(ClientRequest::CreateGroup(wire::CreateGroup {
                members: (1..=members).collect(),
                ..Default::default()
            }))
        };
        assert!(group(200) > 40 * group(0), "each member is a commit in another shard");
        assert!(
            units(ClientRequest::FindUsers(Default::default()))
                > 10 * units(ClientRequest::ListSessions(Default::default()))
        );
        let page = |limit| units(ClientRequest::Fetch(wire::Fetch { limit, ..Default::default() }));
        assert!(page(0) == page(500) && page(0) == page(u32::MAX) && page(1) < page(100));
        assert_eq!(of(Some(&ClientRequest::Ping(Default::default()))), Cost::Heartbeat);
        assert_eq!(of(Some(&ClientRequest::Resume(Default::default()))), Cost::Entry);
        assert_eq!(of(None), Cost::Units(1));
        assert_eq!(of_refusal(&Rejection::NotMember.into()), OUTSIDER);
        assert_eq!(of_refusal(&Rejection::OutOfOrder.into()), 0, "a failover costs nobody anything");
    }
}

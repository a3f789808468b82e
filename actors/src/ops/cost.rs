//! Costs of operations. One unit is a short message.

use troupe_core::Rejection;
use troupe_core::feature::BAD_LINK;

use crate::message::Refusal;

/// Bytes of a body that cost as much as a message.
pub const BYTES_PER_UNIT: u64 = 1_024;
/// A commit that is no message.
pub const CHANGE: u64 = 5;
/// A user that is added to a group: a commit in that user's shard, and another one if the user
/// has too many invitations.
pub const NAMED: u64 = 4;
/// A question to one shard.
pub const READ: u64 = 1;
/// A question to each shard of the cluster.
pub const SEARCH: u64 = 40;
/// The same, over all users who are online.
pub const ONLINE: u64 = 100;
/// A question to a majority of a shard.
const OUTSIDER: u64 = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// Keeps a connection alive; paid by the connection.
    Heartbeat,
    /// Comes in; paid by the address.
    Entry,
    Units(u64),
}

/// The extra cost of a refusal. The leader refuses an outsider behind a read barrier, which asks a
/// majority.
pub fn of_refusal(refusal: &Refusal) -> u64 {
    let strange = [Rejection::NotMember.code(), Rejection::NotOpen.code(), BAD_LINK.code];
    match refusal {
        Refusal::Rejected { code, .. } if strange.contains(&code.as_ref()) => OUTSIDER,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{ClientRequest, wire};
    use crate::ops::Operation;
    use crate::ops::cost;

    #[test]
    fn a_request_costs_what_it_makes_the_cluster_do() {
        let send = |bytes: usize| {
            let body = wire::Body { kind: 1, content: vec![b'x'; bytes].into(), context: None };
            cost(Some(&ClientRequest::Send(wire::Send { body: Some(body), ..Default::default() })))
        };
        assert_eq!((send(10), send(64 * 1024)), (Cost::Units(1), Cost::Units(65)));
        let units = |asked: ClientRequest| match cost(Some(&asked)) {
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
        let event = |bytes: usize| wire::Event { kind: 5, content: vec![b'x'; bytes].into(), ..Default::default() };
        let worth = |bytes| wire::Fetch::worth(&Ok(wire::Page { events: vec![event(bytes)], ..Default::default() }));
        assert_eq!((worth(100), worth(60 * 1024)), (Some(READ), Some(READ + 15)));
        assert!(worth(60 * 1024) <= Some(page(1)) && page(500) > 100, "paid before it is read");
        let refused = Err(Rejection::NotMember.into());
        assert_eq!(wire::Fetch::worth(&refused), Some(READ), "no page is read for an outsider");
        assert_eq!(cost(Some(&ClientRequest::Ping(Default::default()))), Cost::Heartbeat);
        assert_eq!(cost(Some(&ClientRequest::Resume(Default::default()))), Cost::Entry);
        assert_eq!(cost(None), Cost::Units(1));
        assert_eq!(of_refusal(&Rejection::NotMember.into()), OUTSIDER);
        assert_eq!(of_refusal(&Rejection::OutOfOrder.into()), 0, "a failover costs no user anything");
    }
}

//! Verifies a newcomer's address before the meta group admits the newcomer.
//!
//! The meta group takes a newcomer at the address of another node for its replacement, because a
//! wiped node never returns. So the node that is asked for admission dials the address first. Only
//! the newcomer itself, recognized by its request, is admitted. If another node answers, the
//! address is taken. If no node answers, the newcomer must ask again.

use std::time::Duration;

use tokio::time::timeout;
use tracing::info;

use super::ask::ask;
use super::message::{Admission, Answer, Membership, PeerState, Question};
use crate::api::address::{Reach, misfit};
use crate::api::{JoinRefusal, JoinRequest, MemberRegistry};
use crate::transport::port::Port;
use crate::transport::port::dial::{DialError, Why};

/// The time in which the newcomer answers at its address.
const LOOK_TIME: Duration = Duration::from_secs(2);
/// The time in which the meta group admits it.
const ADMIT_TIME: Duration = Duration::from_secs(10);

pub async fn admit(port: &Port, registry: &dyn MemberRegistry, join: JoinRequest) -> Answer {
    let address = join.address.clone();
    if let Some(why) = misplaced(&address, registry) {
        return Answer::Refused(why);
    }
    let seen = ask(port, &address, &Question::Hello, LOOK_TIME).await;
    if let Some(answer) = judge(&join, seen) {
        return answer;
    }
    let elsewhere = |node| port.address_book().address(node).is_some_and(|known| known != address);
    let before = registry.addresses().into_iter().find(|(node, member)| *member == address && elsewhere(*node));
    if let Some((node, _)) = before {
        // Taken for the node's replacement, the newcomer would empty a living node.
        return Answer::Unavailable(format!(
            "node {node}, which had {address}, is at another address: the table is not corrected yet"
        ));
    }
    match timeout(ADMIT_TIME, registry.admit(join)).await {
        Ok(Ok(me)) => {
            info!(node = %me, %address, "admitted a new node");
            let nodes = registry.addresses().into_iter().collect();
            Answer::Admitted(Admission { cluster_id: registry.cluster_id(), me, nodes })
        }
        Ok(Err(JoinRefusal::NotLeader { hint })) => Answer::NotLeader { hint },
        Ok(Err(JoinRefusal::Removed)) => Answer::Removed,
        Ok(Err(JoinRefusal::Refused(why))) => Answer::Refused(why),
        Ok(Err(JoinRefusal::Unavailable)) => Answer::Unavailable("its cluster cannot admit nodes now".into()),
        Err(_) => Answer::Unavailable("its cluster did not agree in time".into()),
    }
}

/// Rejects an address by its text.
fn misplaced(address: &str, registry: &dyn MemberRegistry) -> Option<String> {
    if Reach::of(address) == Reach::Unspecified {
        return Some(format!(
            "{address} is not an address that other nodes can dial: start it with --cluster-advertise"
        ));
    }
    let members = registry.addresses();
    misfit(address, members.iter().map(|(_, member)| member.as_str()))
}

/// The answer to the newcomer, given the node that answers at its address; `None` if that is the
/// newcomer itself.
fn judge(join: &JoinRequest, seen: Result<Answer, DialError>) -> Option<Answer> {
    let address = &join.address;
    let taken = |by: &str| {
        Answer::Refused(format!(
            "{address} is taken: {by} answers there; start this node with --cluster-advertise of an address of its own"
        ))
    };
    let presence = match seen {
        Ok(Answer::Status(presence)) => presence,
        Ok(_) => return Some(taken("a peer that is not a newcomer")),
        Err(DialError { why: Why::BadToken | Why::WrongNode | Why::WithoutTls | Why::Unsupported, .. }) => {
            return Some(taken("a peer without this cluster's token"));
        }
        Err(error) => {
            return Some(Answer::Unavailable(format!(
                "this node advertises {address} (--cluster-advertise), and from here {error}"
            )));
        }
    };
    match presence.state {
        PeerState::Awaiting(Some(request)) if request == join.request => None,
        // An earlier version announces its address, but not its request.
        PeerState::Awaiting(None) if presence.addresses.cluster == *address => None,
        PeerState::Member(Membership { node: Some(node), .. }) => Some(taken(&format!("node {node}"))),
        PeerState::Member(_) => Some(taken("a node of a cluster")),
        // A newcomer that was wiped since then asks again with its new request.
        PeerState::Awaiting(_) | PeerState::Empty(_) | PeerState::Promised(_) => {
            Some(Answer::Unavailable(format!("another node without an identity answers at {address}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io;

    use troupe_core::NodeId;
    use troupe_core::level::Range;

    use super::super::Addresses;
    use super::super::message::PeerStatus;
    use super::*;
    use crate::level::InForce;

    fn join() -> JoinRequest {
        JoinRequest {
            request: [4; 16],
            address: "10.0.0.1:7800".into(),
            client_address: String::new(),
            http_address: String::new(),
            levels: Range::OURS,
        }
    }

    fn answers(state: PeerState) -> Result<Answer, DialError> {
        let addresses = Addresses { cluster: join().address, client: String::new(), http: String::new() };
        Ok(Answer::Status(PeerStatus { addresses, state, levels: Range::OURS }))
    }

    fn fails(why: Why) -> Result<Answer, DialError> {
        Err(DialError { address: join().address, why })
    }

    #[test]
    fn only_the_newcomer_itself_holds_its_address() {
        assert_eq!(judge(&join(), answers(PeerState::Awaiting(Some([4; 16])))), None);
        assert_eq!(judge(&join(), answers(PeerState::Awaiting(None))), None);
        let member = |node| {
            PeerState::Member(Membership {
                cluster_id: [1; 16],
                node,
                nodes: BTreeMap::new(),
                in_force: InForce::default(),
            })
        };
        for holder in
            [answers(member(Some(NodeId(1)))), answers(member(None)), fails(Why::BadToken), Ok(Answer::Promised)]
        {
            let judged = judge(&join(), holder);
            assert!(
                matches!(&judged, Some(Answer::Refused(why)) if why.contains("10.0.0.1:7800 is taken")),
                "{judged:?}"
            );
        }
    }

    #[test]
    fn what_may_pass_is_asked_again() {
        let refused = || fails(Why::Unreachable(io::ErrorKind::ConnectionRefused.into()));
        for passing in [
            answers(PeerState::Awaiting(Some([5; 16]))),
            answers(PeerState::Empty(vec![])),
            refused(),
            fails(Why::Busy),
        ] {
            let judged = judge(&join(), passing);
            assert!(matches!(judged, Some(Answer::Unavailable(_))), "{judged:?}");
        }
    }
}

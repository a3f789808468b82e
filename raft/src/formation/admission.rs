//! Whether a newcomer is where it says it is: asked of the address itself, before the meta group
//! hears of the newcomer.
//!
//! The meta group takes a newcomer at the address of another node for that node's heir, since a
//! wiped node can never come back. So an address must not be taken on trust: the node that is asked
//! for admission dials it and sees who answers. Only the newcomer itself, known by its request, is
//! admitted. An address whose holder answers is taken. An address where no node answers is asked
//! again.

use std::time::Duration;

use tokio::time::timeout;
use tracing::info;

use super::ask::ask;
use super::message::{Admission, Answer, Membership, Question, Standing};
use super::{Directory, JoinRefusal, JoinRequest};
use crate::address::{Reach, misfit};
use crate::port::Port;
use crate::port::dial::{DialError, Why};

/// For the newcomer to answer at its address.
const LOOK_TIME: Duration = Duration::from_secs(2);
/// For the meta group to admit it.
const ADMIT_TIME: Duration = Duration::from_secs(10);

pub async fn admit(port: &Port, directory: &dyn Directory, join: JoinRequest) -> Answer {
    let address = join.address.clone();
    if let Some(why) = misplaced(&address, directory) {
        return Answer::Refused(why);
    }
    let seen = ask(port, &address, &Question::Hello, LOOK_TIME).await;
    if let Some(answer) = judge(&join, seen) {
        return answer;
    }
    let elsewhere = |node| port.whereabouts().address(node).is_some_and(|known| known != address);
    let before = directory.addresses().into_iter().find(|(node, member)| *member == address && elsewhere(*node));
    if let Some((node, _)) = before {
        // Taken for its heir, the newcomer would empty a node that lives.
        return Answer::Unavailable(format!(
            "node {node}, which had {address}, lives elsewhere: the table is not corrected yet"
        ));
    }
    match timeout(ADMIT_TIME, directory.admit(join)).await {
        Ok(Ok(me)) => {
            info!(node = %me, %address, "a new node was admitted");
            let nodes = directory.addresses().into_iter().collect();
            Answer::Admitted(Admission { cluster_id: directory.cluster_id(), me, nodes })
        }
        Ok(Err(JoinRefusal::NotLeader { hint })) => Answer::NotLeader { hint },
        Ok(Err(JoinRefusal::Removed)) => Answer::Removed,
        Ok(Err(JoinRefusal::Refused(why))) => Answer::Refused(why),
        Ok(Err(JoinRefusal::Unavailable)) => Answer::Unavailable("its cluster cannot admit nodes now".into()),
        Err(_) => Answer::Unavailable("its cluster did not agree in time".into()),
    }
}

/// By the text of the address alone.
fn misplaced(address: &str, directory: &dyn Directory) -> Option<String> {
    if Reach::of(address) == Reach::Unspecified {
        return Some(format!("{address} is no address that other nodes can dial: start it with --cluster-advertise"));
    }
    let members = directory.addresses();
    misfit(address, members.iter().map(|(_, member)| member.as_str()))
}

/// What the newcomer hears because of the one who answers at its address; `None` if that is itself.
fn judge(join: &JoinRequest, seen: Result<Answer, DialError>) -> Option<Answer> {
    let address = &join.address;
    let taken = |by: &str| {
        Answer::Refused(format!(
            "{address} is taken: {by} answers there; start this node with --cluster-advertise of an address of its own"
        ))
    };
    let presence = match seen {
        Ok(Answer::Standing(presence)) => presence,
        Ok(_) => return Some(taken("something that is no newcomer")),
        Err(DialError { why: Why::BadToken | Why::WrongNode | Why::WithoutTls | Why::Unsupported, .. }) => {
            return Some(taken("something that does not have this cluster's token"));
        }
        Err(error) => {
            return Some(Answer::Unavailable(format!(
                "this node advertises {address} (--cluster-advertise), and from here {error}"
            )));
        }
    };
    match presence.standing {
        Standing::Bound(Some(request)) if request == join.request => None,
        // An earlier version does not say its request, but its address.
        Standing::Bound(None) if presence.addresses.cluster == *address => None,
        Standing::Member(Membership { node: Some(node), .. }) => Some(taken(&format!("node {node}"))),
        Standing::Member(_) => Some(taken("a node of a cluster")),
        // A newcomer that was wiped since asks again with its new request.
        Standing::Bound(_) | Standing::Empty(_) | Standing::Promised(_) => {
            Some(Answer::Unavailable(format!("another node without a place answers at {address}")))
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
    use super::super::message::Presence;
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

    fn answers(standing: Standing) -> Result<Answer, DialError> {
        let addresses = Addresses { cluster: join().address, client: String::new(), http: String::new() };
        Ok(Answer::Standing(Presence { addresses, standing, levels: Range::OURS }))
    }

    fn fails(why: Why) -> Result<Answer, DialError> {
        Err(DialError { address: join().address, why })
    }

    #[test]
    fn only_the_newcomer_itself_holds_its_address() {
        assert_eq!(judge(&join(), answers(Standing::Bound(Some([4; 16])))), None);
        assert_eq!(judge(&join(), answers(Standing::Bound(None))), None);
        let member = |node| {
            Standing::Member(Membership {
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
        for passing in
            [answers(Standing::Bound(Some([5; 16]))), answers(Standing::Empty(vec![])), refused(), fails(Why::Busy)]
        {
            let judged = judge(&join(), passing);
            assert!(matches!(judged, Some(Answer::Unavailable(_))), "{judged:?}");
        }
    }
}

//! The messages of formation: one request and one answer per connection, capped, and checked before
//! other code sees them.

mod token;

use std::collections::BTreeMap;
use std::io;

use prost::Message;
use troupe_core::level::Range;
use troupe_core::{Level, NodeId};
use troupe_proto::frame::{read_frame, write_frame};
use troupe_proto::wire::raft as wire;
use troupe_proto::wire::raft::formation_reply::Reply as WireReply;
use troupe_proto::wire::raft::formation_request::Request as WireRequest;
use troupe_proto::wire::raft::formation_standing::Standing as WireStanding;
use troupe_runtime::Stream;

use super::boot::{Announcement, Boot, Start};
use super::bootstrap::Bootstrap;
use crate::api::{Addresses, Founder, JoinRequest};
use crate::level::{InForce, range_in, range_out};
use crate::transport::token::Token;
pub use token::{Held, Step};

/// Space for a bootstrap of hundreds of nodes.
const CAP: usize = 256 * 1024;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Asks for the peer's status.
    Hello,
    /// Promise this bootstrap and no other.
    Promise(Bootstrap),
    Join(JoinRequest),
    /// Record my present start.
    Announce(Announcement),
    /// Change the cluster's token.
    Rotate,
    /// Take a step of such a change.
    Token(Step),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Status(PeerStatus),
    Promised,
    Admitted(Admission),
    NotLeader {
        hint: Option<String>,
    },
    /// The node that the request created was removed before it started. Ask with a new request.
    Removed,
    /// Retry.
    Unavailable(String),
    /// Permanent; the text is for the operator.
    Refused(String),
    /// The announced start is recorded. Contains the answering node's own start and levels.
    Noted(Start, Range),
    /// This start, or a later one, was seen before.
    Outdated {
        number: u64,
    },
    /// The cluster's new token.
    Rotated(Token),
    Holds(Held),
}

/// The status of the answering node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerStatus {
    pub addresses: Addresses,
    pub state: PeerState,
    pub levels: Range,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerState {
    /// It belongs to no cluster; the list with which it was started.
    Empty(Vec<String>),
    /// It has no identity now, and waits for its former cluster, or for one that it has asked for
    /// admission; with its request, if it has drawn one.
    Awaiting(Option<[u8; 16]>),
    /// It has promised a bootstrap and does not know that all others have.
    Promised(Bootstrap),
    Member(Membership),
}

/// Membership in a cluster, as the member announces it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    pub cluster_id: [u8; 16],
    /// `None`: an earlier version, which does not announce it.
    pub node: Option<NodeId>,
    /// The addresses at which it believes the members to be.
    pub nodes: BTreeMap<NodeId, String>,
    /// The feature level that it knows.
    pub in_force: InForce,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    pub cluster_id: [u8; 16],
    pub me: NodeId,
    pub nodes: BTreeMap<NodeId, String>,
}

/// Sends one message. The caller bounds the time.
pub async fn send(stream: &mut dyn Stream, message: &impl Message) -> io::Result<()> {
    Ok(write_frame(stream, message, CAP).await?)
}

/// Receives one message. The caller bounds the time.
pub async fn receive<M: Message + Default>(stream: &mut dyn Stream) -> io::Result<M> {
    M::decode(read_frame(stream, CAP).await?).map_err(|_| invalid())
}

pub fn invalid() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "not a message of formation")
}

impl Question {
    pub fn to_wire(&self) -> wire::FormationRequest {
        let request = match self {
            Question::Hello => WireRequest::Hello(wire::FormationHello {}),
            Question::Promise(bootstrap) => WireRequest::Promise(bootstrap.to_wire()),
            Question::Rotate => WireRequest::Rotate(wire::FormationHello {}),
            Question::Token(step) => WireRequest::Token(token::step_out(step)),
            Question::Join(join) => WireRequest::Join(wire::FormationJoin {
                request: join.request.to_vec().into(),
                addresses: Some(wire::FormationAddresses {
                    cluster: join.address.clone(),
                    client: join.client_address.clone(),
                    http: join.http_address.clone(),
                }),
                levels: range_out(join.levels),
            }),
            Question::Announce(Announcement { cluster_id, from, to, start, seen, address, levels }) => {
                WireRequest::Announce(wire::FormationAnnounce {
                    cluster_id: cluster_id.to_vec().into(),
                    from: from.0,
                    to: to.0,
                    number: start.boot.number,
                    mark: start.boot.mark.to_vec().into(),
                    before: start.before.concat().into(),
                    seen: seen
                        .map(|seen| wire::FormationStart { number: seen.number, mark: seen.mark.to_vec().into() }),
                    address: address.clone(),
                    levels: range_out(*levels),
                })
            }
        };
        wire::FormationRequest { request: Some(request) }
    }

    pub fn from_wire(message: wire::FormationRequest) -> Option<Question> {
        Some(match message.request? {
            WireRequest::Hello(_) => Question::Hello,
            WireRequest::Rotate(_) => Question::Rotate,
            WireRequest::Token(step) => Question::Token(token::step_in(step)?),
            WireRequest::Promise(bootstrap) => Question::Promise(Bootstrap::from_wire(bootstrap)?),
            WireRequest::Join(join) => {
                let Addresses { cluster, client, http } = Addresses::from_wire(join.addresses?)?;
                let (request, levels) = (id(&join.request)?, range_in(join.levels));
                let (address, client_address, http_address) = (cluster, client, http);
                Question::Join(JoinRequest { request, address, client_address, http_address, levels })
            }
            WireRequest::Announce(told) => Question::Announce(Announcement {
                cluster_id: id(&told.cluster_id)?,
                from: node(told.from)?,
                to: node(told.to)?,
                start: start(told.number, &told.mark, &told.before)?,
                seen: match told.seen {
                    Some(seen) => Some(boot(seen.number, &seen.mark)?),
                    None => None,
                },
                address: told.address,
                levels: range_in(told.levels),
            }),
        })
    }
}

impl Answer {
    pub fn to_wire(&self) -> wire::FormationReply {
        let reply = match self {
            Answer::Status(presence) => WireReply::Standing(presence.to_wire()),
            Answer::Rotated(token) => WireReply::Rotated(token.reveal()),
            Answer::Holds(held) => WireReply::Holds(token::held_out(held)),
            Answer::Promised => WireReply::Promised(wire::FormationPromised {}),
            Answer::Admitted(admission) => WireReply::Admitted(wire::FormationAdmitted {
                cluster_id: admission.cluster_id.to_vec().into(),
                node_id: admission.me.0,
                nodes: nodes_to_wire(&admission.nodes),
            }),
            Answer::NotLeader { hint } => {
                WireReply::NotLeader(wire::FormationNotLeader { hint: hint.clone().unwrap_or_default() })
            }
            Answer::Removed => WireReply::Removed(wire::FormationRemoved {}),
            Answer::Unavailable(why) => WireReply::Unavailable(why.clone()),
            Answer::Refused(why) => WireReply::Refused(why.clone()),
            Answer::Noted(Start { boot, before }, levels) => WireReply::Noted(wire::FormationNoted {
                number: boot.number,
                mark: boot.mark.to_vec().into(),
                before: before.concat().into(),
                levels: range_out(*levels),
            }),
            Answer::Outdated { number } => WireReply::Outdated(wire::FormationOutdated { number: *number }),
        };
        wire::FormationReply { reply: Some(reply) }
    }

    pub fn from_wire(message: wire::FormationReply) -> Option<Answer> {
        Some(match message.reply? {
            WireReply::Standing(standing) => Answer::Status(PeerStatus::from_wire(standing)?),
            WireReply::Promised(_) => Answer::Promised,
            WireReply::Rotated(token) => Answer::Rotated(Token::parse(&token).ok()?),
            WireReply::Holds(held) => Answer::Holds(token::held_in(&held)?),
            WireReply::Admitted(admitted) => Answer::Admitted(Admission {
                cluster_id: id(&admitted.cluster_id)?,
                me: node(admitted.node_id)?,
                nodes: nodes_from_wire(admitted.nodes)?,
            }),
            WireReply::NotLeader(not) => Answer::NotLeader { hint: Some(not.hint).filter(|hint| !hint.is_empty()) },
            WireReply::Removed(_) => Answer::Removed,
            WireReply::Unavailable(why) => Answer::Unavailable(why),
            WireReply::Refused(why) => Answer::Refused(why),
            WireReply::Noted(theirs) => {
                Answer::Noted(start(theirs.number, &theirs.mark, &theirs.before)?, range_in(theirs.levels))
            }
            WireReply::Outdated(wire::FormationOutdated { number }) => Answer::Outdated { number },
        })
    }
}

impl PeerStatus {
    fn to_wire(&self) -> wire::FormationStanding {
        let standing = match &self.state {
            PeerState::Empty(join) => {
                WireStanding::Empty(wire::FormationEmpty { join: join.clone(), ..Default::default() })
            }
            PeerState::Awaiting(request) => WireStanding::Empty(wire::FormationEmpty {
                join: Vec::new(),
                bound: true,
                request: request.map_or_else(Default::default, |request| request.to_vec().into()),
            }),
            PeerState::Promised(bootstrap) => WireStanding::Promised(bootstrap.to_wire()),
            PeerState::Member(Membership { cluster_id, node, nodes, in_force }) => {
                WireStanding::Member(wire::FormationMember {
                    cluster_id: cluster_id.to_vec().into(),
                    node_id: node.map_or(0, |node| node.0),
                    nodes: nodes_to_wire(nodes),
                    level: in_force.level.number(),
                    level_since: in_force.since.clone(),
                })
            }
        };
        let (addresses, levels) = (Some(self.addresses.to_wire()), range_out(self.levels));
        wire::FormationStanding { addresses, standing: Some(standing), levels }
    }

    fn from_wire(message: wire::FormationStanding) -> Option<PeerStatus> {
        let standing = match message.standing? {
            WireStanding::Empty(wire::FormationEmpty { bound: true, request, .. }) => PeerState::Awaiting(id(&request)),
            WireStanding::Empty(empty) => PeerState::Empty(empty.join),
            WireStanding::Promised(bootstrap) => PeerState::Promised(Bootstrap::from_wire(bootstrap)?),
            WireStanding::Member(member) => PeerState::Member(Membership {
                cluster_id: id(&member.cluster_id)?,
                node: node(member.node_id),
                nodes: nodes_from_wire(member.nodes)?,
                in_force: InForce { level: Level::kept(member.level), since: member.level_since },
            }),
        };
        let levels = range_in(message.levels);
        Some(PeerStatus { addresses: Addresses::from_wire(message.addresses?)?, state: standing, levels })
    }
}

impl Addresses {
    fn to_wire(&self) -> wire::FormationAddresses {
        wire::FormationAddresses { cluster: self.cluster.clone(), client: self.client.clone(), http: self.http.clone() }
    }

    fn from_wire(message: wire::FormationAddresses) -> Option<Addresses> {
        let addresses = Addresses { cluster: message.cluster, client: message.client, http: message.http };
        (!addresses.cluster.is_empty()).then_some(addresses)
    }
}

impl Bootstrap {
    pub fn to_wire(&self) -> wire::FormationBirth {
        let founders = self.founders.iter().map(|founder| wire::FormationFounder {
            node_id: founder.id.0,
            addresses: Some(wire::FormationAddresses {
                cluster: founder.address.clone(),
                client: founder.client_address.clone(),
                http: founder.http_address.clone(),
            }),
        });
        wire::FormationBirth {
            cluster_id: self.cluster_id.to_vec().into(),
            founders: founders.collect(),
            level: self.level.number(),
        }
    }

    /// Only as [`Bootstrap::new`] makes it: ids 1..=n, addresses ascending.
    pub fn from_wire(message: wire::FormationBirth) -> Option<Bootstrap> {
        let (cluster_id, level) = (id(&message.cluster_id)?, Level::kept(message.level));
        let mut founders: Vec<Founder> = Vec::new();
        for (expected, founder) in (1..).zip(message.founders) {
            let Addresses { cluster, client, http } = Addresses::from_wire(founder.addresses?)?;
            let ascends = founders.last().is_none_or(|last| last.address < cluster);
            if founder.node_id != expected || !ascends {
                return None;
            }
            let id = NodeId(expected);
            founders.push(Founder { id, address: cluster, client_address: client, http_address: http });
        }
        (!founders.is_empty()).then_some(Bootstrap { cluster_id, founders, level })
    }
}

pub fn nodes_to_wire(nodes: &BTreeMap<NodeId, String>) -> Vec<wire::FormationNode> {
    nodes.iter().map(|(id, address)| wire::FormationNode { node_id: id.0, address: address.clone() }).collect()
}

pub fn nodes_from_wire(nodes: Vec<wire::FormationNode>) -> Option<BTreeMap<NodeId, String>> {
    nodes.into_iter().map(|entry| Some((node(entry.node_id)?, entry.address))).collect()
}

pub fn node(id: u64) -> Option<NodeId> {
    (id != 0).then_some(NodeId(id))
}

fn boot(number: u64, mark: &[u8]) -> Option<Boot> {
    Some(Boot { number, mark: mark.try_into().ok()? })
}

fn start(number: u64, mark: &[u8], before: &[u8]) -> Option<Start> {
    let (before, []) = before.as_chunks() else { return None };
    Some(Start { boot: boot(number, mark)?, before: before.to_vec() })
}

/// Sixteen bytes that are not all zero.
pub fn id(bytes: &[u8]) -> Option<[u8; 16]> {
    <[u8; 16]>::try_from(bytes).ok().filter(|id| *id != [0; 16])
}

#[cfg(test)]
mod tests;

//! Versioned encodings of openraft's values, whose own serialization is not a stable format. On
//! disk a value is one version byte and a message of `raft.proto`; between nodes it is the message
//! alone. Decoding is total.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, TransferLeaderError, TransferLeaderRequest, TransferLeaderResponse,
    VoteRequest, VoteResponse,
};
use prost::Message;
use troupe_core::NodeId;
use troupe_proto::wire::raft as wire;

use crate::types::{Entry, LogId, Membership, Payload, Proposal, RaftNode, StoredMembership, Types, Vote};

const VERSION: u8 = 1;

/// Bytes that no version of this program has written.
#[derive(Debug, thiserror::Error)]
#[error("undecodable {0}")]
pub struct Undecodable(pub &'static str);

type Result<T> = std::result::Result<T, Undecodable>;

pub fn seal(message: &impl Message) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1 + message.encoded_len());
    bytes.push(VERSION);
    message.encode_raw(&mut bytes);
    bytes
}

pub fn open<M: Message + Default>(bytes: &[u8], what: &'static str) -> Result<M> {
    match bytes.split_first() {
        Some((&VERSION, message)) => M::decode(message).map_err(|_| Undecodable(what)),
        _ => Err(Undecodable(what)),
    }
}

pub fn vote_out(vote: &Vote) -> wire::Vote {
    wire::Vote { term: vote.leader_id.term, voted_for: vote.leader_id.voted_for, committed: vote.committed }
}

pub fn vote_in(vote: wire::Vote) -> Vote {
    if vote.committed { Vote::new_committed(vote.term, vote.voted_for) } else { Vote::new(vote.term, vote.voted_for) }
}

fn vote_field(vote: Option<wire::Vote>) -> Result<Vote> {
    vote.map(vote_in).ok_or(Undecodable("vote"))
}

pub fn log_id_out(id: &LogId) -> wire::LogId {
    wire::LogId { term: id.leader_id.term, index: id.index }
}

pub fn log_id_in(id: wire::LogId) -> LogId {
    LogId::new_term_index(id.term, id.index)
}

pub fn membership_out(membership: &Membership) -> wire::Membership {
    wire::Membership {
        configs: membership
            .get_joint_config()
            .iter()
            .map(|voters| wire::Voters { replicas: voters.iter().copied().collect() })
            .collect(),
        members: membership.nodes().map(|(&replica, home)| wire::Member { replica, node: home.0.0 }).collect(),
    }
}

pub fn membership_in(membership: wire::Membership) -> Result<Membership> {
    let configs: Vec<BTreeSet<u64>> =
        membership.configs.into_iter().map(|voters| voters.replicas.into_iter().collect()).collect();
    let members: BTreeMap<u64, RaftNode> =
        membership.members.into_iter().map(|member| (member.replica, RaftNode(NodeId(member.node)))).collect();
    if configs.is_empty() && members.is_empty() {
        return Ok(Membership::default());
    }
    Membership::new(configs, members).map_err(|_| Undecodable("membership"))
}

pub fn stored_membership_out(stored: &StoredMembership) -> wire::StoredMembership {
    wire::StoredMembership {
        log_id: stored.log_id().as_ref().map(log_id_out),
        membership: Some(membership_out(stored.membership())),
    }
}

pub fn stored_membership_in(stored: Option<wire::StoredMembership>) -> Result<StoredMembership> {
    let stored = stored.unwrap_or_default();
    let membership = membership_in(stored.membership.unwrap_or_default())?;
    Ok(StoredMembership::new(stored.log_id.map(log_id_in), membership))
}

pub fn applied_out(log_id: Option<&LogId>, membership: &StoredMembership) -> wire::AppliedState {
    wire::AppliedState { log_id: log_id.map(log_id_out), membership: Some(stored_membership_out(membership)) }
}

pub fn applied_in(applied: wire::AppliedState) -> Result<(Option<LogId>, StoredMembership)> {
    Ok((applied.log_id.map(log_id_in), stored_membership_in(applied.membership)?))
}

pub fn entry_out(entry: &Entry) -> wire::Entry {
    let payload = match &entry.payload {
        Payload::Blank => None,
        Payload::Normal(proposal) => Some(wire::entry::Payload::Normal(proposal.bytes().clone())),
        Payload::Membership(membership) => Some(wire::entry::Payload::Membership(membership_out(membership))),
    };
    wire::Entry { log_id: Some(log_id_out(&entry.log_id)), payload }
}

pub fn entry_in(entry: wire::Entry) -> Result<Entry> {
    let log_id = entry.log_id.map(log_id_in).ok_or(Undecodable("entry"))?;
    let payload = match entry.payload {
        None => Payload::Blank,
        // Copied: an entry lives long, and a slice would keep the whole read buffer alive.
        Some(wire::entry::Payload::Normal(bytes)) => Payload::Normal(Proposal::logged(Bytes::copy_from_slice(&bytes))),
        Some(wire::entry::Payload::Membership(membership)) => Payload::Membership(membership_in(membership)?),
    };
    Ok(Entry { log_id, payload })
}

/// The most bytes of an entry in a request besides its payload: its log id, tags and lengths.
pub const ENTRY_ENVELOPE: usize = 64;
/// The most bytes of an append request besides its entries.
pub const APPEND_ENVELOPE: usize = 128;

/// An upper bound of an entry's bytes on the wire, and an estimate of its memory.
pub fn entry_bytes(entry: &Entry) -> usize {
    let payload = match &entry.payload {
        Payload::Normal(proposal) => proposal.bytes().len(),
        Payload::Blank => 0,
        Payload::Membership(membership) => membership_out(membership).encoded_len(),
    };
    ENTRY_ENVELOPE + payload
}

pub fn append_request_out(request: &AppendEntriesRequest<Types>) -> wire::AppendRequest {
    wire::AppendRequest {
        vote: Some(vote_out(&request.vote)),
        previous: request.prev_log_id.as_ref().map(log_id_out),
        entries: request.entries.iter().map(entry_out).collect(),
        committed: request.leader_commit.as_ref().map(log_id_out),
    }
}

pub fn append_request_in(bytes: Bytes) -> Result<AppendEntriesRequest<Types>> {
    let request = wire::AppendRequest::decode(bytes).map_err(|_| Undecodable("append request"))?;
    Ok(AppendEntriesRequest {
        vote: vote_field(request.vote)?,
        prev_log_id: request.previous.map(log_id_in),
        entries: request.entries.into_iter().map(entry_in).collect::<Result<_>>()?,
        leader_commit: request.committed.map(log_id_in),
    })
}

pub fn append_response_out(response: &AppendEntriesResponse<Types>) -> wire::AppendResponse {
    use wire::append_response::Result as Code;
    let (result, matching, vote) = match response {
        AppendEntriesResponse::Success => (Code::Success, None, None),
        AppendEntriesResponse::PartialSuccess(matching) => (Code::Partial, matching.as_ref().map(log_id_out), None),
        AppendEntriesResponse::Conflict => (Code::Conflict, None, None),
        AppendEntriesResponse::HigherVote(vote) => (Code::HigherVote, None, Some(vote_out(vote))),
    };
    wire::AppendResponse { result: result.into(), matching, vote }
}

pub fn append_response_in(bytes: Bytes) -> Result<AppendEntriesResponse<Types>> {
    use wire::append_response::Result as Code;
    let response = wire::AppendResponse::decode(bytes).map_err(|_| Undecodable("append response"))?;
    Ok(match Code::try_from(response.result).map_err(|_| Undecodable("append response"))? {
        Code::Success => AppendEntriesResponse::Success,
        Code::Partial => AppendEntriesResponse::PartialSuccess(response.matching.map(log_id_in)),
        Code::Conflict => AppendEntriesResponse::Conflict,
        Code::HigherVote => AppendEntriesResponse::HigherVote(vote_field(response.vote)?),
    })
}

pub fn vote_request_out(request: &VoteRequest<Types>) -> wire::VoteRequest {
    wire::VoteRequest {
        vote: Some(vote_out(&request.vote)),
        last: request.last_log_id.as_ref().map(log_id_out),
        leadership_transfer: request.leadership_transfer,
    }
}

pub fn vote_request_in(bytes: Bytes) -> Result<VoteRequest<Types>> {
    let request = wire::VoteRequest::decode(bytes).map_err(|_| Undecodable("vote request"))?;
    let mut made = VoteRequest::new(vote_field(request.vote)?, request.last.map(log_id_in));
    made.leadership_transfer = request.leadership_transfer;
    Ok(made)
}

pub fn vote_response_out(response: &VoteResponse<Types>) -> wire::VoteResponse {
    wire::VoteResponse {
        vote: Some(vote_out(&response.vote)),
        last: response.last_log_id.as_ref().map(log_id_out),
        granted: response.vote_granted,
    }
}

pub fn vote_response_in(bytes: Bytes) -> Result<VoteResponse<Types>> {
    let response = wire::VoteResponse::decode(bytes).map_err(|_| Undecodable("vote response"))?;
    Ok(VoteResponse::new(vote_field(response.vote)?, response.last.map(log_id_in), response.granted))
}

pub fn transfer_request_out(request: &TransferLeaderRequest<Types>) -> wire::TransferRequest {
    wire::TransferRequest {
        from_leader: Some(vote_out(request.from_leader())),
        to: *request.to_node_id(),
        last: request.last_log_id().map(log_id_out),
    }
}

pub fn transfer_request_in(bytes: Bytes) -> Result<TransferLeaderRequest<Types>> {
    let request = wire::TransferRequest::decode(bytes).map_err(|_| Undecodable("transfer request"))?;
    Ok(TransferLeaderRequest::new(vote_field(request.from_leader)?, request.to, request.last.map(log_id_in)))
}

pub fn transfer_response_out(response: &TransferLeaderResponse<Types>) -> wire::TransferResponse {
    use wire::transfer_response::Result as Code;
    let mut out = wire::TransferResponse::default();
    match response {
        Ok(()) => out.set_result(Code::Accepted),
        Err(TransferLeaderError::VoteChanged { expected, actual }) => {
            out.set_result(Code::VoteChanged);
            out.expected_vote = Some(vote_out(expected));
            out.actual_vote = Some(vote_out(actual));
        }
        Err(TransferLeaderError::LogNotFlushed { expected, actual }) => {
            out.set_result(Code::LogNotFlushed);
            out.expected_log = expected.as_ref().map(log_id_out);
            out.actual_log = actual.as_ref().map(log_id_out);
        }
    }
    out
}

pub fn transfer_response_in(bytes: Bytes) -> Result<TransferLeaderResponse<Types>> {
    use wire::transfer_response::Result as Code;
    let response = wire::TransferResponse::decode(bytes).map_err(|_| Undecodable("transfer response"))?;
    Ok(match Code::try_from(response.result).map_err(|_| Undecodable("transfer response"))? {
        Code::Accepted => Ok(()),
        Code::VoteChanged => Err(TransferLeaderError::VoteChanged {
            expected: vote_field(response.expected_vote)?,
            actual: vote_field(response.actual_vote)?,
        }),
        Code::LogNotFlushed => Err(TransferLeaderError::LogNotFlushed {
            expected: response.expected_log.map(log_id_in),
            actual: response.actual_log.map(log_id_in),
        }),
    })
}

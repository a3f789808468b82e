//! openraft's calls, sent over the [`Links`], and its snapshots, sent over separate connections.

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::{BoxFuture, ready};
use futures::stream::{BoxStream, Stream, StreamExt};
use openraft::error::{NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::{RPCOption, RaftNetworkFactory, RaftNetworkV2};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, StreamAppendResult, TransferLeaderRequest,
    TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft::{LogIdOptionExt, OptionalSend, alias};
use prost::Message;
use tokio::sync::Semaphore;
use tokio::time::Duration;
use troupe_core::NodeId;
use troupe_core::planted::Bug;
use troupe_runtime::Platform;

use crate::codec::{self, Undecodable};
use crate::log::log_store::READ_BYTES;
use crate::log::state_machine::SnapshotData;
use crate::replication::catchup_throttle::CatchupThrottles;
use crate::replication::commit_hold::hold_commits;
use crate::replication::health::{Health, Unsendable};
use crate::replication::snapshot::send;
use crate::replication::transfers::Transfers;
use crate::timing::{APPEND_TIMEOUT, LARGE_APPEND_RATE, VOTE_TIMEOUT};
use crate::transport::frame::{Kind, PAYLOAD_BYTES};
use crate::transport::link::{CallError, Links};
use crate::transport::port::Port;
use crate::types::{GroupId, RaftNode, Types, Vote};

/// Appends of one group in flight to one peer. Each has at most `log_store::READ_BYTES`, so this
/// bounds memory too. Entries of 5 MB, which earlier versions could write, are sent alone and are
/// rare.
const IN_FLIGHT: usize = 8;
/// A larger append whose entries are all committed delays no user: its receiver catches up.
const CATCH_UP_BYTES: usize = READ_BYTES / 5;
/// Snapshots that this node sends at once. They compete with messages of users for the disk.
const SNAPSHOTS_SENT: usize = 2;

type RpcResult<T> = Result<T, RPCError<Types>>;

/// Shared by all groups of the node. Cheap to clone.
#[derive(Clone)]
pub struct Network {
    pub platform: Platform,
    pub port: Port,
    pub links: Links,
    sending: Arc<Semaphore>,
    pub throttles: CatchupThrottles,
    pub transfers: Transfers,
    pub health: Health,
}

impl Network {
    pub fn new(platform: Platform, port: Port, links: Links, health: Health) -> Network {
        let sending = Arc::new(Semaphore::new(SNAPSHOTS_SENT));
        Network {
            platform,
            port,
            links,
            sending,
            throttles: CatchupThrottles::default(),
            transfers: Transfers::default(),
            health,
        }
    }
}

/// Creates the clients of one group.
pub struct Factory {
    pub group: GroupId,
    pub network: Network,
}

impl RaftNetworkFactory<Types> for Factory {
    type Network = Peer;

    async fn new_client(&mut self, target: u64, node: &RaftNode) -> Peer {
        Peer {
            group: self.group,
            target,
            node: node.0,
            append_timeout: Some(APPEND_TIMEOUT),
            network: self.network.clone(),
        }
    }

    /// A late heartbeat is useless, so it keeps openraft's own timeout.
    async fn new_heartbeat_client(&mut self, target: u64, node: &RaftNode) -> Peer {
        Peer { append_timeout: None, ..self.new_client(target, node).await }
    }
}

/// One replica on another node.
pub struct Peer {
    group: GroupId,
    target: u64,
    node: NodeId,
    append_timeout: Option<Duration>,
    network: Network,
}

impl Peer {
    /// Queued behind every earlier call when this returns.
    fn call<M: Message>(
        &self,
        kind: Kind,
        message: &M,
        within: Duration,
    ) -> impl Future<Output = RpcResult<Bytes>> + Send + use<M> {
        let payload = Bytes::from(message.encode_to_vec());
        let call = self.network.links.call(self.node, kind, self.group, self.target, payload, within);
        async move { call.await.map_err(rpc_error) }
    }

    fn append(
        &self,
        request: &AppendEntriesRequest<Types>,
        option: &RPCOption,
    ) -> impl Future<Output = RpcResult<AppendEntriesResponse<Types>>> + Send + use<> {
        let mut message = codec::append_request_out(request);
        if self.network.platform.planted(Bug::CommitNeverSent)
            && self.group != GroupId::META
            && request.entries.is_empty()
        {
            // In a heartbeat as well, which carries it too.
            message.committed = None;
        }
        let bytes = message.encoded_len();
        let longer = if bytes > PAYLOAD_BYTES { bytes / LARGE_APPEND_RATE } else { 0 };
        let within = self.append_timeout.unwrap_or(option.soft_ttl()) + Duration::from_secs(longer as u64);
        let payload = Bytes::from(message.encode_to_vec());
        let call = self.network.links.call(self.node, Kind::Append, self.group, self.target, payload, within);
        let (health, group, node) = (self.network.health.clone(), self.group, self.node);
        let index = request.entries.first().map_or(0, |entry| entry.log_id.index);
        async move {
            let answer = call.await;
            match &answer {
                Ok(_) if index > 0 => health.sent(group, node),
                Err(CallError::TooLarge) => health.cannot_send(Unsendable { group, node, index, bytes }),
                Ok(_) | Err(_) => {}
            }
            codec::append_response_in(answer.map_err(rpc_error)?).map_err(unreadable)
        }
    }

    async fn ask(&self, kind: Kind, rpc: &VoteRequest<Types>) -> RpcResult<VoteResponse<Types>> {
        let answer = self.call(kind, &codec::vote_request_out(rpc), VOTE_TIMEOUT).await?;
        codec::vote_response_in(answer).map_err(unreadable)
    }
}

fn catches_up(request: &AppendEntriesRequest<Types>) -> bool {
    let committed = request.entries.last().map(|entry| entry.log_id) <= request.leader_commit;
    committed && request.entries.iter().map(codec::entry_bytes).sum::<usize>() >= CATCH_UP_BYTES
}

/// `Unreachable` makes openraft back off; the others are retried at once.
fn rpc_error(error: CallError) -> RPCError<Types> {
    match error {
        CallError::Unreachable | CallError::Refused | CallError::TooLarge => {
            RPCError::Unreachable(Unreachable::new(&error))
        }
        CallError::Lost => RPCError::Network(NetworkError::new(&error)),
    }
}

fn unreadable(error: Undecodable) -> RPCError<Types> {
    RPCError::Network(NetworkError::new(&error))
}

impl RaftNetworkV2<Types> for Peer {
    type SnapshotData = SnapshotData;

    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<Types>,
        option: RPCOption,
    ) -> RpcResult<AppendEntriesResponse<Types>> {
        self.append(&rpc, &option).await
    }

    /// Pipelines appends. Answers come in the order of the requests, and end with the first that is
    /// not a full success.
    fn stream_append<'s, S>(
        &'s mut self,
        input: S,
        option: RPCOption,
    ) -> BoxFuture<'s, RpcResult<BoxStream<'s, RpcResult<StreamAppendResult<Types>>>>>
    where
        S: Stream<Item = AppendEntriesRequest<Types>> + OptionalSend + Unpin + 'static,
    {
        let peer = &*self;
        let throttle = self.network.throttles.towards(self.node);
        // Nodes read the applied state of the meta group, so its commits go at once.
        let requests = if self.group == GroupId::META { input.boxed() } else { hold_commits(input).boxed() };
        let answers = requests
            .then(move |request| {
                let throttle = throttle.clone();
                async move {
                    let turn = if catches_up(&request) { Some(throttle.turn().await) } else { None };
                    (request, turn)
                }
            })
            .map(move |(request, turn)| {
                let previous = request.prev_log_id;
                let last = request.entries.last().map(|entry| entry.log_id).or(previous);
                let answer = peer.append(&request, &option);
                async move {
                    let answer = answer.await?;
                    if let Some(turn) = turn {
                        turn.done();
                    }
                    let full = matches!(answer, AppendEntriesResponse::Success);
                    Ok((answer.into_stream_result(previous, last), full))
                }
            })
            .buffered(IN_FLIGHT)
            .scan(false, |ended, answer| {
                if *ended {
                    return ready(None);
                }
                *ended = !matches!(answer, Ok((_, true)));
                ready(Some(answer.map(|(answer, _)| answer)))
            });
        Box::pin(ready(Ok(answers.boxed())))
    }

    async fn vote(&mut self, rpc: VoteRequest<Types>, _option: RPCOption) -> RpcResult<VoteResponse<Types>> {
        self.ask(Kind::Vote, &rpc).await
    }

    async fn pre_vote(&mut self, rpc: VoteRequest<Types>, _option: RPCOption) -> RpcResult<VoteResponse<Types>> {
        self.ask(Kind::PreVote, &rpc).await
    }

    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest<Types>,
        _option: RPCOption,
    ) -> RpcResult<TransferLeaderResponse<Types>> {
        let answer = self.call(Kind::Transfer, &codec::transfer_request_out(&request), VOTE_TIMEOUT).await?;
        codec::transfer_response_in(answer).map_err(unreadable)
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: alias::SnapshotOf<Types, SnapshotData>,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<Types>, StreamingError<Types>> {
        // Registered before the transfer begins: the entries behind the snapshot must exist when it
        // arrives.
        let upto = snapshot.meta.last_log_id.index().unwrap_or(0);
        let _under_way = self.network.transfers.begin(self.group, self.target, upto);
        let send = async {
            let _turn = self.network.sending.acquire().await.map_err(|error| Unreachable::new(&error))?;
            let Network { platform, port, throttles, .. } = &self.network;
            let to = send::Destination { node: self.node, group: self.group, target: self.target };
            let answer = send::send(platform, port, &throttles.towards(self.node), to, vote, snapshot).await;
            answer.map_err(|error| StreamingError::Unreachable(Unreachable::new(&error)))
        };
        tokio::select! {
            answer = send => answer.map(SnapshotResponse::new),
            closed = cancel => Err(closed.into()),
        }
    }
}

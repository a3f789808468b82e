//! openraft's calls, put on the [`Links`], and its snapshots, streamed over connections of their
//! own.

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
use troupe_runtime::NodeCtx;

use crate::codec::{self, Undecodable};
use crate::frame::{Kind, PAYLOAD_BYTES};
use crate::health::{Health, Unsendable};
use crate::link::{CallError, Links};
use crate::log_store::READ_BYTES;
use crate::pace::Paces;
use crate::port::Port;
use crate::snapshot;
use crate::state_machine::SnapshotData;
use crate::timing::{APPEND_TIMEOUT, LARGE_APPEND_RATE, VOTE_TIMEOUT};
use crate::transfers::Transfers;
use crate::types::{GroupId, Home, Types, Vote};

/// Appends of one group on their way to one peer. Each is at most `log_store::READ_BYTES`, so this
/// bounds memory too; entries of 5 MB, which earlier versions could write, go alone and are few.
const IN_FLIGHT: usize = 8;
/// An append of so many bytes whose entries are all committed already keeps nobody waiting: its
/// receiver catches up.
const CATCH_UP_BYTES: usize = READ_BYTES / 5;
/// Snapshots that this node sends at once: they compete with people's messages for the disk.
const SNAPSHOTS_SENT: usize = 2;

type RpcResult<T> = Result<T, RPCError<Types>>;

/// What all groups of the node share. Cheap to clone.
#[derive(Clone)]
pub struct Network {
    pub ctx: NodeCtx,
    pub port: Port,
    pub links: Links,
    sending: Arc<Semaphore>,
    pub paces: Paces,
    pub transfers: Transfers,
    pub health: Health,
}

impl Network {
    pub fn new(ctx: NodeCtx, port: Port, links: Links, health: Health) -> Network {
        let sending = Arc::new(Semaphore::new(SNAPSHOTS_SENT));
        Network { ctx, port, links, sending, paces: Paces::default(), transfers: Transfers::default(), health }
    }
}

/// Makes the clients of one group.
pub struct Factory {
    pub group: GroupId,
    pub network: Network,
}

impl RaftNetworkFactory<Types> for Factory {
    type Network = Peer;

    async fn new_client(&mut self, target: u64, node: &Home) -> Peer {
        Peer {
            group: self.group,
            target,
            node: node.0,
            append_timeout: Some(APPEND_TIMEOUT),
            network: self.network.clone(),
        }
    }

    /// A heartbeat that is late is worthless, so it keeps openraft's own budget.
    async fn new_heartbeat_client(&mut self, target: u64, node: &Home) -> Peer {
        Peer { append_timeout: None, ..self.new_client(target, node).await }
    }
}

/// One replica elsewhere.
pub struct Peer {
    group: GroupId,
    target: u64,
    node: NodeId,
    append_timeout: Option<Duration>,
    network: Network,
}

impl Peer {
    /// On its way when this returns, behind every call before it.
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
        let message = codec::append_request_out(request);
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

/// `Unreachable` lets openraft back off; the others are retried at once.
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

    /// Several appends on their way at once; answers come in the order of the requests, and end
    /// with the first that is no full success.
    fn stream_append<'s, S>(
        &'s mut self,
        input: S,
        option: RPCOption,
    ) -> BoxFuture<'s, RpcResult<BoxStream<'s, RpcResult<StreamAppendResult<Types>>>>>
    where
        S: Stream<Item = AppendEntriesRequest<Types>> + OptionalSend + Unpin + 'static,
    {
        let peer = &*self;
        let pace = self.network.paces.towards(self.node);
        let answers = input
            .then(move |request| {
                let pace = pace.clone();
                async move {
                    let turn = if catches_up(&request) { Some(pace.turn().await) } else { None };
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
        // Also while it waits for its turn: what comes behind it is to be there when it has
        // arrived.
        let upto = snapshot.meta.last_log_id.index().unwrap_or(0);
        let _under_way = self.network.transfers.begin(self.group, self.target, upto);
        let send = async {
            let _turn = self.network.sending.acquire().await.map_err(|error| Unreachable::new(&error))?;
            let to = snapshot::Destination { node: self.node, group: self.group, target: self.target };
            let answer = snapshot::send(&self.network, to, vote, snapshot).await;
            answer.map_err(|error| StreamingError::Unreachable(Unreachable::new(&error)))
        };
        tokio::select! {
            answer = send => answer.map(SnapshotResponse::new),
            closed = cancel => Err(closed.into()),
        }
    }
}

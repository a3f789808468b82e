//! The root of a node's actors: it starts fan-out and a shard for each leadership of
//! this node, and restarts those that fail.
//!
//! A failed shard starts again for the same leadership. Its own state is volatile, and nodes report
//! it again.

use std::collections::BTreeMap;
use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant, timeout_at};
use troupe_core::{Epoch, NodeId, ShardId};
use troupe_raft::Routing;

use crate::context::NodeContext;
use crate::fanout::Fanout;
use crate::protocol::{FanoutMsg, ShardMsg};
use crate::service::Clients;
use crate::shard::{Shard, ShardArgs};

/// A node without a majority for this long sends its clients away. It is longer than a node needs
/// to reconnect after it was frozen.
const CUT_OFF: Duration = Duration::from_secs(1);

pub enum RootMsg {
    LedChanged,
    NodeDown(NodeId),
}

impl ractor::Message for RootMsg {}

pub struct Root;

pub struct RootArgs {
    pub context: NodeContext,
    pub clients: Arc<watch::Sender<Clients>>,
    pub fanout_lost: watch::Sender<u64>,
}

pub struct RootState {
    args: RootArgs,
    fanout: ActorRef<FanoutMsg>,
    shards: BTreeMap<ShardId, (Epoch, ActorRef<ShardMsg>)>,
    /// Watch the leaderships and the routing; aborted with this actor.
    _tasks: JoinSet<()>,
}

impl Actor for Root {
    type Msg = RootMsg;
    type State = RootState;
    type Arguments = RootArgs;

    async fn pre_start(&self, myself: ActorRef<RootMsg>, args: RootArgs) -> Result<RootState, ActorProcessingErr> {
        let mut tasks = JoinSet::new();
        let (mut led, follower) = (args.context.cluster.led(), myself.clone());
        tasks.spawn(async move {
            while follower.send_message(RootMsg::LedChanged).is_ok() && led.changed().await.is_ok() {}
        });
        tasks.spawn(redirect_clients(args.context.cluster.routing(), args.clients.clone()));
        args.context.platform.metrics.actors.up();
        let fanout = start_fanout(&myself, &args).await?;
        Ok(RootState { args, fanout, shards: BTreeMap::new(), _tasks: tasks })
    }

    async fn handle(
        &self,
        myself: ActorRef<RootMsg>,
        message: RootMsg,
        state: &mut RootState,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            RootMsg::LedChanged => state.follow_leaderships(&myself).await,
            RootMsg::NodeDown(node) => {
                let _ = state.fanout.send_message(FanoutMsg::NodeDown(node));
                for (_, shard) in state.shards.values() {
                    let _ = shard.send_message(ShardMsg::NodeDown(node));
                }
            }
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<RootMsg>,
        event: SupervisionEvent,
        state: &mut RootState,
    ) -> Result<(), ActorProcessingErr> {
        let SupervisionEvent::ActorFailed(who, error) = event else { return Ok(()) };
        let id = who.get_id();
        if id == state.fanout.get_id() {
            tracing::error!(%error, "fan-out failed: connections are closed, and clients resume");
            state.fanout = start_fanout(&myself, &state.args).await?;
            state.args.fanout_lost.send_modify(|lost| *lost += 1);
        } else if let Some((shard, _)) = state.shards.iter().find(|(_, (_, actor))| actor.get_id() == id) {
            let shard = *shard;
            tracing::error!(%shard, %error, "a shard failed and is restarted");
            state.shards.remove(&shard);
            state.args.context.router.set_shard(shard, None);
            state.follow_leaderships(&myself).await;
        }
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<RootMsg>, state: &mut RootState) -> Result<(), ActorProcessingErr> {
        let router = &state.args.context.router;
        for (shard, (_, actor)) in std::mem::take(&mut state.shards) {
            router.set_shard(shard, None);
            actor.stop(None);
        }
        router.set_fanout(None);
        state.fanout.stop(None);
        state.args.context.platform.metrics.actors.down();
        Ok(())
    }
}

impl RootState {
    /// One shard actor per leadership: a new epoch gets a new actor.
    async fn follow_leaderships(&mut self, myself: &ActorRef<RootMsg>) {
        let context = self.args.context.clone();
        let led = context.cluster.led().borrow().clone();
        let over = self.shards.extract_if(.., |shard, (epoch, _)| led.get(shard) != Some(epoch));
        for (shard, (_, actor)) in over {
            context.router.set_shard(shard, None);
            actor.stop(None);
        }
        for (&shard, &epoch) in led.iter() {
            if self.shards.contains_key(&shard) {
                continue;
            }
            let args = ShardArgs { context: context.clone(), shard, epoch };
            match Shard::spawn_linked(None, Shard, args, myself.get_cell()).await {
                Ok((actor, _)) => {
                    context.router.set_shard(shard, Some(actor.clone()));
                    self.shards.insert(shard, (epoch, actor));
                }
                Err(error) => tracing::error!(%shard, %error, "a shard cannot be started"),
            }
        }
    }
}

/// Has edges send clients to other nodes while this node is being emptied or has no majority.
async fn redirect_clients(mut routing: watch::Receiver<Arc<Routing>>, clients: Arc<watch::Sender<Clients>>) {
    let (mut away, mut alone_since) = (false, None);
    loop {
        let table = routing.borrow_and_update().clone();
        let leaves = table.leaves(table.me);
        alone_since = table.is_cut_off().then(|| alone_since.unwrap_or_else(Instant::now));
        let cut_off_at = alone_since.map(|since| since + CUT_OFF);
        let cut_off = cut_off_at.is_some_and(|at| at <= Instant::now());
        if (leaves || cut_off) != away {
            away = !away;
            let belong = if away { Clients::Elsewhere { nodes: table.elsewhere() } } else { Clients::Here };
            tracing::info!(away, cut_off, "redirection of clients to other nodes changed");
            clients.send_if_modified(|now| {
                // A node that drains stays away, whatever the cluster means with it meanwhile.
                let changes = !matches!(now, Clients::Draining { .. });
                if changes {
                    *now = belong;
                }
                changes
            });
        }
        let changed = match cut_off_at.filter(|_| !cut_off) {
            Some(at) => timeout_at(at, routing.changed()).await.unwrap_or(Ok(())),
            None => routing.changed().await,
        };
        if changed.is_err() {
            return;
        }
    }
}

async fn start_fanout(myself: &ActorRef<RootMsg>, args: &RootArgs) -> Result<ActorRef<FanoutMsg>, ActorProcessingErr> {
    let context = args.context.clone();
    let (fanout, _) = Fanout::spawn_linked(None, Fanout, context.clone(), myself.get_cell()).await?;
    context.router.set_fanout(Some(fanout.clone()));
    Ok(fanout)
}

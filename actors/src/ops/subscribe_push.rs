//! Subscriptions of Web Push, for an edge that serves browsers: they are no frames of the protocol.

use troupe_core::command::{ChangePush, MakePushKey, PushChange};
use troupe_core::machine::bot::NOT_FOR_BOTS;
use troupe_core::machine::push::{BAD_PUSH_ENDPOINT, BAD_PUSH_KEYS, PUSH_OFF};
use troupe_core::record::PushKey;
use troupe_core::{Command, ConversationId, Rejection, ShardId, limits, machine};

use crate::context::{Asker, NodeContext};
use crate::message::{Answer, Outcome, Refusal};
use crate::push::Pushes;
use crate::service::{Caller, Service};

/// As a browser gives it.
#[derive(Clone, Debug)]
pub struct Subscription {
    pub endpoint: String,
    pub p256dh: String,
    pub auth: String,
}

fn pushes(service: &Service) -> Result<&Pushes, Refusal> {
    service.context.pushes.as_deref().ok_or(Rejection::from(PUSH_OFF).into())
}

/// The public key that browsers subscribe with.
pub(crate) async fn public_key(service: &Service) -> Result<String, Refusal> {
    Ok(pushes(service)?.key(&service.context).await.map_err(Refusal::of_lookup)?.public.clone())
}

/// It belongs to the session of the caller, and ends with it.
pub(crate) async fn subscribe(service: &Service, caller: &Caller, new: Subscription) -> Result<(), Refusal> {
    let way = pushes(service)?.way();
    let Subscription { endpoint, p256dh, auth } = new;
    if caller.bot.is_some() {
        return Err(Rejection::from(NOT_FOR_BOTS).into());
    }
    // Invariant: private. The address is checked again at each connection, behind its name.
    if endpoint.len() > limits::PUSH_ENDPOINT_BYTES || !way.permits(&endpoint) {
        return Err(Rejection::from(BAD_PUSH_ENDPOINT).into());
    }
    if !way.reads(&p256dh, &auth) {
        return Err(Rejection::from(BAD_PUSH_KEYS).into());
    }
    let (device, token) = (caller.session.device.clone(), caller.session.token);
    change(service, caller, PushChange::Subscribe { device, token, endpoint, p256dh, auth }).await
}

pub(crate) async fn unsubscribe(service: &Service, caller: &Caller, endpoint: String) -> Result<(), Refusal> {
    change(service, caller, PushChange::End { endpoint }).await
}

async fn change(service: &Service, caller: &Caller, change: PushChange) -> Result<(), Refusal> {
    let command = Command::from(ChangePush { user: caller.user(), change });
    machine::check(&command)?;
    service.commit_done(command).await.map(drop)
}

/// At the leader: the key of the cluster, which is this one if there was none.
pub(crate) async fn kept_key(context: &NodeContext, shard: ShardId, fresh: PushKey) -> Outcome {
    let held = || context.read(shard, Asker::Node, |view| Ok(Ok(view.get::<PushKey>(&ConversationId::Everyone)?)));
    if let Some(key) = held().await? {
        return Ok(Answer::PushKey(key));
    }
    let PushKey { private, public } = fresh;
    let made = Command::from(MakePushKey { private, public });
    context.admit(shard, &made)?;
    context.propose(shard, vec![made]).await?;
    held().await?.map(Answer::PushKey).ok_or(Refusal::Unavailable)
}

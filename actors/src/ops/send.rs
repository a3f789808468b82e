//! `send`: places a message in a conversation, once.
//!
//! Messages of one connection go to the leader in the order of their frames. A direct message to a
//! user that this node does not know, or in a conversation that this node has not seen begin, waits
//! for a lookup. Messages behind it to the same user wait too.

use std::future::Future;

use bytes::Bytes;
use futures::future::BoxFuture;
use tokio::sync::oneshot;
use tokio::time::Instant;
use troupe_core::{Append, ClientMessageId, Command, ConversationId, Rejection, UserId, machine};
use troupe_proto::client;
use troupe_runtime::trace::{At, Stage, Subject};

use super::cost::{BYTES_PER_UNIT, Cost};
use super::meeting::may_write;
use super::{Answered, Operation};
use crate::message::{Answer, Outcome, Refusal, wire};
use crate::router::PATIENCE;
use crate::service::{Caller, Service};

impl Operation for wire::Send {
    fn cost(&self) -> Cost {
        Cost::Units(1 + self.body.as_ref().map_or(0, |body| body.content.len() as u64 / BYTES_PER_UNIT))
    }

    fn perform(self, service: Service, caller: Caller) -> impl Future<Output = Answered<Self>> + Send {
        deliver(service, client::send(caller.user(), self).map_err(Refusal::from))
    }
}

/// Places the message of a client, or of a forward. It is queued in the order of these calls. The
/// future holds nothing twice, because each message in flight has one.
pub fn deliver(
    service: Service,
    append: Result<Append, Refusal>,
) -> impl Future<Output = Answered<wire::Send>> + Send + use<> {
    let begin = Instant::now();
    service.context.platform.metrics.sends.up();
    let placing = append.and_then(|append| Ok((append.actor, place(&service, append)?)));
    async move {
        let (user, (conversation, id, placing)) = placing?;
        let answer = match placing {
            Placing::Asked(answer) => answer.await?,
            Placing::Unchecked(asked) => asked.await.unwrap_or(Err(Refusal::OVERLOADED))?.await?,
        };
        let ack = placed(answer, conversation, id)?;
        let platform = &service.context.platform;
        platform.metrics.acks.up();
        platform.metrics.ack.since(begin);
        platform.hop(Subject::message(conversation, user, id), Stage::Acknowledged, At::default());
        Ok(ack)
    }
}

enum Placing<F> {
    Asked(F),
    /// Asked when a lookup has found the peer.
    Unchecked(oneshot::Receiver<Checked>),
}

type Checked = Result<BoxFuture<'static, Outcome>, Refusal>;

/// A message that waits for the lookup of its peer.
pub struct Unchecked {
    command: Command,
    asked: oneshot::Sender<Checked>,
}

fn place(
    service: &Service,
    append: Append,
) -> Result<(ConversationId, ClientMessageId, Placing<impl Future<Output = Outcome> + Send + use<>>), Refusal> {
    let Append { conversation, actor: user, client_message_id: id, .. } = append;
    service.budgets.message(user, append.intent.cost())?;
    service.context.platform.hop(Subject::message(conversation, user, id), Stage::Edge, At::default());
    let command = Command::Append(append);
    machine::check(&command)?;
    if let ConversationId::Direct { .. } = conversation {
        let peer = conversation.peer_of(user).ok_or(Rejection::NotMember)?;
        let mut unchecked = service.unchecked.lock();
        let behind = unchecked.get_mut(&(user, conversation));
        if behind.is_some() || !service.directory.knows(peer) || !service.directory.has_begun(conversation) {
            let (asked, placing) = oneshot::channel();
            let first = behind.is_none();
            unchecked.entry((user, conversation)).or_default().push(Unchecked { command, asked });
            if first {
                tokio::spawn(check(service.clone(), user, peer, conversation));
            }
            return Ok((conversation, id, Placing::Unchecked(placing)));
        }
    }
    Ok((conversation, id, Placing::Asked(service.commit(command))))
}

/// Looks up the peer, then asks for the messages that have waited, in their order.
async fn check(service: Service, user: UserId, peer: UserId, conversation: ConversationId) {
    let found = async {
        service.directory.all_exist(&service.context, user, &[peer], PATIENCE).await?;
        if !service.directory.has_begun(conversation) && may_write(&service, user, conversation).await? {
            service.directory.begun(conversation);
        }
        Ok(())
    };
    let found: Result<(), Refusal> = found.await.map_err(Refusal::of_lookup);
    // A message that comes now waits for the lock and goes behind these.
    let mut unchecked = service.unchecked.lock();
    for Unchecked { command, asked } in unchecked.remove(&(user, conversation)).unwrap_or_default() {
        let answer = found.clone().map(|()| Box::pin(service.commit(command)) as BoxFuture<'static, Outcome>);
        // If the connection has ended the message is sent all the same.
        if let Err(Ok(answer)) = asked.send(answer) {
            tokio::spawn(answer);
        }
    }
}

/// The acknowledgement of what has its place in a log.
pub fn placed(answer: Answer, conversation: ConversationId, id: ClientMessageId) -> Result<wire::SendAck, Refusal> {
    let Answer::Placed { seq, time, duplicate } = answer else { return Err(Refusal::Unavailable) };
    Ok(wire::SendAck {
        client_message_id: Bytes::copy_from_slice(&id.0),
        seq: seq.0,
        time_ms: time.0,
        duplicate,
        conversation: conversation.to_string(),
    })
}

//! A post by an incoming hook. The secret of the hook stands for a caller: the state machine
//! compares it in the step that places the message, so an ended hook posts nothing.

use troupe_core::command::PostHook;
use troupe_core::feature::{BAD_HOOK, hook_id, post_id};
use troupe_core::{Body, ClientMessageId, Command, ConversationId, Rejection, Seq, Timestamp, machine};

use crate::message::{Answer, Refusal};
use crate::passwords::token_hash;
use crate::service::Service;

/// A message by a hook.
#[derive(Clone, Debug)]
pub struct HookPost {
    pub conversation: ConversationId,
    pub hook: u64,
    pub secret: String,
    /// The same key is the same message.
    pub key: ClientMessageId,
    pub body: Body,
}

/// Its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posted {
    pub seq: Seq,
    pub time: Timestamp,
    pub duplicate: bool,
}

pub(crate) async fn post(service: &Service, post: HookPost) -> Result<Posted, Refusal> {
    let HookPost { conversation, hook, secret, key, body } = post;
    let hash = token_hash(secret.as_bytes());
    // The secret names its hook, so most wrong ones cost no commit.
    if hook_id(&hash) != hook {
        return Err(Rejection::from(BAD_HOOK).into());
    }
    service.budgets.post((conversation, hook))?;
    let id = post_id(hook, &key);
    let command = Command::from(PostHook { conversation, hook, hash, id, body });
    machine::check(&command)?;
    match service.commit(command).await? {
        Answer::Placed { seq, time, duplicate } => Ok(Posted { seq, time, duplicate }),
        _ => Err(Refusal::Unavailable),
    }
}

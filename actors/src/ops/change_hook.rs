//! `change_hook`: makes a hook of a group, ends one, or tries its dead events again.

use troupe_core::command::{ChangeHook, HookChange};
use troupe_core::feature::{BAD_HOOK_URL, hook_id};
use troupe_core::record::Hook;
use troupe_core::{Command, Rejection, Seq, limits, machine};
use troupe_proto::client;

use super::cost::{BYTES_PER_UNIT, CHANGE, Cost};
use super::{Answered, Operation};
use crate::message::{Refusal, wire};
use crate::passwords::token_hash;
use crate::service::{Caller, Service};

impl Operation for wire::ChangeHook {
    fn cost(&self) -> Cost {
        let bytes = match &self.change {
            Some(wire::change_hook::Change::Make(new)) => new.url.len() as u64,
            _ => 0,
        };
        Cost::Units(CHANGE * 2 + bytes / BYTES_PER_UNIT)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        use wire::change_hook::Change;
        let conversation = client::conversation("change_hook.conversation", &self.conversation)?;
        let request = client::client_message_id("change_hook.request", &self.request)?;
        let change = self.change.ok_or(Rejection::BadRequest("a change of a hook makes, ends or retries one"))?;
        let (hook, change) = match change {
            Change::Make(new) => made(&service, new)?,
            Change::End(hook) => (hook, HookChange::End { hook }),
            Change::Retry(wire::RetryDead { hook, seq }) => (hook, HookChange::Retry { hook, seq: Seq(seq) }),
        };
        let command = Command::from(ChangeHook { conversation, actor: caller.user(), request, change });
        machine::check(&command)?;
        service.commit_done(command).await?;
        let list = wire::ListHooks { conversation: conversation.to_string() };
        let listed = service.ask_leader(conversation.slot(), caller.user(), list).await?.hooks;
        let found = listed.into_iter().find(|listed| listed.hook == hook);
        Ok(found.unwrap_or(wire::Hook { hook, ..Default::default() }))
    }
}

fn made(service: &Service, new: wire::NewHook) -> Result<(u64, HookChange), Refusal> {
    let kind = new.kind() as u32;
    let wire::NewHook { name, secret, url, closed, .. } = new;
    let length = limits::HOOK_SECRET_MIN_BYTES..=limits::HOOK_SECRET_BYTES;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !length.contains(&secret.len()) || !secret.bytes().all(is_plain) {
        return Err(Rejection::BadRequest("a secret has 16 to 64 letters, digits, '-' and '_'").into());
    }
    // Invariant: private. The address is checked again at each connection, behind its name.
    if Hook::has_receiver(kind) && !service.context.hooks.permits(&url) {
        return Err(Rejection::from(BAD_HOOK_URL).into());
    }
    let hash = token_hash(secret.as_bytes());
    let key = if Hook::has_receiver(kind) { secret } else { String::new() };
    Ok((hook_id(&hash), HookChange::Make { kind, name, hash, key, url, closed }))
}

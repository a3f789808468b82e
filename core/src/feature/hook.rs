//! Hooks: URLs that post to a group, and URLs that get its events or are asked before.
//!
//! The outbox of an outgoing hook is the log itself, and a cursor in the row of the hook. The
//! leader of the shard delivers behind the cursor, and commits it when the receiver has the events.
//! So each event is delivered at least once, in the order of the log, by whichever leader there is.
//! An event that is given up goes on a bounded list; while that is full, the cursor waits.

use super::before::BEFORE_HOOK_EXISTS;
use super::link::link_id;
use super::policy::{Act, permit};
use super::{Append, Intent};
use crate::command::{AdvanceHook, ChangeHook, HookChange, PostHook};
use crate::effect::Effect;
use crate::error::{Refused, Rejection};
use crate::id::{ClientMessageId, ConversationId, Seq, TokenHash, UserId};
use crate::limits;
use crate::machine::{Outcome, Step, somebody};
use crate::record::{Conversation, DeadEvent, Hook};
use crate::reply::Reply;
use crate::state::Rows;
use crate::text::is_title;

pub const BAD_HOOK: Refused =
    Refused { code: "bad_hook", text: "this hook is not valid (any more): ask an admin of the group for another one" };
pub const NO_SUCH_HOOK: Refused =
    Refused { code: "no_such_hook", text: "the group has no such hook: list its hooks again" };
const HOOK_EXISTS: Refused =
    Refused { code: "hook_exists", text: "another hook of this group has this secret: choose another secret" };
const TOO_MANY_HOOKS: Refused =
    Refused { code: "too_many_hooks", text: "this group has its largest number of hooks: delete one" };
const NO_DEAD_EVENT: Refused =
    Refused { code: "no_dead_event", text: "the hook has no such dead event: list them again" };
/// Of an address that the cluster does not connect to.
pub const BAD_HOOK_URL: Refused = Refused {
    code: "bad_hook_url",
    text: "a hook has a URL of http or https with a public host, without a user, at most 1024 bytes long",
};
pub(super) const REFUSALS: &[Refused] =
    &[BAD_HOOK, NO_SUCH_HOOK, HOOK_EXISTS, TOO_MANY_HOOKS, NO_DEAD_EVENT, BAD_HOOK_URL];

/// The number of a hook, from the hash of its secret. It is below 2^53.
pub fn hook_id(hash: &TokenHash) -> u64 {
    link_id(hash)
}

/// Refusals that need no state.
pub(crate) fn check_hook(c: &ChangeHook) -> Result<(), Rejection> {
    somebody(c.actor)?;
    if !c.conversation.is_group() {
        return Err(Rejection::NotAGroup);
    }
    let HookChange::Make { kind, name, key, url, closed, .. } = &c.change else { return Ok(()) };
    let wrong = |text: &'static str| Err(Rejection::BadRequest(text));
    if name.chars().count() > limits::HOOK_NAME_CHARS || !is_title(name) {
        return wrong("the name of a hook has 1 to 64 characters, shows something and has no control characters");
    }
    match *kind {
        Hook::INCOMING if key.is_empty() && url.is_empty() && !closed => Ok(()),
        Hook::INCOMING => wrong("an incoming hook has no url and no policy: leave them out"),
        kind if !Hook::has_receiver(kind) => wrong("a hook is incoming, outgoing or before"),
        _ if key.len() > limits::HOOK_SECRET_BYTES => wrong("the secret of a hook is too long"),
        _ if url.is_empty() || url.len() > limits::HOOK_URL_BYTES => Err(BAD_HOOK_URL.into()),
        Hook::OUTGOING if *closed => wrong("only a hook that is asked before has a policy: leave it out"),
        _ => Ok(()),
    }
}

/// Refusals that need no state.
pub(crate) fn check_post(c: &PostHook) -> Result<(), Rejection> {
    if !c.conversation.is_group() {
        return Err(BAD_HOOK.into());
    }
    let append = appended(c, UserId(1));
    append.check().and_then(|()| append.check_typed())
}

fn appended(c: &PostHook, actor: UserId) -> Append {
    let (conversation, client_message_id) = (c.conversation, c.id);
    Append { conversation, actor, client_message_id, after: None, intent: Intent::Message(c.body.clone()) }
}

impl Step<'_> {
    pub(crate) fn change_hook(&mut self, c: &ChangeHook) -> Outcome {
        check_hook(c)?;
        let role = self.role(c.conversation, c.actor).ok_or(Rejection::NotMember)?;
        let mut row = self.state.get::<Conversation>(&c.conversation).ok_or(Rejection::NotMember)?;
        permit(Some(role), &row, Act::Settings)?;
        match &c.change {
            HookChange::Make { .. } => self.make_hook(c, &mut row)?,
            HookChange::End { hook } => {
                self.hook(c.conversation, *hook)?;
                for (key, _) in self.state.page::<DeadEvent>(&(c.conversation, *hook), None, limits::HOOK_DEAD) {
                    self.state.delete::<DeadEvent>(&key);
                }
                self.state.delete::<Hook>(&(c.conversation, *hook));
                if row.before == *hook {
                    row.before = 0;
                    self.state.put(&c.conversation, &row);
                }
            }
            HookChange::Retry { hook, seq } => self.retry_dead(c.conversation, *hook, *seq)?,
        }
        self.effect(Effect::HooksChanged { conversation: c.conversation });
        Ok(Reply::Done)
    }

    fn hook(&self, conversation: ConversationId, hook: u64) -> Result<Hook, Rejection> {
        self.state.get::<Hook>(&(conversation, hook)).ok_or(NO_SUCH_HOOK.into())
    }

    fn make_hook(&mut self, c: &ChangeHook, row: &mut Conversation) -> Result<(), Rejection> {
        let HookChange::Make { kind, name, hash, key, url, closed } = &c.change else { return Ok(()) };
        let id = hook_id(hash);
        if let Some(held) = self.state.get::<Hook>(&(c.conversation, id)) {
            let same = (held.kind, &held.name, &held.hash, &held.url, held.closed) == (*kind, name, hash, url, *closed);
            return if held.request == c.request && same { Ok(()) } else { Err(HOOK_EXISTS.into()) };
        }
        let held = self.state.page::<Hook>(&c.conversation, None, limits::HOOKS_PER_GROUP);
        if held.iter().any(|(_, held)| held.request == c.request) {
            return Err(Rejection::RequestReused);
        }
        if held.len() >= limits::HOOKS_PER_GROUP {
            return Err(TOO_MANY_HOOKS.into());
        }
        if *kind == Hook::BEFORE && row.before != 0 {
            return Err(BEFORE_HOOK_EXISTS.into());
        }
        let hook = Hook {
            kind: *kind,
            name: name.clone(),
            by: c.actor,
            created: self.now(),
            hash: *hash,
            key: key.clone(),
            url: url.clone(),
            delivered: row.head,
            dead: 0,
            request: c.request,
            closed: *closed,
        };
        self.state.put(&(c.conversation, id), &hook);
        if *kind == Hook::BEFORE {
            row.before = id;
            self.state.put(&c.conversation, row);
        }
        Ok(())
    }

    fn retry_dead(&mut self, conversation: ConversationId, hook: u64, seq: Seq) -> Result<(), Rejection> {
        self.hook(conversation, hook)?;
        let rows = self.state.page::<DeadEvent>(&(conversation, hook), None, limits::HOOK_DEAD);
        let meant: Vec<_> = rows.into_iter().filter(|((_, _, at), _)| seq == Seq::ZERO || *at == seq).collect();
        if meant.is_empty() && seq != Seq::ZERO {
            return Err(NO_DEAD_EVENT.into());
        }
        for (key, dead) in meant {
            self.state.put(&key, &DeadEvent { again: true, ..dead });
        }
        Ok(())
    }

    /// The message is that of the member that made the hook, as long as it is one.
    pub(crate) fn post_hook(&mut self, c: &PostHook) -> Outcome {
        let hook = self.state.get::<Hook>(&(c.conversation, c.hook));
        let hook = hook.filter(|hook| hook.kind == Hook::INCOMING && hook.hash == c.hash).ok_or(BAD_HOOK)?;
        match self.append(&appended(c, hook.by)) {
            Err(Rejection::NotMember) => Err(BAD_HOOK.into()),
            other => other,
        }
    }

    /// Only forward, so that a late command of an earlier leader changes nothing.
    pub(crate) fn advance_hook(&mut self, c: &AdvanceHook) -> Outcome {
        let Some(mut hook) = self.state.get::<Hook>(&(c.conversation, c.hook)) else { return Ok(Reply::Done) };
        for seq in &c.taken {
            let key = (c.conversation, c.hook, *seq);
            if self.state.get::<DeadEvent>(&key).is_some() {
                self.state.delete::<DeadEvent>(&key);
                hook.dead = hook.dead.saturating_sub(1);
            }
        }
        let before = hook.delivered;
        for given_up in &c.dead {
            let key = (c.conversation, c.hook, given_up.seq);
            let held = self.state.get::<DeadEvent>(&key);
            // One on the list counts if it was tried again, and another one if it is new.
            let counts = match &held {
                Some(held) => held.again,
                None => given_up.seq > before && (hook.dead as usize) < limits::HOOK_DEAD,
            };
            if !counts {
                continue;
            }
            hook.dead += u32::from(held.is_none());
            let attempts = given_up.attempts.saturating_add(held.map_or(0, |held| held.attempts));
            let (status, why) = (given_up.status, given_up.why.clone());
            self.state.put(&key, &DeadEvent { attempts, status, why, at: self.now(), again: false });
        }
        hook.delivered = hook.delivered.max(c.to);
        self.state.put(&(c.conversation, c.hook), &hook);
        Ok(Reply::Done)
    }
}

/// The client message id of a post with this key, so that a repeat has its place.
pub fn post_id(hook: u64, key: &ClientMessageId) -> ClientMessageId {
    let mut id = *key;
    id.0.iter_mut().zip(hook.to_be_bytes()).for_each(|(byte, of)| *byte ^= of);
    id
}

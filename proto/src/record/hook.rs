//! Commands around hooks.

use bytes::Bytes;
use troupe_core::command::{AdvanceHook, ChangeHook, GivenUp, HookChange, JudgeScheduled, PostHook, Said, Vetted};
use troupe_core::form::DecodeError;
use troupe_core::{Body, Command, Seq, UserId};

use crate::field;
use crate::wire::record as wire;
use crate::wire::record::change_hook::Change;

impl From<&ChangeHook> for wire::ChangeHook {
    fn from(c: &ChangeHook) -> Self {
        let change = match &c.change {
            HookChange::Make { kind, name, hash, key, url, closed } => Change::Make(wire::MakeHook {
                kind: *kind,
                name: name.clone(),
                hash: Bytes::copy_from_slice(&hash.0),
                key: key.clone(),
                url: url.clone(),
                closed: *closed,
            }),
            HookChange::End { hook } => Change::End(*hook),
            HookChange::Retry { hook, seq } => Change::Retry(wire::RetryHook { hook: *hook, seq: seq.0 }),
        };
        let request = Bytes::copy_from_slice(&c.request.0);
        wire::ChangeHook { conversation: c.conversation.to_string(), actor: c.actor.0, request, change: Some(change) }
    }
}

impl TryFrom<wire::ChangeHook> for ChangeHook {
    type Error = DecodeError;

    fn try_from(c: wire::ChangeHook) -> Result<Self, DecodeError> {
        Ok(ChangeHook {
            conversation: field::conversation("change_hook.conversation", &c.conversation)?,
            actor: UserId(c.actor),
            request: field::client_message_id("change_hook.request", &c.request)?,
            change: match field::required("change_hook.change", c.change)? {
                Change::Make(wire::MakeHook { kind, name, hash, key, url, closed }) => {
                    HookChange::Make { kind, name, hash: field::token_hash("make_hook.hash", &hash)?, key, url, closed }
                }
                Change::End(hook) => HookChange::End { hook },
                Change::Retry(wire::RetryHook { hook, seq }) => HookChange::Retry { hook, seq: Seq(seq) },
            },
        })
    }
}

impl From<&PostHook> for wire::PostHook {
    fn from(c: &PostHook) -> Self {
        wire::PostHook {
            conversation: c.conversation.to_string(),
            hook: c.hook,
            hash: Bytes::copy_from_slice(&c.hash.0),
            id: Bytes::copy_from_slice(&c.id.0),
            body: Some((&c.body).into()),
        }
    }
}

impl TryFrom<wire::PostHook> for PostHook {
    type Error = DecodeError;

    fn try_from(c: wire::PostHook) -> Result<Self, DecodeError> {
        Ok(PostHook {
            conversation: field::conversation("post_hook.conversation", &c.conversation)?,
            hook: c.hook,
            hash: field::token_hash("post_hook.hash", &c.hash)?,
            id: field::client_message_id("post_hook.id", &c.id)?,
            body: Body::from(field::required("post_hook.body", c.body)?),
        })
    }
}

impl From<&AdvanceHook> for wire::AdvanceHook {
    fn from(c: &AdvanceHook) -> Self {
        let dead = |dead: &GivenUp| {
            let GivenUp { seq, attempts, status, why } = dead.clone();
            wire::GivenUp { seq: seq.0, attempts, status, why }
        };
        wire::AdvanceHook {
            conversation: c.conversation.to_string(),
            hook: c.hook,
            to: c.to.0,
            dead: c.dead.iter().map(dead).collect(),
            taken: c.taken.iter().map(|seq| seq.0).collect(),
        }
    }
}

impl TryFrom<wire::AdvanceHook> for AdvanceHook {
    type Error = DecodeError;

    fn try_from(c: wire::AdvanceHook) -> Result<Self, DecodeError> {
        let dead = |dead: wire::GivenUp| {
            let wire::GivenUp { seq, attempts, status, why } = dead;
            GivenUp { seq: Seq(seq), attempts, status, why }
        };
        Ok(AdvanceHook {
            conversation: field::conversation("advance_hook.conversation", &c.conversation)?,
            hook: c.hook,
            to: Seq(c.to),
            dead: c.dead.into_iter().map(dead).collect(),
            taken: c.taken.into_iter().map(Seq).collect(),
        })
    }
}

impl From<&Vetted> for wire::Vetted {
    fn from(c: &Vetted) -> Self {
        use wire::command::Command as Wire;
        let said = match &c.said {
            Said::Append(append) => append.into(),
            Said::Post(post) => Wire::PostHook(post.into()),
            Said::Piece(piece) => Wire::WritePiece(piece.into()),
        };
        wire::Vetted { hook: c.hook, said: Some(Box::new(wire::Command { command: Some(said) })) }
    }
}

impl TryFrom<wire::Vetted> for Vetted {
    type Error = DecodeError;

    fn try_from(c: wire::Vetted) -> Result<Self, DecodeError> {
        let said = match Command::try_from(*field::required("vetted.said", c.said)?)? {
            Command::Append(append) => Said::Append(append),
            Command::PostHook(post) => Said::Post(*post),
            Command::WritePiece(piece) => Said::Piece(*piece),
            _ => return Err(DecodeError::Invalid { field: "vetted.said", why: "no hook is asked about it" }),
        };
        Ok(Vetted { hook: c.hook, said })
    }
}

impl From<&JudgeScheduled> for wire::JudgeScheduled {
    fn from(c: &JudgeScheduled) -> Self {
        wire::JudgeScheduled {
            conversation: c.conversation.to_string(),
            sender: c.sender.0,
            client_message_id: Bytes::copy_from_slice(&c.client_message_id.0),
            hook: c.hook,
            refused: c.refused.clone(),
        }
    }
}

impl TryFrom<wire::JudgeScheduled> for JudgeScheduled {
    type Error = DecodeError;

    fn try_from(c: wire::JudgeScheduled) -> Result<Self, DecodeError> {
        Ok(JudgeScheduled {
            conversation: field::conversation("judge_scheduled.conversation", &c.conversation)?,
            sender: UserId(c.sender),
            client_message_id: field::client_message_id("judge_scheduled.client_message_id", &c.client_message_id)?,
            hook: c.hook,
            refused: c.refused,
        })
    }
}

//! The words of a story about bots and hooks.
//!
//! ```text
//! bot make anna b1 weather t1 3            its scopes as a number; then 'weather' is the id
//! bot rotate anna b2 weather t2 · bot end anna b3 weather
//! hook make team anna h1 in code "Name" · hook make team anna h1 out code "Name" https://a.example/
//! hook make team anna h1 before closed code "Name" https://a.example/
//! hook asked team code send anna m1 "text" · hook asked team code edit anna m2 1 "text"
//! hook asked team code stream anna m3
//! hook asked team code post incoming p1 "text" · hook asked team code piece anna 1 0 "text"
//! hook judge team code anna m1 [refused_by_hook]
//! hook end team anna h2 code · hook retry team anna h3 code 0
//! hook post team code p1 "text" · hook advance team code 7 [dead 6 8 503 "busy"] [taken 4]
//! show bots anna · show hooks team
//! ```

use troupe_core::command::{AdvanceHook, BotChange, ChangeBot, ChangeHook, GivenUp, HookChange};
use troupe_core::command::{JudgeScheduled, PostHook, Said, Vetted, WritePiece};
use troupe_core::feature::hook_id;
use troupe_core::record::{Bot, DeadEvent, Hook, Session, User};
use troupe_core::{Append, Body, Command, ConversationId, Intent, Rows, Seq, TokenHash};

use crate::script::{id, number, padded};
use crate::show;
use crate::world::World;

pub fn knows(verb: &str) -> bool {
    matches!(verb, "bot" | "hook")
}

pub fn run(world: &mut World, verb: &str, words: &[&str]) -> Result<Vec<String>, String> {
    if verb == "hook" {
        let command = hook(world, words)?;
        return Ok(world.apply(&command, None));
    }
    let mut named = None;
    let (owner, request, change) = match words {
        ["make", owner, request, name, token, scopes] => {
            named = Some(*name);
            let token = TokenHash(padded(token)?);
            (owner, request, BotChange::Create { name: (*name).to_owned(), token, scopes: number(scopes)? as u32 })
        }
        ["rotate", owner, request, bot, token] => {
            let (bot, token) = (world.user(bot)?, TokenHash(padded(token)?));
            (owner, request, BotChange::Rotate { bot, token })
        }
        ["end", owner, request, bot] => (owner, request, BotChange::End { bot: world.user(bot)? }),
        _ => return Err("no such words".to_owned()),
    };
    let (owner, request) = (world.user(owner)?, id(request)?);
    Ok(world.apply(&Command::from(ChangeBot { owner, request, change }), named))
}

fn hook(world: &World, words: &[&str]) -> Result<Command, String> {
    let hash = |code: &str| padded(code).map(TokenHash);
    let hook = |code: &str| Ok::<u64, String>(hook_id(&hash(code)?));
    let (group, actor, request, change) = match words {
        ["post", group, code, id, text] => {
            let conversation = ConversationId::Group(world.group(group)?);
            let (hash, id, body) = (hash(code)?, crate::script::id(id)?, Body::text(text));
            return Ok(Command::from(PostHook { conversation, hook: hook_id(&hash), hash, id, body }));
        }
        ["asked", group, code, said @ ..] => return asked(world, group, hook(code)?, said),
        ["judge", group, code, sender, message, refused @ ..] => {
            return Ok(Command::from(JudgeScheduled {
                conversation: ConversationId::Group(world.group(group)?),
                sender: world.user(sender)?,
                client_message_id: id(message)?,
                hook: hook(code)?,
                refused: refused.concat(),
            }));
        }
        ["advance", group, code, to, rest @ ..] => return advance(world, group, hook(code)?, number(to)?, rest),
        ["make", group, actor, request, "in", code, name] => {
            let (name, hash) = ((*name).to_owned(), hash(code)?);
            let (kind, key, url) = (Hook::INCOMING, String::new(), String::new());
            (group, actor, request, HookChange::Make { kind, name, hash, key, url, closed: false })
        }
        ["make", group, actor, request, "out", code, name, url] => {
            let (name, hash, url) = ((*name).to_owned(), hash(code)?, (*url).to_owned());
            let (kind, key, closed) = (Hook::OUTGOING, (*code).to_owned(), false);
            (group, actor, request, HookChange::Make { kind, name, hash, key, url, closed })
        }
        ["make", group, actor, request, "before", policy, code, name, url] => {
            let (name, hash, url) = ((*name).to_owned(), hash(code)?, (*url).to_owned());
            let (kind, key, closed) = (Hook::BEFORE, (*code).to_owned(), *policy == "closed");
            (group, actor, request, HookChange::Make { kind, name, hash, key, url, closed })
        }
        ["end", group, actor, request, code] => (group, actor, request, HookChange::End { hook: hook(code)? }),
        ["retry", group, actor, request, code, seq] => {
            (group, actor, request, HookChange::Retry { hook: hook(code)?, seq: Seq(number(seq)?) })
        }
        _ => return Err("no such words".to_owned()),
    };
    let (conversation, actor) = (ConversationId::Group(world.group(group)?), world.user(actor)?);
    Ok(Command::from(ChangeHook { conversation, actor, request: id(request)?, change }))
}

fn advance(world: &World, group: &str, hook: u64, to: u64, words: &[&str]) -> Result<Command, String> {
    let (mut dead, mut taken, mut rest) = (Vec::new(), Vec::new(), words);
    while !rest.is_empty() {
        rest = match rest {
            ["dead", seq, attempts, status, why, rest @ ..] => {
                let (seq, why) = (Seq(number(seq)?), (*why).to_owned());
                let (attempts, status) = (number(attempts)? as u32, number(status)? as u32);
                dead.push(GivenUp { seq, attempts, status, why });
                rest
            }
            ["taken", seq, rest @ ..] => {
                taken.push(Seq(number(seq)?));
                rest
            }
            _ => return Err("no such words".to_owned()),
        };
    }
    let conversation = ConversationId::Group(world.group(group)?);
    Ok(Command::from(AdvanceHook { conversation, hook, to: Seq(to), dead, taken }))
}

fn asked(world: &World, group: &str, hook: u64, words: &[&str]) -> Result<Command, String> {
    let conversation = ConversationId::Group(world.group(group)?);
    let append = |actor, message, intent| {
        let (actor, client_message_id) = (world.user(actor)?, id(message)?);
        Ok::<_, String>(Said::Append(Append { conversation, actor, client_message_id, after: None, intent }))
    };
    let said = match words {
        ["send", sender, message, text] => append(sender, message, Intent::Message(Body::text(text)))?,
        ["stream", sender, message] => append(sender, message, Intent::Message(Body::text("").streaming()))?,
        ["edit", sender, message, to, text] => {
            append(sender, message, Intent::Edit { to: Seq(number(to)?), body: Body::text(text) })?
        }
        ["post", code, message, text] => {
            let (hash, id, body) = (TokenHash(padded(code)?), id(message)?, Body::text(text));
            Said::Post(PostHook { conversation, hook: hook_id(&hash), hash, id, body })
        }
        ["piece", sender, message, index, text] => {
            let (sender, message, index) = (world.user(sender)?, Seq(number(message)?), number(index)?);
            Said::Piece(WritePiece { conversation, sender, message, index, text: (*text).to_owned() })
        }
        _ => return Err("no such words".to_owned()),
    };
    Ok(Command::from(Vetted { hook, said }))
}

fn hooks(world: &World, group: &str) -> Result<Vec<String>, String> {
    let conversation = ConversationId::Group(world.group(group)?);
    let mut lines = Vec::new();
    for ((_, hook), row) in world.state.page::<Hook>(&conversation, None, usize::MAX) {
        let Hook { kind, name, by, created, url, delivered, dead, .. } = &row;
        let kind = match *kind {
            Hook::INCOMING => "in",
            Hook::OUTGOING => "out",
            _ if row.closed => "before, closed,",
            _ => "before, open,",
        };
        let by = show::name(world, *by);
        lines.push(format!("{kind} {name:?} by {by} at {created} {url:?}: delivered {delivered}, {dead} dead"));
        for ((_, _, seq), dead) in world.state.page::<DeadEvent>(&(conversation, hook), None, usize::MAX) {
            let DeadEvent { attempts, status, why, at, again } = dead;
            let again = if again { ", again" } else { "" };
            lines.push(format!("dead {seq}: {attempts} attempts until {at}, {status} {why:?}{again}"));
        }
    }
    Ok(lines)
}

/// `None`: it is nothing about bots or hooks.
pub fn shown(world: &World, words: &[&str]) -> Option<Result<Vec<String>, String>> {
    if let ["hooks", group] = words {
        return Some(hooks(world, group));
    }
    let ["bots", owner] = words else { return None };
    Some(world.user(owner).map(|owner| {
        let rows = world.state.page::<Bot>(&owner, None, usize::MAX);
        let row = |((_, bot), row): &((_, _), Bot)| {
            let tokens = world.state.page::<Session>(bot, None, usize::MAX).len();
            let account = world.state.get::<User>(bot).map(|user| user.name).unwrap_or_default();
            let Bot { scopes, created, token_set, .. } = row;
            format!(
                "{} {account:?}: scopes {scopes}, since {created}, {tokens} token of {token_set}",
                show::name(world, *bot)
            )
        };
        rows.iter().map(row).collect()
    }))
}

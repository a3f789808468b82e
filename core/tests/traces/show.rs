//! The display of replies, effects and rows in a story. Ids appear under the names that the story
//! gave them.

use troupe_core::event::Role;
use troupe_core::record::OutboxRow;
use troupe_core::{Body, ClientMessageId, ConversationId, Effect, Event, EventKind, Reply, UserId};

use crate::people;
use crate::personal;
use crate::world::World;

pub fn reply(world: &World, reply: &Reply) -> String {
    match reply {
        Reply::Registered { user } => format!("registered {} as {user} in slot {}", name(world, *user), user.slot()),
        Reply::SessionOpened { replaced } => match replaced {
            Some(token) => format!("opened instead of {}", text(&token.0)),
            None => "opened".to_owned(),
        },
        Reply::SessionClosed { closed } => match closed {
            Some(token) => format!("closed {}", text(&token.0)),
            None => "closed nothing".to_owned(),
        },
        Reply::Placed { seq, time, duplicate } => {
            format!("{} {seq} at {time}", if *duplicate { "already" } else { "placed" })
        }
        Reply::GroupCreated { group } => {
            format!("group {} as {group} in slot {}", conversation(world, ConversationId::Group(*group)), group.slot())
        }
        Reply::Imported { conversation: of, head, placed } => {
            format!("imported {placed} into {}, head {head}", conversation(world, *of))
        }
        Reply::SessionTouched { open } => if *open { "in use" } else { "not open" }.to_owned(),
        Reply::Scheduled { at, duplicate } => {
            format!("{} for {at}", if *duplicate { "already scheduled" } else { "scheduled" })
        }
        Reply::DueDone { done } => format!("did {done}"),
        Reply::Upload { received, size, file, expires } => {
            let named = file.map(|file| format!(", file {}", &file.to_string()[..8])).unwrap_or_default();
            format!("upload {received} of {size} until {expires}{named}")
        }
        Reply::Room { bytes, reserved, until } => format!("{bytes} bytes, {reserved} reserved until {until}"),
        Reply::Done => "done".to_owned(),
        Reply::Rejected(why) => format!("{}: {why}", why.code()),
    }
}

pub fn effect(world: &World, effect: &Effect) -> String {
    match effect {
        Effect::Deliver { conversation: to, event: what } => {
            format!("deliver {} {}", conversation(world, *to), event(world, what))
        }
        Effect::InboxChanged { user, conversation: of, present, version } => {
            let word = presence(*present);
            format!("inbox {} {} {word} {version}", name(world, *user), conversation(world, *of))
        }
        Effect::InvitationExpired { user, conversation: to, version } => {
            format!("invitation of {} to {} at {version} is over", name(world, *user), conversation(world, *to))
        }
        Effect::Invited { user, conversation: to, by } => {
            format!("invite {} to {} by {}", name(world, *user), conversation(world, *to), name(world, *by))
        }
        Effect::ProfileChanged { user, profile } => {
            format!("profile of {} {}", name(world, *user), people::described(profile))
        }
        Effect::PresenceShown { user } => format!("presence of {}", name(world, *user)),
        Effect::FavouriteChanged { user, conversation: of, seq, removed, version } => {
            let (user, of) = (name(world, *user), conversation(world, *of));
            let what = if *removed { "drops" } else { "saves" };
            format!("{user} {what} {of} {seq}, version {version}")
        }
        Effect::PersonalChanged { conversation: of, user, row, .. } => {
            let (of, user) = (conversation(world, *of), name(world, *user));
            format!("state of {of} for {user}: {}", personal::described(row))
        }
        Effect::ContactChanged { user, other, contact, blocked } => {
            let contact = people::contact(world, *other, contact, *blocked);
            format!("contact of {}: {contact}", name(world, *user))
        }
        Effect::SessionEnded { user, device, token, why } => {
            format!("end {} {device} {} {}", name(world, *user), text(&token.0), why.code())
        }
        Effect::CursorMoved { conversation: of, user, delivered, read, .. } => {
            format!("cursor {} {} {delivered}/{read}", conversation(world, *of), name(world, *user))
        }
        Effect::OutboxFilled { slot } => format!("outbox of slot {slot}"),
        Effect::HooksChanged { conversation: of } => format!("hooks of {}", conversation(world, *of)),
        Effect::AskHook { conversation: of, sender, id: message } => {
            format!("ask the hook of {} about {} by {}", conversation(world, *of), id(*message), name(world, *sender))
        }
        Effect::DuePlanned { at } => format!("due at {at}"),
        Effect::Grown { signal } => {
            let piece = <troupe_core::signal::Piece as prost::Message>::decode(&signal.payload[..]).unwrap_or_default();
            format!("show piece {} of {}: {:?}", piece.index, piece.message, piece.text)
        }
    }
}

pub fn event(world: &World, event: &Event) -> String {
    let said = match &event.kind {
        EventKind::Message(body) => said(world, body),
        EventKind::Created { name } => format!("created {name:?}"),
        EventKind::Renamed { name } => format!("renamed {name:?}"),
        EventKind::Added { users } => {
            format!("added {}", users.iter().map(|user| name(world, *user)).collect::<Vec<_>>().join(" "))
        }
        EventKind::Removed { user } => format!("removed {}", name(world, *user)),
        EventKind::Unknown { kind, .. } => format!("unknown kind {kind}"),
        kind @ (EventKind::Reacted { .. }
        | EventKind::Edited { .. }
        | EventKind::Recalled { .. }
        | EventKind::Vanished { .. }
        | EventKind::PollClosed { .. }
        | EventKind::StreamEnded { .. }
        | EventKind::SettingsChanged(_)
        | EventKind::Disbanded) => kind.words(),
        EventKind::Voted { options, .. } => format!("{}: {options:?}", event.kind.words()),
        EventKind::Muted { user, until } => format!("muted {} until {until}", name(world, *user)),
        EventKind::Banned { user, lifted: false } => format!("banned {}", name(world, *user)),
        EventKind::Banned { user, lifted: true } => format!("lifted the ban of {}", name(world, *user)),
        EventKind::LinkMade { hash, uses, .. } => format!("made the link {} for {uses} uses", text(&hash.0)),
        kind @ (EventKind::LinkRevoked { .. }
        | EventKind::CallStarted { .. }
        | EventKind::JoinAsked
        | EventKind::Pinned { .. }) => kind.words(),
        EventKind::JoinClosed { user } => format!("closed the request of {}", name(world, *user)),
        EventKind::CallAnswered { call, device } => format!("answered the call {call} with the device {device}"),
        EventKind::CallEnded { call, caller, outcome, lasted_ms, .. } => {
            format!("call {call} of {} ended: {}, {lasted_ms} ms", name(world, *caller), outcome.name())
        }
        EventKind::Transferred { to } => format!("handed over to {}", name(world, *to)),
        EventKind::RoleChanged { user, role: to } => format!("made {} {}", name(world, *user), role(*to)),
    };
    format!("{} at {} by {} {}: {said}", event.seq, event.time, name(world, event.sender), id(event.client_message_id))
}

pub fn outbox(world: &World, row: &OutboxRow) -> String {
    let word = presence(row.present);
    let by = row.by.map(|by| format!(" by {}", name(world, by))).unwrap_or_default();
    format!(
        "owes {} {} {word} {}{by}",
        name(world, row.key.user),
        conversation(world, row.key.conversation),
        row.key.version
    )
}

pub fn role(role: Role) -> &'static str {
    match role {
        Role::Member => "member",
        Role::Admin => "admin",
        Role::Owner => "owner",
    }
}

pub fn presence(present: bool) -> &'static str {
    if present { "present" } else { "absent" }
}

pub fn name(world: &World, user: UserId) -> String {
    let named = world.users.iter().find(|(_, id)| **id == user).map(|(name, _)| name.clone());
    named.unwrap_or_else(|| format!("#{user}"))
}

pub fn conversation(world: &World, conversation: ConversationId) -> String {
    match conversation {
        ConversationId::Everyone => "everyone".to_owned(),
        ConversationId::Direct { low, high } => format!("{}+{}", name(world, low), name(world, high)),
        ConversationId::Group(group) => {
            let named = world.groups.iter().find(|(_, id)| **id == group).map(|(name, _)| name.clone());
            named.unwrap_or_else(|| conversation.to_string())
        }
    }
}

pub fn said(world: &World, body: &Body) -> String {
    let mut said = alone(body);
    if let Some(context) = &body.context {
        let mut add = |what: &str, who: String| said.push_str(&format!(", {what} {who}"));
        if context.reply_to != 0 {
            add("reply to", context.reply_to.to_string());
        }
        if context.thread != 0 {
            add("in the thread of", context.thread.to_string());
        }
        context.mentions.iter().for_each(|user| add("mentions", name(world, UserId(*user))));
        if context.mentions_everyone {
            add("mentions", "everyone".to_owned());
        }
        if context.expires_in_ms != 0 {
            add("vanishes after", context.expires_in_ms.to_string());
        }
        if context.stream {
            said.push_str(", a stream");
        }
    }
    said
}

fn alone(body: &Body) -> String {
    match body.as_text() {
        Some(text) if text.len() > 80 => format!("text of {} bytes", text.len()),
        Some(text) => format!("{text:?}"),
        None if body.typed().is_some() => EventKind::Message(body.clone()).words(),
        None => format!("kind {} of {} bytes", body.kind, body.content.len()),
    }
}

/// Ids and tokens of a story are short words, filled up with zeros; those made by the machine are
/// shown in hex.
pub fn id(id: ClientMessageId) -> String {
    let word = text(&id.0);
    if word.is_empty() { id.to_string() } else { word }
}

fn text(bytes: &[u8]) -> String {
    let word = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    let plain = word.iter().all(u8::is_ascii_graphic) && bytes[word.len()..].iter().all(|byte| *byte == 0);
    if plain { String::from_utf8_lossy(word).into_owned() } else { String::new() }
}

//! The words of a story.
//!
//! ```text
//! at 1000                                  the leader's clock
//! bug ignore-after                       from here on a bug
//! let anna 1025                            a user who is taken for granted
//! register Anna r1                         then 'anna' is the id
//! open anna phone t1 [after 1] · close anna phone [t1]
//! inbox anna anna+bert present 3           an outbox row arrives
//! send anna everyone m1 "hello" [after m0]; instead of the text, and behind it: see [`crate::bodies`]
//! create team anna r1 "The team" [open] [bert carl ...]
//! rename team anna r2 "Name" · add team anna r3 bert ... · remove team anna r4 bert
//! leave team bert r5 · join team bert r6 · role team anna r7 bert admin
//! set team anna r8 [notice "text"] [avatar hash] [join open] [history everything] [slow 30] [muted 5000]
//!     [retain 60] [apart yes] [permit pin member] · mute team anna r9 bert 5000
//! ban team anna r10 bert · unban team anna r11 bert
//! transfer team anna r12 bert · disband team anna r13
//! link team anna r14 code 3 5000 · unlink team anna r15 code · enter team bert r16 code · show links team
//! apply team bert r17 "text" · admit team anna r18 bert · refuse team anna r19 bert · withdraw team bert r20
//! show requests team
//! cursor team anna 3/2 bert 1/1            delivered/read
//! settle team anna@1 ...                   the outbox rows of these users and versions
//! account verbs: see [`crate::accounts`]; import: see [`crate::imports`]; schedule: see [`crate::due`];
//! people: see [`crate::people`]; a user's own state: see [`crate::personal`];
//! bots and hooks: see [`crate::bots`]; calls: see [`crate::calls`]; files: see [`crate::files`];
//! the room that they take: see [`crate::rooms`];
//! messages: see [`crate::messages`]
//! show settings team · show bans team · show log team · show members team anna bert
//! show outbox · show inbox anna · show sessions anna
//! ```

use troupe_core::command::{
    AcceptInvitation, AdvanceCursors, Append, CloseSession, CreateGroup, CursorMove, Intent, OpenSession, Register,
    SettleOutbox, UpdateInbox,
};
use troupe_core::event::Role;
use troupe_core::feature::{Act, Ban, GroupLink, GroupProfile, JoinRequest, Mute, Permission, Settings, link_id};
use troupe_core::record::{Conversation, Invitation, Member, OutboxKey, Session};
use troupe_core::{
    ClientMessageId, Command, ConversationId, DeviceId, Level, Rows, Seq, Timestamp, TokenHash, UserId, Username,
};

use crate::accounts;
use crate::due;
use crate::files;
use crate::imports;
use crate::messages;
use crate::people;
use crate::personal;
use crate::rooms;
use crate::show;
use crate::world::World;
use crate::{bodies, bots, calls};

/// Runs one line and returns its results, a line each.
pub fn run(world: &mut World, line: &str) -> Result<Vec<String>, String> {
    let words = split(line)?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let command = match words.as_slice() {
        ["at", now] => {
            world.now = number(now)?;
            return Ok(Vec::new());
        }
        ["level", level] => {
            world.level = Some(Level(number(level)? as u32));
            return Ok(Vec::new());
        }
        #[cfg(feature = "planted-bugs")]
        ["bug", name] => {
            world.machine.planted = troupe_core::planted::Bug::named(name).ok_or("no such bug")?.into();
            return Ok(Vec::new());
        }
        ["let", name, id] => {
            world.users.insert((*name).to_owned(), UserId(number(id)?));
            return Ok(Vec::new());
        }
        ["show", rest @ ..] => return shown(world, rest),
        ["register", name, request] => {
            // As logs of version 0.1 have it, under the lower case.
            let name = Username::kept(name, None);
            let (called, request) = (name.key().as_str().to_owned(), id(request)?);
            let command = Register { name, password_hash: "$argon2id$".to_owned(), request };
            return Ok(world.apply(&Command::Register(command), Some(&called)));
        }
        ["import", rest @ ..] => return imports::run(world, rest),
        [verb, rest @ ..] if bots::knows(verb) => return bots::run(world, verb, rest),
        [verb, rest @ ..] if calls::knows(verb) => return calls::run(world, verb, rest),
        [verb, rest @ ..] if messages::knows(verb) => return messages::run(world, verb, rest),
        [verb, rest @ ..] if due::knows(verb) => return due::run(world, verb, rest),
        [verb, rest @ ..] if people::knows(verb) => return people::run(world, verb, rest),
        [verb, rest @ ..] if personal::knows(verb) => return personal::run(world, verb, rest),
        [verb, rest @ ..] if files::knows(verb) => return files::run(world, verb, rest),
        [verb, rest @ ..] if rooms::knows(verb) => return rooms::run(world, verb, rest),
        [verb, rest @ ..] if accounts::knows(verb) => return accounts::run(world, verb, rest),
        ["create", called, creator, request, name, rest @ ..] => {
            let (open, members) = match rest {
                ["open", members @ ..] => (true, members),
                members => (false, members),
            };
            let command = CreateGroup {
                creator: world.user(creator)?,
                request: id(request)?,
                name: (*name).to_owned(),
                open,
                members: users(world, members)?,
            };
            return Ok(world.apply(&Command::CreateGroup(command), Some(called)));
        }
        ["open", user, device, token, rest @ ..] => {
            let (revision, from) = match rest {
                [] => (0, ""),
                ["after", revision] => (number(revision)?, ""),
                ["from", address] => (0, *address),
                _ => return Err("a session is opened after a revision, or from an address".to_owned()),
            };
            Command::OpenSession(OpenSession {
                user: world.user(user)?,
                device: DeviceId::new(device).ok_or("not a device")?,
                token: TokenHash(padded(token)?),
                revision,
                from: from.to_owned(),
            })
        }
        ["close", user, device, token @ ..] => Command::CloseSession(CloseSession {
            user: world.user(user)?,
            device: DeviceId::new(device).ok_or("not a device")?,
            token: token.first().map(|token| padded(token).map(TokenHash)).transpose()?,
        }),
        ["inbox", user, conversation, present, version, by @ ..] => Command::UpdateInbox(UpdateInbox {
            user: world.user(user)?,
            conversation: world.conversation(conversation)?,
            present: *present == "present",
            version: Seq(number(version)?),
            by: by.first().map(|by| world.user(by)).transpose()?,
            unasked: by.get(1) == Some(&"unasked"),
        }),
        ["accept" | "decline", user, conversation, version] => Command::AcceptInvitation(AcceptInvitation {
            user: world.user(user)?,
            conversation: world.conversation(conversation)?,
            version: Seq(number(version)?),
            decline: words.first() == Some(&"decline"),
        }),
        ["send", sender, conversation, message, rest @ ..] => {
            let (body, rest) = bodies::body(world, rest)?;
            let after = match rest {
                [] => None,
                ["after", message] => Some(id(message)?),
                _ => return Err("expected 'after' and a message".to_owned()),
            };
            Command::Append(Append {
                conversation: world.conversation(conversation)?,
                actor: world.user(sender)?,
                client_message_id: id(message)?,
                after,
                intent: Intent::Message(body),
            })
        }
        ["cursor", conversation, moves @ ..] => Command::AdvanceCursors(AdvanceCursors {
            conversation: world.conversation(conversation)?,
            moves: cursor_moves(world, moves)?,
        }),
        ["settle", conversation, rows @ ..] => {
            let conversation = world.conversation(conversation)?;
            let slot = conversation.slot();
            let rows = rows.iter().map(|row| {
                let (user, version) = row.split_once('@').ok_or("expected user@version")?;
                Ok(OutboxKey { slot, conversation, version: Seq(number(version)?), user: world.user(user)? })
            });
            Command::SettleOutbox(SettleOutbox { slot, rows: rows.collect::<Result<_, String>>()? })
        }
        [verb, group, actor, request, rest @ ..] => Command::Append(Append {
            conversation: world.conversation(group)?,
            actor: world.user(actor)?,
            client_message_id: id(request)?,
            after: None,
            intent: change(world, verb, rest)?,
        }),
        _ => return Err("no such words".to_owned()),
    };
    Ok(world.apply(&command, None))
}

fn change(world: &World, verb: &str, rest: &[&str]) -> Result<Intent, String> {
    Ok(match (verb, rest) {
        ("rename", [name]) => Intent::Rename { name: (*name).to_owned() },
        ("add", names) => Intent::Add { users: users(world, names)? },
        ("remove", [user]) => Intent::Remove { user: world.user(user)? },
        ("leave", []) => Intent::Leave,
        ("join", []) => Intent::Join,
        ("role", [user, role]) => {
            let role = [Role::Member, Role::Admin, Role::Owner].into_iter().find(|known| show::role(*known) == *role);
            Intent::SetRole { user: world.user(user)?, role: role.ok_or("no such role")? }
        }
        ("set", rest) => Intent::Set(Box::new(settings(rest)?)),
        ("mute", [user, until]) => Intent::Mute { user: world.user(user)?, until: Timestamp(number(until)?) },
        ("ban" | "unban", [user]) => Intent::Ban { user: world.user(user)?, lift: verb == "unban" },
        ("transfer", [user]) => Intent::Transfer { to: world.user(user)? },
        ("disband", []) => Intent::Disband,
        ("link", [code, uses, expires]) => {
            let (uses, expires) = (number(uses)? as u32, Timestamp(number(expires)?));
            Intent::MakeLink { hash: TokenHash(padded(code)?), uses, expires }
        }
        ("unlink", [code]) => Intent::RevokeLink { link: link_id(&TokenHash(padded(code)?)) },
        ("apply", [text]) => Intent::AskToJoin { text: (*text).to_owned() },
        ("admit" | "refuse", [user]) => Intent::AnswerRequest { user: world.user(user)?, accept: verb == "admit" },
        ("withdraw", []) => Intent::Withdraw,
        ("enter", [code]) => Intent::JoinByLink { hash: TokenHash(padded(code)?) },
        _ => return Err("no such words".to_owned()),
    })
}

fn settings(words: &[&str]) -> Result<Settings, String> {
    let mut settings = Settings::default();
    let mut rest = words;
    while let [what, value, tail @ ..] = rest {
        rest = tail;
        match *what {
            "name" => settings.name = Some((*value).to_owned()),
            "notice" => settings.notice = Some((*value).to_owned()),
            "avatar" => settings.avatar = Some((*value).to_owned()),
            "join" => {
                settings.join = match *value {
                    "open" => Settings::OPEN,
                    "approval" => Settings::APPROVAL,
                    _ => Settings::INVITE_ONLY,
                }
            }
            "history" => {
                let all = *value == "everything";
                settings.history = if all { Settings::EVERYTHING } else { Settings::SINCE_JOINING };
            }
            "slow" => settings.slow_seconds = Some(number(value)?),
            "apart" => settings.no_contact = Some(*value == "yes"),
            "retain" => settings.retention_seconds = Some(number(value)?),
            "muted" => settings.muted_until = Some(number(value)?),
            "permit" => {
                let [role, tail @ ..] = rest else { return Err("expected an act and a role".to_owned()) };
                rest = tail;
                let act = Act::ALL.into_iter().find(|act| act.name() == *value).ok_or("no such act")? as u32;
                let role =
                    [Role::Member, Role::Admin, Role::Owner].into_iter().find(|known| show::role(*known) == *role);
                settings.permissions.push(Permission { act, role: role.ok_or("no such role")?.number().into() });
            }
            _ => return Err(format!("no setting '{what}'")),
        }
    }
    Ok(settings)
}

fn shown(world: &World, words: &[&str]) -> Result<Vec<String>, String> {
    match words {
        ["call", conversation] => calls::shown(world, conversation),
        ["scheduled" | "due", ..] => due::shown(world, words),
        ["log", conversation] => {
            let events = world.state.events(world.conversation(conversation)?);
            Ok(events.iter().map(|event| show::event(world, event)).collect())
        }
        ["members", conversation] => {
            let conversation = world.conversation(conversation)?;
            let members = world.state.page::<Member>(&conversation, None, usize::MAX);
            let row = |((_, user), member): &((ConversationId, UserId), Member)| {
                format!("{} {} since {}", show::name(world, *user), show::role(member.role), member.since)
            };
            Ok(members.iter().map(row).collect())
        }
        ["row", conversation] => {
            let conversation = world.conversation(conversation)?;
            let row = world.state.get::<Conversation>(&conversation).ok_or("no such conversation")?;
            let (owners, wrote) = (row.owners, (row.low_wrote, row.high_wrote));
            let mut lines = vec![format!("owners {owners}, wrote {wrote:?}")];
            let retention = row.retention_seconds;
            lines.extend(row.vanished().map(|(from, to)| format!("retention {retention}, vanished {from} to {to}")));
            Ok(lines)
        }
        ["settings", conversation] => {
            let conversation = world.conversation(conversation)?;
            let row = world.state.get::<Conversation>(&conversation).ok_or("no such conversation")?;
            let profile = world.state.get::<GroupProfile>(&conversation).unwrap_or_default();
            let settings = Settings::of(&row, &profile);
            let mutes = world.state.page::<Mute>(&conversation, None, usize::MAX);
            let mute = |((_, user), mute): &((ConversationId, UserId), Mute)| {
                format!("{} muted until {}", show::name(world, *user), mute.until)
            };
            let (join, history) = (settings.join, settings.history);
            let mut lines = vec![
                format!("{:?}: join {join}, history {history}", settings.name.unwrap_or_default()),
                format!("notice {:?}, avatar {:?}", profile.notice, profile.avatar),
                format!("slow {}, muted {}, {} mutes, {} bans", row.slow_seconds, row.muted_until, row.mutes, row.bans),
            ];
            lines.extend(mutes.iter().map(mute));
            lines.extend(row.no_contact.then(|| "no contact between members".to_owned()));
            Ok(lines)
        }
        ["requests", conversation] => {
            let requests = world.state.page::<JoinRequest>(&world.conversation(conversation)?, None, usize::MAX);
            let row = |((_, user), request): &((ConversationId, UserId), JoinRequest)| {
                format!("{} at {}: {:?}", show::name(world, *user), request.at, request.text)
            };
            Ok(requests.iter().map(row).collect())
        }
        ["links", conversation] => {
            let links = world.state.page::<GroupLink>(&world.conversation(conversation)?, None, usize::MAX);
            let row = |(_, link): &((ConversationId, u64), GroupLink)| {
                format!("{} of {} uses by {}", link.used, link.uses, show::name(world, link.by))
            };
            Ok(links.iter().map(row).collect())
        }
        ["bans", conversation] => {
            let bans = world.state.page::<Ban>(&world.conversation(conversation)?, None, usize::MAX);
            let row = |((_, user), ban): &((ConversationId, UserId), Ban)| {
                format!("{} by {} at {}", show::name(world, *user), show::name(world, ban.by), ban.at)
            };
            Ok(bans.iter().map(row).collect())
        }
        ["reactions" | "edits" | "pins" | "polls" | "streams", ..] => messages::shown(world, words),
        ["outbox"] => Ok(world.state.outbox().iter().map(|row| show::outbox(world, row)).collect()),
        ["inbox", user] => {
            let entries = world.state.inbox(world.user(user)?);
            let row = |entry: &troupe_core::record::InboxEntry| {
                let conversation = show::conversation(world, entry.conversation);
                format!("{conversation} {} {}", show::presence(entry.present), entry.version)
            };
            Ok(entries.iter().map(row).collect())
        }
        ["invitations", user] => {
            let invitations = world.state.page::<Invitation>(&world.user(user)?, None, usize::MAX);
            let row = |(_, invitation): &((UserId, ConversationId), Invitation)| {
                let conversation = show::conversation(world, invitation.conversation);
                format!("{conversation} {} by {}", invitation.version, show::name(world, invitation.by))
            };
            Ok(invitations.iter().map(row).collect())
        }
        ["sessions", user] => {
            let sessions = world.state.page::<Session>(&world.user(user)?, None, usize::MAX);
            Ok(sessions.iter().map(|(_, session)| format!("{} since {}", session.device, session.created)).collect())
        }
        _ => {
            let shown = personal::shown(world, words).or_else(|| people::shown(world, words));
            let shown = shown.or_else(|| bots::shown(world, words));
            let others = || shown.unwrap_or_else(|| accounts::shown(world, words));
            let files = files::shown(world, words).or_else(|| rooms::shown(world, words));
            files.unwrap_or_else(others)
        }
    }
}

fn cursor_moves(world: &World, words: &[&str]) -> Result<Vec<CursorMove>, String> {
    let (pairs, rest) = words.as_chunks::<2>();
    if !rest.is_empty() {
        return Err("expected user and delivered/read".to_owned());
    }
    let to = |[user, to]: &[&str; 2]| {
        let (delivered, read) = to.split_once('/').ok_or("expected delivered/read")?;
        Ok(CursorMove { user: world.user(user)?, delivered: Seq(number(delivered)?), read: Seq(number(read)?) })
    };
    pairs.iter().map(to).collect()
}

pub fn users(world: &World, names: &[&str]) -> Result<Vec<UserId>, String> {
    names.iter().map(|name| world.user(name)).collect()
}

pub fn id(word: &str) -> Result<ClientMessageId, String> {
    padded(word).map(ClientMessageId)
}

pub fn padded<const N: usize>(word: &str) -> Result<[u8; N], String> {
    let mut bytes = [0; N];
    let place = bytes.get_mut(..word.len()).ok_or("this word is too long for an id")?;
    place.copy_from_slice(word.as_bytes());
    Ok(bytes)
}

pub fn number(word: &str) -> Result<u64, String> {
    word.parse().map_err(|_| format!("'{word}' is not a number"))
}

pub fn bytes(hex: &str) -> Result<Vec<u8>, String> {
    let digits = (0..hex.len()).step_by(2);
    digits
        .map(|at| u8::from_str_radix(hex.get(at..at + 2).unwrap_or("?"), 16).map_err(|_| "not hex".to_owned()))
        .collect()
}

/// Words at spaces; what is in double quotes is one word, with `\t` for a control character.
fn split(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut rest = line.trim();
    while !rest.is_empty() {
        let (word, tail) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').ok_or("a quote without its end")?,
            None => rest.split_once(' ').unwrap_or((rest, "")),
        };
        words.push(word.replace("\\t", "\t"));
        rest = tail.trim_start();
    }
    Ok(words)
}

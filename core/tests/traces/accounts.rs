//! The words of a story about accounts.
//!
//! ```text
//! account root Dora r1 [admin] [one-time]  root makes an account for dora
//! passwd anna q1 0 [keep phone t1]         the password of revision 0 was verified
//! reset root anna q2 1 · disable root anna q3 · enable root anna q4 · delete root anna q5
//! admin root anna q6 yes · set-role root anna q8 auditor · end root anna q7 [phone]
//! touch anna phone t1 60000 [live]         in use; sessions end after a minute
//! invite root code1 q1 2 5000 "note"       two uses until 5000
//! revoke root code1 · reserve code1 r1 Dora · release code1 r1 · spend code1 r1 dora
//! act root q9 node.drain "node 3"          into the audit log
//! show account anna · show login anna · show audit · show invite code1
//! ```

use troupe_core::command::{
    AccountChange, ChangeAccount, ChangeInvite, CreateAccount, InviteChange, RecordAct, TouchSession,
};
use troupe_core::record::{AccountRole, Author, Invite, InviteId, LastLogin, User};
use troupe_core::{Command, DeviceId, NameKey, Rows, Slot, Timestamp, TokenHash, Username};

use crate::script::{id, number, padded};
use crate::show;
use crate::world::World;

const VERBS: &[&str] = &[
    "account", "passwd", "reset", "disable", "enable", "delete", "admin", "set-role", "end", "touch", "invite",
    "revoke", "reserve", "release", "spend", "act",
];

pub fn knows(verb: &str) -> bool {
    VERBS.contains(&verb)
}

pub fn run(world: &mut World, verb: &str, words: &[&str]) -> Result<Vec<String>, String> {
    let mut named = None;
    let command = match (verb, words) {
        ("account", [by, name, request, how @ ..]) => {
            let name = Username::kept(name, None);
            named = Some(name.key().as_str().to_owned());
            Command::from(CreateAccount {
                name,
                password_hash: "$argon2id$".to_owned(),
                request: id(request)?,
                by: author(world, by)?,
                admin: how.contains(&"admin"),
                one_time: how.contains(&"one-time"),
                born_with_cluster: false,
                created: None,
            })
        }
        ("passwd", [user, request, revision, keep @ ..]) => {
            let keep = match keep {
                ["keep", device, token] => Some((self::device(device)?, TokenHash(padded(token)?))),
                _ => None,
            };
            let (password_hash, revision) = ("$new$".to_owned(), number(revision)?);
            let change = AccountChange::ChangePassword { password_hash, revision, keep };
            changed(world, user, user, request, change)?
        }
        ("reset", [by, user, request, revision]) => {
            let (password_hash, revision) = ("$reset$".to_owned(), number(revision)?);
            changed(world, by, user, request, AccountChange::ResetPassword { password_hash, revision })?
        }
        ("disable", [by, user, request]) => changed(world, by, user, request, AccountChange::Disable)?,
        ("enable", [by, user, request]) => changed(world, by, user, request, AccountChange::Enable)?,
        ("delete", [by, user, request]) => changed(world, by, user, request, AccountChange::Delete)?,
        ("admin", [by, user, request, admin]) => {
            changed(world, by, user, request, AccountChange::SetAdmin { admin: *admin == "yes" })?
        }
        ("set-role", [by, user, request, role]) => {
            let role = AccountRole::named(role).ok_or("not a role of an account")?;
            changed(world, by, user, request, AccountChange::SetRole { role })?
        }
        ("end", [by, user, request, device @ ..]) => {
            let device = device.first().map(|device| self::device(device)).transpose()?;
            changed(world, by, user, request, AccountChange::EndSessions { device })?
        }
        ("touch", [user, device, token, idle, live @ ..]) => Command::TouchSession(TouchSession {
            user: world.user(user)?,
            device: self::device(device)?,
            token: TokenHash(padded(token)?),
            idle_ms: number(idle)?,
            live: live == ["live"],
        }),
        ("invite", [by, code, request, uses, expires, note]) => invited(
            code,
            InviteChange::Create {
                hash: TokenHash(padded(code)?),
                request: id(request)?,
                by: author(world, by)?,
                uses: number(uses)? as u32,
                expires: Timestamp(number(expires)?),
                note: (*note).to_owned(),
            },
        )?,
        ("revoke", [by, code]) => invited(code, InviteChange::Revoke { by: author(world, by)? })?,
        ("reserve", [code, request, name]) => {
            let name = NameKey::kept(&name.to_lowercase());
            invited(code, InviteChange::Reserve { hash: TokenHash(padded(code)?), request: id(request)?, name })?
        }
        ("release", [code, request]) => invited(code, InviteChange::Release { request: id(request)? })?,
        ("spend", [code, request, user]) => {
            invited(code, InviteChange::Settle { request: id(request)?, user: world.user(user)? })?
        }
        ("act", [by, request, action, target]) => Command::from(RecordAct {
            slot: Slot(7),
            request: id(request)?,
            by: author(world, by)?,
            action: (*action).to_owned(),
            target: (*target).to_owned(),
            detail: String::new(),
        }),
        _ => return Err("no such words".to_owned()),
    };
    Ok(world.apply(&command, named.as_deref()))
}

pub fn shown(world: &World, words: &[&str]) -> Result<Vec<String>, String> {
    match words {
        ["account", user] => {
            let user = world.state.get::<User>(&world.user(user)?).ok_or("no such row")?;
            let standing = &user.standing;
            let mut said = format!("{} {} revision {}", user.name, standing.status.as_str(), standing.revision);
            for (word, so) in
                [("admin", standing.admin), ("auditor", standing.auditor), ("one-time", standing.one_time)]
            {
                if so {
                    said = format!("{said} {word}");
                }
            }
            Ok(vec![format!("{said} password {:?}", user.password_hash)])
        }
        ["login", user] => Ok(match world.state.get::<LastLogin>(&world.user(user)?) {
            Some(last) => vec![format!("{} from {:?}", last.at, last.from)],
            None => vec!["none".to_owned()],
        }),
        ["audit"] => Ok(world
            .state
            .audit()
            .iter()
            .map(|row| {
                let by = format!("{} from {:?}", row.by.name, row.by.address);
                format!("{} {} {} {:?} {:?} by {by}", row.key.time, row.key.number, row.action, row.target, row.detail)
            })
            .collect()),
        ["invite", code] => {
            let invite = world.state.get::<Invite>(&InviteId::of(&TokenHash(padded(code)?))).ok_or("no such row")?;
            let end = if invite.revoked { "revoked".to_owned() } else { format!("until {}", invite.expires) };
            Ok(vec![format!("{} of {} used, {end}, {:?}", invite.used, invite.uses, invite.note)])
        }
        _ => Err("nothing like that to show".to_owned()),
    }
}

pub fn author(world: &World, word: &str) -> Result<Author, String> {
    let user = world.user(word)?;
    Ok(Author { user, name: show::name(world, user), address: "127.0.0.1".to_owned() })
}

fn changed(world: &World, by: &str, user: &str, request: &str, change: AccountChange) -> Result<Command, String> {
    let (user, request, by) = (world.user(user)?, id(request)?, author(world, by)?);
    Ok(Command::from(ChangeAccount { user, request, by, change }))
}

fn invited(code: &str, change: InviteChange) -> Result<Command, String> {
    let id = InviteId::of(&TokenHash(padded(code)?));
    Ok(Command::from(ChangeInvite { id, change }))
}

fn device(word: &str) -> Result<DeviceId, String> {
    DeviceId::new(word).ok_or_else(|| "not a device".to_owned())
}

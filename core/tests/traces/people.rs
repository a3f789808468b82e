//! The words of a story about people.
//!
//! ```text
//! profile anna p1 [name "Anna B."] [avatar hash] [about "text"] [language de] [from contacts]
//! ask anna a1 bert "text" · take anna a2 bert · quit anna a3 bert      accept, and end
//! remark anna a4 bert "text" · block anna a5 bert · unblock anna a6 bert
//! relay anna bert [late]                    what anna's shard owes of bert, and settles unless late
//! gate anna bert 3 closed                   a row that the outbox of anna's shard carries
//! report anna q1 bert anna+bert 3 "reason" ["text"] · dismiss root c1 1 ["note"] · show reports
//! seen anna 5000 · shows anna contacts     the last time online, and its viewers
//! show seen anna · show profile anna · show contacts anna · show owed anna
//! ```

use troupe_core::command::{
    ChangeContact, ChangeProfile, CloseReport, ContactAct, FileReport, HearContact, NoteSeen, ProfileChange, SetGate,
    SettleContacts, SettledContact, ShowPresence,
};
use troupe_core::record::{
    Audience, Block, Contact, ContactBook, OwedContact, Profile, Relation, Report, ReportBook, Seen, Viewers,
};
use troupe_core::{Command, ConversationId, Rows, Seq, Slot, Timestamp, UserId};

use crate::accounts;
use crate::script::{id, number};
use crate::show;
use crate::world::World;

const VERBS: &[&str] = &[
    "seen", "shows", "profile", "ask", "take", "quit", "remark", "block", "unblock", "relay", "gate", "report",
    "dismiss",
];

pub fn knows(verb: &str) -> bool {
    VERBS.contains(&verb)
}

pub fn run(world: &mut World, verb: &str, words: &[&str]) -> Result<Vec<String>, String> {
    let command = match (verb, words) {
        ("profile", [user, request, texts @ ..]) => {
            let (user, request, change) = (world.user(user)?, id(request)?, profile(texts)?);
            Command::from(ChangeProfile { user, request, change })
        }
        ("report", [user, request, about, place, seq, reason, excerpt @ ..]) => Command::from(FileReport {
            report: Report {
                by: world.user(user)?,
                about: world.user(about)?,
                conversation: world.conversation(place)?,
                seq: Seq(number(seq)?),
                excerpt: excerpt.first().map(|text| (*text).to_owned()).unwrap_or_default(),
                reason: (*reason).to_owned(),
                created: Timestamp(0),
                request: id(request)?,
            },
        }),
        ("dismiss", [by, request, report, note @ ..]) => Command::from(CloseReport {
            number: number(report)?,
            request: id(request)?,
            by: accounts::author(world, by)?,
            note: note.first().map(|text| (*text).to_owned()).unwrap_or_default(),
        }),
        ("relay", [user, other, late @ ..]) => return relay(world, user, other, late == ["late"]),
        ("gate", [user, other, version, state]) => {
            let (user, other) = (world.user(user)?, world.user(other)?);
            let conversation = ConversationId::direct(user, other).ok_or("one user")?;
            let (version, closed) = (number(version)?, *state == "closed");
            Command::SetGate(SetGate { conversation, user, version, closed })
        }
        (_, [user, request, other, text @ ..]) => {
            let text = || text.first().map(|text| (*text).to_owned()).unwrap_or_default();
            let act = match verb {
                "ask" => ContactAct::Ask { text: text() },
                "take" => ContactAct::Accept,
                "quit" => ContactAct::End,
                "remark" => ContactAct::Remark { text: text() },
                "block" => ContactAct::Block,
                "unblock" => ContactAct::Unblock,
                _ => return Err("no such words".to_owned()),
            };
            let (user, other, request) = (world.user(user)?, world.user(other)?, id(request)?);
            Command::from(ChangeContact { user, other, request, act })
        }
        ("seen", [user, at]) => Command::NoteSeen(NoteSeen { user: world.user(user)?, at: Timestamp(number(at)?) }),
        ("shows", [user, to]) => {
            let to = Viewers::ALL.into_iter().find(|known| known.name() == *to).ok_or("no such audience")?;
            Command::ShowPresence(ShowPresence { user: world.user(user)?, to })
        }
        _ => return Err("no such words".to_owned()),
    };
    Ok(world.apply(&command, None))
}

/// As the outbox relay does it.
fn relay(world: &mut World, user: &str, other: &str, late: bool) -> Result<Vec<String>, String> {
    let (user, other) = (world.user(user)?, world.user(other)?);
    let owed = world.state.get::<OwedContact>(&(user, other)).unwrap_or_default();
    let row = world.state.get::<Contact>(&(user, other)).unwrap_or_default();
    let mut answers = Vec::new();
    let mut settled = SettledContact { user, other, contact: 0, gate: 0 };
    if owed.gate > 0 {
        let conversation = ConversationId::direct(user, other).ok_or("one user")?;
        let closed = world.state.get::<Block>(&(user, other)).is_some();
        settled.gate = row.version;
        answers
            .extend(world.apply(&Command::SetGate(SetGate { conversation, user, version: row.version, closed }), None));
    }
    if owed.contact > 0 || late {
        let (said, wants, ended, text) = (row.said, row.wants, row.ended, row.text);
        settled.contact = said;
        answers.extend(world.apply(&HearContact { user: other, by: user, said, wants, ended, text }.into(), None));
    }
    if !late {
        let settle = SettleContacts { slot: user.slot(), rows: vec![settled] };
        answers.extend(world.apply(&Command::SettleContacts(settle), None));
    }
    Ok(answers)
}

fn profile(words: &[&str]) -> Result<ProfileChange, String> {
    let mut change = ProfileChange::default();
    for pair in words.chunks(2) {
        let [what, text] = pair else { return Err("expected a text".to_owned()) };
        let text = Some((*text).to_owned());
        match *what {
            "name" => change.display_name = text,
            "avatar" => change.avatar = text,
            "about" => change.about = text,
            "language" => change.language = text,
            "from" => {
                change.messages_from = Audience::ALL.into_iter().find(|from| text.as_deref() == Some(from.name()))
            }
            _ => return Err(format!("a profile has no '{what}'")),
        }
    }
    Ok(change)
}

/// `None`: it is nothing about people.
pub fn shown(world: &World, words: &[&str]) -> Option<Result<Vec<String>, String>> {
    if words == ["reports"] {
        return Some(Ok(reports(world)));
    }
    if let ["seen", user] = words {
        return Some(world.user(user).map(|user| {
            let seen = world.state.get::<Seen>(&user).unwrap_or_default();
            vec![format!("at {}, shown to {}", seen.at, seen.shown_to.name())]
        }));
    }
    let [what @ ("profile" | "contacts" | "owed"), user] = words else { return None };
    Some(world.user(user).map(|user| match *what {
        "profile" => vec![described(&world.state.get::<Profile>(&user).unwrap_or_default())],
        "owed" => {
            let rows = world.state.page::<OwedContact>(&user, None, usize::MAX);
            let row = |((_, other), owed): &((UserId, UserId), OwedContact)| {
                format!("{}: contact {}, gate {}", show::name(world, *other), owed.contact, owed.gate)
            };
            rows.iter().map(row).collect()
        }
        _ => {
            let ContactBook { version, mutual, sent, received, blocks } = world.state.get(&user).unwrap_or_default();
            let book = format!("version {version}: {mutual} mutual, {sent} sent, {received} received, {blocks} blocks");
            let rows = world.state.page::<Contact>(&user, None, usize::MAX);
            let row = |((_, other), row): &((UserId, UserId), Contact)| {
                contact(world, *other, row, world.state.get::<Block>(&(user, *other)).is_some())
            };
            std::iter::once(book).chain(rows.iter().map(row)).collect()
        }
    }))
}

fn reports(world: &World) -> Vec<String> {
    let slot = Report::slot();
    let ReportBook { last, open } = world.state.get(&slot).unwrap_or_default();
    let row = |((_, number), row): &((Slot, u64), Report)| {
        let (by, about) = (show::name(world, row.by), show::name(world, row.about));
        let place = show::conversation(world, row.conversation);
        format!(
            "{number} by {by} about {about} at {}: {place} {} {:?} {:?}",
            row.created, row.seq, row.reason, row.excerpt
        )
    };
    let rows = world.state.page::<Report>(&slot, None, usize::MAX);
    std::iter::once(format!("{open} open, the last is {last}")).chain(rows.iter().map(row)).collect()
}

pub fn described(profile: &Profile) -> String {
    let Profile { display_name, avatar, about, language, version, .. } = profile;
    let from = match profile.messages_from {
        Audience::Everyone => "",
        Audience::Contacts => ", messages from contacts",
    };
    format!("version {version}: {display_name:?}, {avatar:?}, {about:?}, {language:?}{from}")
}

pub fn contact(world: &World, other: UserId, row: &Contact, blocked: bool) -> String {
    let state = match row.shown(blocked) {
        Relation::None => "none",
        Relation::Requested => "requested",
        Relation::Received => "received",
        Relation::Mutual => "mutual",
    };
    let mut said = format!("{} {state} since {}, version {}", show::name(world, other), row.since, row.version);
    for (word, text) in [("text", &row.text), ("remark", &row.remark)] {
        if !text.is_empty() {
            said = format!("{said}, {word} {text:?}");
        }
    }
    if blocked { format!("{said}, blocked") } else { said }
}

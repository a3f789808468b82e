//! The meaning of a typed line: CIM's commands, its `name;;text`, and a few commands for groups.

use std::time::Duration;

use troupe_core::Seq;
use troupe_core::content::Poll;
use troupe_core::event::Role;

use super::editor::Entered;

mod messages;

pub(super) use messages::Act as OnMessage;

/// Longest delay of `:delay`, a year.
const DELAY_SECONDS: u64 = 365 * 24 * 60 * 60;
/// Longest mute of `:mute`, a year.
const MUTE_MINUTES: u64 = 366 * 24 * 60;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    Nothing,
    /// To the current conversation.
    Say(String),
    /// To one user.
    Whisper {
        to: String,
        text: String,
    },
    Help,
    OnlineUsers,
    Quit,
    Search(String),
    /// In the cluster.
    Find(String),
    Prefix(String),
    Info,
    Emoji(usize),
    Delay(Duration, String),
    Scheduled,
    /// A scheduled message by the beginning of its id.
    Cancel(String),
    Bot(bool),
    Groups,
    New {
        name: String,
        /// Anyone may join.
        open: bool,
        members: Vec<String>,
    },
    Join(String),
    Decline(String),
    Invite(Vec<String>),
    Leave,
    To(String),
    History(usize),
    /// The message with this number.
    About {
        to: Seq,
        act: OnMessage,
    },
    Poll(Poll),
    Who,
    /// An invite link of the current group with so many uses.
    Link(u32),
    /// A moderator's act in the current group.
    Moderate(Act),
    /// Not understood. The text is the correct syntax.
    Usage(&'static str),
}

/// An act of a moderator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// For minutes; zero lifts the mute.
    Mute {
        name: String,
        minutes: u64,
    },
    Ban {
        name: String,
        lift: bool,
    },
    Rename(String),
    Role {
        name: String,
        role: Role,
    },
    /// Empty: none.
    Notice(String),
    /// Seconds between two messages of a member.
    Slow(u64),
}

/// Each command, and its meaning.
pub const HELP: &[(&str, &str)] = &[
    ("text", "say it in the current conversation; // or :: begins a text with one such sign"),
    ("name;;text", "say it to one user (name or id)"),
    (":to <name|#group|id>", "make this the current conversation; 'everyone' to go back"),
    (":groups", "list your conversations"),
    (":new <name> [members..]", "create a group / :open <name> [members..] creates one that anyone may join"),
    (":join <id>", "join an open group, or one that you are invited to; with a link in place of the id, by it"),
    (":link [uses]", "make an invite link of the current group"),
    (":decline <id>", "refuse an invitation"),
    (":invite <name>..", "add users to the current group"),
    (":leave", "leave the current group"),
    (":who", "members of the current conversation, with their roles"),
    (":history [n]", "the last messages of the current conversation, with their numbers"),
    (":reply <number> <text>", "answer a message, by its number"),
    (":edit <number> <text>", "give your message another text / :recall <number> takes it back"),
    (":react <number> <emoji>", "react to a message / :unreact takes it back"),
    (":readers <number>", "members that have read a message"),
    (":pin <number>", "pin a message for all members / :unpin <number>"),
    (":poll <question> | <option> | <option>", "ask the members of the current conversation"),
    (":vote <number> <option>..", "vote, with the options counted from 1 / :unvote <number>, :close <number>"),
    (":rename <name>", "give the current group another name"),
    (":role <name> <role>", "make a member of the current group owner, admin or member"),
    (":mute <name> <minutes>", "let a member of the current group not speak / :unmute <name>"),
    (":ban <name>", "remove a user and keep it out / :unban <name>"),
    (":notice [text]", "set the notice of the current group, or none"),
    (":slow <seconds>", "time between two messages of a member, 0 for none"),
    (":olu", "users who are online"),
    (":pu <prefix>", "users whose name begins so"),
    (":q <word>", "search the messages seen on this device"),
    (":search <words>", "search all messages of your conversations, in the cluster"),
    (":delay <seconds> <text>", "say it later; the cluster keeps it until then"),
    (":scheduled", "your messages that wait in the current conversation / :cancel <id>"),
    (":emoji [page]", "a table of emoji"),
    (":ai / :qai", "let the echo bot answer private messages / stop it"),
    (":info", "this client, its server and state"),
    (":all", "this list"),
    (":q!", "quit"),
];

/// Parses an entered line. Only typed text is a command or an address; pasted text is message text.
pub(super) fn parse_entered(entered: &Entered) -> Line {
    let typed = &entered.text[..entered.typed];
    let is_command = command(typed.trim_start()).is_some();
    let is_address = typed.contains(";;");
    if entered.typed == entered.text.len() {
        parse(&entered.text)
    } else if is_command && entered.text.trim().contains('\n') {
        Line::Usage("a command is one line: nothing is done")
    } else if is_command || is_address {
        parse(&entered.text)
    } else {
        match entered.text.trim() {
            "" => Line::Nothing,
            text => Line::Say(text.to_owned()),
        }
    }
}

pub(super) fn parse(line: &str) -> Line {
    let line = line.trim();
    if line.is_empty() {
        return Line::Nothing;
    }
    if line.starts_with("//") || line.starts_with("::") {
        return Line::Say(line[1..].to_owned());
    }
    let Some(command) = command(line) else {
        return match line.split_once(";;") {
            Some((to, text)) if is_address(to.trim()) => match text.trim() {
                "" => Line::Usage("name;;text"),
                text => Line::Whisper { to: to.trim().to_owned(), text: text.to_owned() },
            },
            _ => Line::Say(line.to_owned()),
        };
    };
    let (verb, rest) = command.split_once(char::is_whitespace).unwrap_or((&command, ""));
    let rest = rest.trim();
    let words = || rest.split_whitespace().map(str::to_owned);
    match (verb, rest) {
        (":q!", _) => Line::Quit,
        (":all" | ":help", _) => Line::Help,
        (":olu", _) => Line::OnlineUsers,
        (":info", _) => Line::Info,
        (":ai", _) => Line::Bot(true),
        (":qai", _) => Line::Bot(false),
        (":groups", _) => Line::Groups,
        (":leave", _) => Line::Leave,
        (":who", _) => Line::Who,
        (":q", "") => Line::Usage(":q <word> searches, :q! quits"),
        (":q", word) => Line::Search(word.to_owned()),
        (":search", "") => Line::Usage(":search <words>"),
        (":search", words) => Line::Find(words.to_owned()),
        (":pu" | ":qu", prefix) if !prefix.is_empty() => Line::Prefix(prefix.to_owned()),
        (":pu" | ":qu", _) => Line::Usage(":pu <prefix>"),
        (":emoji", "") => Line::Emoji(1),
        (":emoji", page) => page.parse().map_or(Line::Usage(":emoji [page]"), Line::Emoji),
        (":delay", rest) => delay(rest).unwrap_or(Line::Usage(":delay <seconds, at most a year> <text>")),
        (":scheduled", _) => Line::Scheduled,
        (":cancel", id) if id.len() >= 4 => Line::Cancel(id.to_owned()),
        (":cancel", _) => Line::Usage(":cancel <at least four digits of the id that :scheduled shows>"),
        (":new" | ":open", "") => Line::Usage(":new <name> [members..], :open <name> [members..]"),
        (":new" | ":open", _) => {
            let mut words = words();
            let name = words.next().unwrap_or_default();
            Line::New { name, open: verb == ":open", members: words.collect() }
        }
        (":join", "") => Line::Usage(":join <id>"),
        (":join", id) => Line::Join(id.to_owned()),
        (":decline", "") => Line::Usage(":decline <id>"),
        (":decline", id) => Line::Decline(id.to_owned()),
        (":invite", "") => Line::Usage(":invite <name>.."),
        (":invite", _) => Line::Invite(words().collect()),
        (":to", "") => Line::Usage(":to <name|#group|id>"),
        (":to", to) => Line::To(to.to_owned()),
        (":link", "") => Line::Link(1),
        (":link", uses) => uses.parse().map_or(Line::Usage(":link [uses]"), Line::Link),
        (":mute" | ":unmute" | ":ban" | ":unban" | ":notice" | ":slow" | ":rename" | ":role", rest) => {
            const USAGE: &str = ":mute <name> <minutes>, :ban <name>, :slow <seconds>, :rename <name>, \
                :role <name> owner|admin|member";
            moderate(verb, rest).map_or(Line::Usage(USAGE), Line::Moderate)
        }
        (":history", "") => Line::History(20),
        (":history", count) => match count.parse() {
            Ok(count @ 1..=500) => Line::History(count),
            _ => Line::Usage(":history [1 to 500]"),
        },
        _ => messages::parse(verb, rest).unwrap_or(Line::Usage("no such command; :all lists them")),
    }
}

/// A command begins with a colon or a slash and a letter. Anything else, such as `:-)`, is text.
/// The colon stands for both signs from here on.
fn command(line: &str) -> Option<String> {
    let rest = line.strip_prefix([':', '/'])?;
    rest.starts_with(|c: char| c.is_ascii_alphabetic()).then(|| format!(":{rest}"))
}

/// Whether `;;` behind it addresses a user. `for(;;)` is text.
fn is_address(to: &str) -> bool {
    !to.is_empty() && to.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

fn delay(rest: &str) -> Option<Line> {
    let (seconds, text) = rest.split_once(char::is_whitespace)?;
    let seconds = seconds.parse().ok().filter(|seconds| (1..=DELAY_SECONDS).contains(seconds))?;
    Some(Line::Delay(Duration::from_secs(seconds), text.trim().to_owned()))
}

fn moderate(verb: &str, rest: &str) -> Option<Act> {
    let words: Vec<&str> = rest.split_whitespace().collect();
    match (verb, words.as_slice()) {
        (":mute", [name, minutes]) => {
            let minutes = minutes.parse().ok().filter(|minutes| (1..=MUTE_MINUTES).contains(minutes))?;
            Some(Act::Mute { name: (*name).to_owned(), minutes })
        }
        (":unmute", [name]) => Some(Act::Mute { name: (*name).to_owned(), minutes: 0 }),
        (":ban" | ":unban", [name]) => Some(Act::Ban { name: (*name).to_owned(), lift: verb == ":unban" }),
        (":rename", [_, ..]) => Some(Act::Rename(rest.to_owned())),
        (":role", [name, role]) => {
            let roles = [Role::Owner, Role::Admin, Role::Member];
            let role = roles.into_iter().find(|known| known.name() == *role)?;
            Some(Act::Role { name: (*name).to_owned(), role })
        }
        (":notice", _) => Some(Act::Notice(rest.to_owned())),
        (":slow", [seconds]) => seconds.parse().ok().map(Act::Slow),
        _ => None,
    }
}

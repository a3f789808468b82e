//! CIM: its accounts, and the messages that wait for users who are away.
//!
//! Accounts are strings in Redis (`cim-account:<id>`). Waiting messages are strings in Redis
//! (`offline:msg:<id>`), or rows of `offline_msg` in MySQL; CIM keeps no other message. So the
//! files are a dump of Redis (RDB), and a dump of MySQL (`mysqldump`) where messages are there.

mod rdb;
mod sql;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde::Deserialize;
use troupe_core::limits;

use super::{Log, account, write_accounts};
use crate::bundle::Writer;
use crate::input;
use crate::line::{Content, Conversation};
use crate::names::Names;
use crate::report::Report;
use crate::{Error, NO_PASSWORD, Result};

/// Waiting messages that are held to be put in order. Above it: an error.
const MESSAGES: usize = 1_000_000;
/// Ids of messages begin with the time since this one, in milliseconds.
const EPOCH_MS: u64 = 1_622_505_600_000;
const TIME_SHIFT: u32 = 22;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Message {
    from: u64,
    to: u64,
    text: String,
    delivered: bool,
}

#[derive(Default)]
struct Found {
    /// Names by id.
    users: BTreeMap<u64, String>,
    /// By the two users, the lower id first, and by id of the message.
    messages: BTreeMap<(u64, u64), BTreeMap<u64, Message>>,
    count: usize,
    /// The last message that was handed to a user.
    handed: BTreeMap<u64, u64>,
}

/// The JSON of a waiting message in Redis.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Waiting {
    message_id: u64,
    receive_user_id: u64,
    content: String,
    #[serde(default)]
    status: Option<i64>,
    #[serde(default)]
    properties: Option<BTreeMap<String, Option<String>>>,
}

pub fn convert(inputs: &[&Path], writer: &mut Writer, report: &mut Report) -> Result<()> {
    if inputs.is_empty() {
        return Err(Error::invalid("cim", "give a dump of Redis (dump.rdb), a dump of MySQL, or both"));
    }
    let mut found = Found::default();
    for path in inputs {
        let shown = path.display().to_string();
        let mut file = BufReader::new(input::open(path)?);
        let begin = file.fill_buf().map_err(Error::io(&shown))?;
        if begin.starts_with(rdb::MAGIC) {
            rdb::strings(file, &shown, |key, value| found.string(key, value, report))?;
        } else {
            sql::rows(file, &shown, |table, row| found.row(table, row, report))?;
        }
        if found.count > MESSAGES {
            return Err(Error::invalid(shown, format!("there are more than {MESSAGES} waiting messages")));
        }
    }
    found.write(writer, report)
}

impl Found {
    fn string(&mut self, key: &[u8], value: Option<&[u8]>, report: &mut Report) {
        let name = String::from_utf8_lossy(key);
        let text = value.and_then(|value| std::str::from_utf8(value).ok());
        let number = |prefix: &str| name.strip_prefix(prefix).map(|id| id.parse::<u64>().ok());
        if let Some(id) = number("cim-account:") {
            match (id, text) {
                (Some(id), Some(text)) => drop(self.users.insert(id, text.to_owned())),
                _ => report.drop("accounts that cannot be read", &name),
            }
        } else if name.starts_with("offline:msg:user:") {
            // Their messages say the same.
        } else if number("offline:msg:").is_some() {
            match text.and_then(waiting) {
                Some(waiting) => self.waiting(waiting, report),
                None => report.drop("waiting messages that cannot be read", &name),
            }
        } else if name.starts_with("cim-route:") || name == "login-status" {
            report.drop("states of connections", &name);
        } else if text.is_some_and(|text| text.starts_with("cim-account:")) {
            // The way back from a name to its id.
        } else {
            report.drop("keys that are not of CIM", &name);
        }
    }

    fn waiting(&mut self, waiting: Waiting, report: &mut Report) {
        let properties = waiting.properties.unwrap_or_default();
        let property = |name: &str| properties.get(name).cloned().flatten();
        let sender = property("sendUserId").and_then(|id| id.parse().ok());
        let (to, delivered) = (waiting.receive_user_id, waiting.status == Some(1));
        self.message(waiting.message_id, sender, property("sendUserName"), to, waiting.content, delivered, report);
    }

    #[expect(clippy::too_many_arguments, reason = "the columns of a row")]
    fn message(
        &mut self,
        id: u64,
        from: Option<u64>,
        name: Option<String>,
        to: u64,
        text: String,
        delivered: bool,
        report: &mut Report,
    ) {
        let shown = format!("message {id} to {to}");
        let Some(from) = from.filter(|from| *from != to) else {
            return report.drop("waiting messages without another user as their sender", &shown);
        };
        if text.is_empty() || text.len() > limits::MESSAGE_BYTES {
            return report.drop("waiting messages that are empty or too large", &shown);
        }
        if let Some(name) = name {
            self.users.entry(from).or_insert(name);
        }
        let message = Message { from, to, text, delivered };
        let before = self.messages.entry((from.min(to), from.max(to))).or_default().insert(id, message);
        self.count += usize::from(before.is_none());
    }

    fn row(&mut self, table: &str, row: &BTreeMap<String, sql::Value>, report: &mut Report) {
        let number = |name: &str| row.get(name).and_then(sql::Value::number);
        let text = |name: &str| row.get(name).and_then(sql::Value::text);
        match table {
            "offline_msg" => {
                let (Some(id), Some(to), Some(content)) =
                    (number("message_id"), number("receive_user_id"), text("content"))
                else {
                    return report.drop("rows of waiting messages that cannot be read", table);
                };
                let properties = text("properties").unwrap_or("{}");
                let Ok(properties) = serde_json::from_str::<BTreeMap<String, Option<String>>>(properties) else {
                    return report.drop("rows of waiting messages that cannot be read", &id.to_string());
                };
                let property = |name: &str| properties.get(name).cloned().flatten();
                let sender = property("sendUserId").and_then(|id| id.parse().ok());
                let delivered = number("status") == Some(1);
                self.message(id, sender, property("sendUserName"), to, content.to_owned(), delivered, report);
            }
            "offline_msg_last_send_record" => {
                if let (Some(user), Some(last)) = (number("receive_user_id"), number("last_message_id")) {
                    let held = self.handed.entry(user).or_default();
                    *held = last.max(*held);
                }
            }
            other => report.drop("rows of tables that are not of CIM", other),
        }
    }

    fn write(mut self, writer: &mut Writer, report: &mut Report) -> Result<()> {
        for (low, high) in self.messages.keys() {
            for user in [low, high] {
                if !self.users.contains_key(user) {
                    report.change("users whose name no file has", &user.to_string());
                    self.users.insert(*user, format!("cim-{user}"));
                }
            }
        }
        let mut names = Names::default();
        let accounts = self.users.iter().map(|(id, name)| {
            let name = names.take(&id.to_string(), name, report);
            // An id is the time of its registration, unless somebody made it up.
            let created = if (1_400_000_000_000..EPOCH_MS * 2).contains(id) { *id } else { 0 };
            let mut account = account(&name, created);
            account.password_hash = NO_PASSWORD.to_owned();
            account
        });
        let accounts = accounts.collect();
        write_accounts(writer, accounts)?;
        for ((low, high), messages) in self.messages {
            let name = |id: u64| names.get(&id.to_string()).cloned().unwrap_or_default();
            let (a, b) = (name(low), name(high));
            let direct = Conversation::Direct(a.clone().min(b.clone()), a.max(b));
            let mut log = Log::begin(writer, direct, &format!("cim {low} {high}"))?;
            let mut delivered: BTreeMap<String, (u64, u64)> = BTreeMap::new();
            for (id, message) in messages {
                let at = EPOCH_MS.saturating_add(id >> TIME_SHIFT);
                let what = Content::Text(message.text);
                let seq = log.message(&name(message.from), at, &id.to_string(), what)?;
                let handed = self.handed.get(&message.to).is_some_and(|last| id <= *last);
                if message.delivered || handed {
                    delivered.insert(name(message.to), (seq, 0));
                }
            }
            log.end(delivered)?;
        }
        Ok(())
    }
}

/// JSON, or JSON within a string of JSON: CIM's serializer writes the second.
fn waiting(text: &str) -> Option<Waiting> {
    if text.starts_with('"') {
        let inner: String = serde_json::from_str(text).ok()?;
        return serde_json::from_str(&inner).ok();
    }
    serde_json::from_str(text).ok()
}

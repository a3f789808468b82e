//! The data file of Tinode's `tinode-db` (`data.json`): users, group topics, subscriptions.
//!
//! The texts of the file belong to no conversation: `tinode-db` deals them out at random. So they
//! are dropped, and with them topics of two users, which here begin with a message. Times in the
//! file are relative; they count from the time at which the file was changed last.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::UNIX_EPOCH;

use serde::Deserialize;

use super::{Log, account, title, write_accounts};
use crate::bundle::Writer;
use crate::input;
use crate::line::{Content, Conversation, RoleWord, Status};
use crate::names::Names;
use crate::report::Report;
use crate::{Error, Result, hex, id_of};

/// Bytes of a data file.
const FILE_BYTES: u64 = 64 * 1024 * 1024;

/// Keys that `tinode-db` reads and this conversion does not use are read too, so that what is in
/// them is reported.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Data {
    users: Vec<User>,
    grouptopics: Vec<Topic>,
    groupsubs: Vec<Subscription>,
    p2psubs: Vec<serde::de::IgnoredAny>,
    messages: Vec<serde::de::IgnoredAny>,
    forms: Vec<serde::de::IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct User {
    created_at: String,
    username: String,
    auth_level: String,
    state: String,
    passhash: String,
    email: String,
    tel: String,
    public: Card,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Card {
    #[serde(rename = "fn")]
    full_name: String,
    photo: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Topic {
    created_at: String,
    name: String,
    owner: String,
    channel: bool,
    public: Card,
    access: Access,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Access {
    auth: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Subscription {
    created_at: String,
    topic: String,
    user: String,
    as_chan: bool,
    want: String,
    have: String,
}

pub fn convert(inputs: &[&Path], writer: &mut Writer, report: &mut Report) -> Result<()> {
    let [path] = inputs else {
        return Err(Error::invalid("tinode", "give one file: the data.json of tinode-db"));
    };
    let shown = path.display().to_string();
    let changed = input::open(path)?.metadata().and_then(|found| found.modified()).map_err(Error::io(&shown))?;
    let as_of = changed.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
    let text = input::read(path, FILE_BYTES)?;
    let data: Data = serde_json::from_slice(&text).map_err(|error| Error::invalid(&shown, error.to_string()))?;
    convert_data(data, as_of, &shown, writer, report)
}

fn convert_data(data: Data, as_of: u64, place: &str, writer: &mut Writer, report: &mut Report) -> Result<()> {
    let time = |delta: &str, of: &str| {
        let delta = duration_ms(delta).ok_or_else(|| Error::invalid(place, format!("{of}: no duration {delta:?}")))?;
        Ok::<u64, Error>(as_of.saturating_add_signed(delta).min(as_of))
    };
    let mut names = Names::default();
    let mut accounts = Vec::new();
    for user in &data.users {
        if user.username.is_empty() || names.get(&user.username).is_some() {
            report.drop("users without a name of their own", &user.username);
            continue;
        }
        let name = names.take(&user.username, &user.username, report);
        let mut account = account(&name, time(&user.created_at, &user.username)?);
        account.status = match user.state.to_lowercase().as_str() {
            "" | "ok" => Status::Active,
            "susp" => Status::Disabled,
            "del" => Status::Deleted,
            other => return Err(Error::invalid(place, format!("{}: no state {other:?}", user.username))),
        };
        if user.auth_level == "root" {
            report.change("root users, who are no administrators here: troupe user make-admin", &name);
        }
        let has = [
            (!user.passhash.is_empty(), "passwords, which stand in the file in plain text"),
            (!user.email.is_empty() || !user.tel.is_empty(), "email addresses and telephone numbers"),
            (!user.public.full_name.is_empty(), "full names"),
            (!user.public.photo.is_empty(), "photos"),
        ];
        has.iter().filter(|(has, _)| *has).for_each(|(_, why)| report.drop(why, &name));
        accounts.push(account);
    }
    write_accounts(writer, accounts)?;
    let mut by_topic: BTreeMap<&str, Vec<&Subscription>> = BTreeMap::new();
    for subscription in &data.groupsubs {
        by_topic.entry(&subscription.topic).or_default().push(subscription);
    }
    let mut seen = BTreeSet::new();
    for topic in &data.grouptopics {
        if !seen.insert(&topic.name) {
            return Err(Error::invalid(place, format!("two topics are called {:?}", topic.name)));
        }
        let Some(owner) = names.get(&topic.owner) else {
            report.drop("groups without an owner", &topic.name);
            continue;
        };
        let subscriptions = by_topic.remove(topic.name.as_str()).unwrap_or_default();
        group(topic, owner, &subscriptions, &names, &time, writer, report)?;
    }
    for (topic, subscriptions) in by_topic {
        subscriptions.iter().for_each(|_| report.drop("subscriptions to groups that are not in the file", topic));
    }
    data.p2psubs.iter().for_each(|_| report.drop("topics of two users, which begin with a message here", "p2psubs"));
    data.messages.iter().for_each(|_| report.drop("texts that belong to no conversation", "messages"));
    data.forms.iter().for_each(|_| report.drop("forms that belong to no conversation", "forms"));
    Ok(())
}

fn group(
    topic: &Topic,
    owner: &str,
    subscriptions: &[&Subscription],
    names: &Names,
    time: &impl Fn(&str, &str) -> Result<u64>,
    writer: &mut Writer,
    report: &mut Report,
) -> Result<()> {
    // Without a word about access, the users of a group topic join by its id.
    let open = topic.access.auth.is_empty() || topic.access.auth.contains('J');
    let key = hex(&id_of(&[b"tinode", topic.name.as_bytes()]));
    let created = time(&topic.created_at, &topic.name)?;
    let mut log = Log::begin(writer, Conversation::Group { key, open }, &format!("tinode {}", topic.name))?;
    log.create(owner, &title(&topic.public.full_name, &topic.name), created)?;
    if topic.channel {
        report.change("channels, which are groups here", &topic.name);
    }
    if !topic.public.photo.is_empty() {
        report.drop("photos", &topic.name);
    }
    let mut timed = Vec::new();
    for subscription in subscriptions {
        timed.push((time(&subscription.created_at, &subscription.user)?, *subscription));
    }
    timed.sort_by_key(|(at, _)| *at);
    for (at, subscription) in timed {
        let whose = format!("{} in {}", subscription.user, topic.name);
        let Some(name) = names.get(&subscription.user) else {
            report.drop("subscriptions of users that are not in the file", &whose);
            continue;
        };
        let grants = |mode: &str, right: char| mode.is_empty() || mode.contains(right);
        if !(grants(&subscription.want, 'J') && grants(&subscription.have, 'J')) {
            report.drop("subscriptions of users that do not want to be in, or may not", &whose);
            continue;
        }
        if subscription.as_chan {
            report.change("readers of a channel, who may write here", &whose);
        }
        log.add(name, at, report)?;
        let holds = |right: char| subscription.want.contains(right) && subscription.have.contains(right);
        let role = match (holds('O'), holds('A')) {
            (true, _) => RoleWord::Owner,
            (false, true) => RoleWord::Admin,
            (false, false) => continue,
        };
        if log.is_member(name) && name != owner {
            log.made_up(owner, at, Content::Role { user: name.clone(), role })?;
        }
    }
    log.end(BTreeMap::new())
}

/// A duration as Go writes it, in milliseconds: `-140h`, `-115.5h`, `1h30m`. Empty: none.
fn duration_ms(text: &str) -> Option<i64> {
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest.is_empty() {
        return (text.is_empty()).then_some(0);
    }
    if rest == "0" {
        return Some(0);
    }
    let mut sum = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let number: f64 = rest.get(..digits)?.parse().ok()?;
        rest = rest.get(digits..)?;
        let units = [("ns", 1e-6), ("us", 1e-3), ("µs", 1e-3), ("ms", 1.0), ("s", 1e3), ("m", 6e4), ("h", 3.6e6)];
        let (unit, ms) = units.into_iter().find(|(unit, _)| rest.starts_with(unit))?;
        rest = rest.get(unit.len()..)?;
        sum += number * ms;
    }
    // 292 years, as in Go.
    (sum < 9.3e12).then_some((sign * sum) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_go() {
        let hour = 3_600_000;
        for (text, ms) in [
            ("-140h", -140 * hour),
            ("-115.5h", -115 * hour - hour / 2),
            ("1h30m", hour + hour / 2),
            ("1.5s", 1_500),
            ("2ms", 2),
            ("", 0),
            ("0", 0),
        ] {
            assert_eq!(duration_ms(text), Some(ms), "{text}");
        }
        for text in ["h", "-", "5", "1d", "1h-", "..h", "1e9h", "999999999999h", "é", "1é"] {
            assert_eq!(duration_ms(text), None, "{text}");
        }
    }
}

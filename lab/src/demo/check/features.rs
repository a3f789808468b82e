//! A walk through the features by the HTTP API: a PASS line for each.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use troupe_chaos::local::LocalCluster;

use super::super::make_admin;
use super::api::Script;
use super::pass;

const LIKE: &str = "%F0%9F%91%8D";
const CODE: &str = "come-along-7000";

/// erin and frank play it at two nodes.
pub async fn walk(cluster: &LocalCluster) -> Result<()> {
    let erin = Script::register(cluster, "erin", 0).await?;
    let frank = Script::register(cluster, "frank", 1).await?;
    pass("register: two accounts, each at a node of its own");
    let group = group(&erin, &frank).await?;
    messages(&erin, &frank, &group).await?;
    polls_and_pins(&erin, &frank, &group).await?;
    times(&erin, &frank, &group).await?;
    files_and_search(&erin, &frank, &group).await?;
    people(cluster, &erin, &frank).await
}

/// Returns the path of the group.
async fn group(erin: &Script, frank: &Script) -> Result<String> {
    let made = erin.post("/v1/groups", json!({ "name": "Climbers", "members": [] })).await?;
    let group = made["conversation"].as_str().context("no conversation")?.to_owned();
    let path = format!("/v1/conversations/{group}");
    erin.patch(&path, json!({ "notice": "Bring a rope" })).await?;
    let shown = erin.get(&format!("{path}/settings")).await?;
    ensure!(shown["notice"] == "Bring a rope", "the settings are {shown}");
    pass("group: made, with a notice");
    let link = erin.post(&format!("{path}/invites"), json!({ "code": CODE, "uses": 1 })).await?;
    ensure!(link["text"] == json!(format!("{group}.{CODE}")), "the link is {link}");
    let code = json!({ "code": CODE });
    let seen = frank.post(&format!("{path}/invites/preview"), code.clone()).await?;
    ensure!(seen["name"] == "Climbers", "the preview is {seen}");
    pass("invite: a link for one user, and its preview");
    frank.post(&format!("{path}/invites/join"), code).await?;
    let members = erin.get(&format!("{path}/members")).await?;
    ensure!(members["members"].as_array().map(Vec::len) == Some(2), "the members are {members}");
    pass("join: by the link");
    Ok(path)
}

async fn messages(erin: &Script, frank: &Script, path: &str) -> Result<()> {
    let messages = format!("{path}/messages");
    let first = send(erin, &messages, json!({ "text": "who comes along?" })).await?;
    frank.put(&format!("{messages}/{first}/reactions/{LIKE}"), None).await?;
    let shown = message(erin, &messages, first).await?;
    ensure!(shown["reactions"] == json!([{ "emoji": "👍", "users": 1, "mine": false }]), "it is {shown}");
    pass("reaction: given, and counted");
    let reply = json!({ "text": "I do", "reply_to": first, "mentions": [erin.user] });
    let second = send(frank, &messages, reply).await?;
    let shown = message(erin, &messages, second).await?;
    ensure!(shown["reply_to"] == json!(first), "it is {shown}");
    pass("reply: to a message, with a mention");
    frank.patch(&format!("{messages}/{second}"), json!({ "text": "I do, and Gina" })).await?;
    let shown = message(erin, &messages, second).await?;
    ensure!(shown["edited"]["body"]["text"] == "I do, and Gina", "it is {shown}");
    pass("edit: another text, with its history");
    frank.delete(&format!("{messages}/{second}")).await?;
    let shown = message(erin, &messages, second).await?;
    ensure!(shown["erased"] == true && !shown.to_string().contains("Gina"), "it is {shown}");
    pass("recall: the content is gone");
    Ok(())
}

async fn polls_and_pins(erin: &Script, frank: &Script, path: &str) -> Result<()> {
    let messages = format!("{path}/messages");
    let poll = json!({ "type": "poll", "question": "When?", "options": ["at six", "at eight"] });
    let seq = send(erin, &messages, json!({ "body": poll })).await?;
    for script in [erin, frank] {
        script.put(&format!("{messages}/{seq}/vote"), Some(json!({ "options": [1] }))).await?;
    }
    erin.post(&format!("{messages}/{seq}/close"), json!({})).await?;
    let shown = message(frank, &messages, seq).await?;
    ensure!(shown["poll"] == json!({ "counts": [0, 2], "voters": 2, "mine": [1], "closed": true }), "it is {shown}");
    pass("poll: two votes, and its end");
    erin.put(&format!("{path}/pins/{seq}"), None).await?;
    let pins = frank.get(&format!("{path}/pins")).await?;
    ensure!(pins["pins"][0]["seq"] == json!(seq), "the pins are {pins}");
    pass("pin: a message, for all members");
    let conversation = path.rsplit('/').next().context("a path")?;
    frank.put(&format!("/v1/favourites/{conversation}/{seq}"), None).await?;
    let saved = frank.get("/v1/favourites").await?;
    ensure!(saved["favourites"][0]["seq"] == json!(seq), "the saved messages are {saved}");
    pass("favourite: a message, for one user");
    Ok(())
}

async fn times(erin: &Script, frank: &Script, path: &str) -> Result<()> {
    let messages = format!("{path}/messages");
    let now = erin.post(&messages, json!({ "text": "now" })).await?;
    let at = now["time_ms"].as_u64().context("no time_ms")? + 1_500;
    erin.post(&messages, json!({ "text": "a second later", "deliver_at_ms": at })).await?;
    let kept = erin.get(&format!("{path}/scheduled")).await?;
    ensure!(kept["messages"][0]["deliver_at_ms"] == json!(at), "the scheduled messages are {kept}");
    let is_sent = |page: &Value| found(page, |event| event["body"]["text"] == "a second later").is_some();
    let page = frank.until(&messages, is_sent).await?;
    let time = found(&page, |event| event["body"]["text"] == "a second later").map(|event| event["time_ms"].clone());
    ensure!(time.as_ref().and_then(Value::as_u64) >= Some(at), "it was sent at {time:?}, before {at}");
    pass("scheduled: sent at its time, by the server");
    let seq = send(erin, &messages, json!({ "text": "read and forget", "expires_in_ms": 1_000 })).await?;
    let is_gone = |page: &Value| found(page, |event| event["seq"] == json!(seq) && event["erased"] == true).is_some();
    frank.until(&messages, is_gone).await?;
    pass("vanishing: gone after a second");
    Ok(())
}

async fn files_and_search(erin: &Script, frank: &Script, path: &str) -> Result<()> {
    let conversation = path.rsplit('/').next().context("a path")?;
    let bytes: Vec<u8> = (0..200_000_u32).map(|at| (at % 251) as u8).collect();
    let announced = json!({ "conversation": conversation, "name": "route.bin", "size": bytes.len() });
    let begun = erin.post("/v1/uploads", announced).await?;
    let upload = begun["upload"].as_str().context("no upload")?;
    erin.write(upload, &bytes).await?;
    let whole = erin.get(&format!("/v1/uploads/{upload}")).await?;
    let file = whole["file"].as_str().context("no file")?;
    pass("upload: 200,000 bytes, by tus");
    let read = frank.read(&format!("/v1/files/{file}?conversation={conversation}")).await?;
    ensure!(read == bytes, "{} bytes came back, or others", read.len());
    pass("download: the same bytes, at another node");
    let search = format!("/v1/search?q=comes&in={conversation}");
    frank.until(&search, |found| found["messages"][0]["snippet"] == "who comes along?").await?;
    pass("search: a word of a message");
    Ok(())
}

async fn people(cluster: &LocalCluster, erin: &Script, frank: &Script) -> Result<()> {
    let (to_frank, to_erin) = (format!("/v1/contacts/{}", frank.user), format!("/v1/contacts/{}", erin.user));
    erin.put(&to_frank, Some(json!({ "text": "from the climbers" }))).await?;
    frank.until(&to_erin, |contact| contact["state"] == "received").await?;
    frank.post(&format!("{to_erin}/accept"), json!({})).await?;
    erin.until(&to_frank, |contact| contact["state"] == "mutual").await?;
    pass("contact request: asked, and accepted");
    let (low, high) = ordered(&erin.user, &frank.user)?;
    let direct = format!("/v1/conversations/d{low}-{high}/messages");
    send(frank, &direct, json!({ "text": "hello" })).await?;
    erin.put(&format!("/v1/blocks/{}", frank.user), None).await?;
    let refused = frank.refused("POST", &direct, Some(json!({ "text": "are you there?" }))).await?;
    ensure!(refused == (403, "not_taken".to_owned()), "a blocked user is answered {refused:?}");
    pass("block: in force when it is answered");
    frank.post("/v1/reports", json!({ "user": erin.user, "reason": "she blocks me" })).await?;
    make_admin(cluster, "erin").await?;
    let open = erin.until("/v1/admin/reports", |list| list["reports"][0]["reason"] == "she blocks me").await?;
    let number = open["reports"][0]["number"].as_u64().context("no number")?;
    erin.post(&format!("/v1/admin/reports/{number}/close"), json!({ "note": "seen" })).await?;
    pass("report: filed, and closed by an administrator");
    Ok(())
}

fn ordered(one: &str, other: &str) -> Result<(u64, u64)> {
    let (one, other): (u64, u64) = (one.parse()?, other.parse()?);
    Ok((one.min(other), one.max(other)))
}

/// Returns the seq.
async fn send(script: &Script, messages: &str, message: Value) -> Result<u64> {
    script.post(messages, message).await?["seq"].as_u64().context("no seq")
}

/// The message at a seq, as the script sees it.
async fn message(script: &Script, messages: &str, seq: u64) -> Result<Value> {
    let page = script.get(&format!("{messages}?after={}&limit=1", seq.saturating_sub(1))).await?;
    Ok(page["messages"][0].clone())
}

fn found(page: &Value, is_it: impl Fn(&Value) -> bool) -> Option<&Value> {
    page["messages"].as_array().into_iter().flatten().find(|event| is_it(event))
}

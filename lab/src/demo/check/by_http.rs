//! The part of the story that a script plays: an account, a message and its history, at
//! `nodes[].http`.

use anyhow::{Context, Result, ensure};
use serde_json::json;
use troupe_chaos::local::LocalCluster;
use troupe_core::{ConversationId, UserId};

use super::api::{PASSWORD, ask};
use super::{Person, pass};

/// dave registers and logs in at one node, alice writes to him by the SDK, he answers by another
/// node, and reads both by the third.
pub async fn walk(cluster: &LocalCluster, alice: &mut Person) -> Result<()> {
    let node = |index: usize| cluster.addresses(index % cluster.len()).http.as_str();
    let key = "00112233445566778899aabbccddeeff";
    let register = json!({ "name": "dave", "password": PASSWORD });
    let dave = ask(node(0), None, Some(key), "POST", "/v1/register", Some(&register)).await?;
    let id = dave["user_id"].as_str().and_then(|id| id.parse().ok()).context("no user_id")?;
    let direct = ConversationId::direct(alice.id(), UserId(id)).context("two users")?;
    alice.say(direct, "hello script").await?;
    let login = json!({ "name": "dave", "password": PASSWORD, "device": "script" });
    let token = ask(node(1), None, None, "POST", "/v1/login", Some(&login)).await?;
    let token = token["token"].as_str().context("no token")?.to_owned();

    let path = format!("/v1/conversations/{direct}/messages");
    let message = json!({ "text": "hello alice, by curl" });
    let first = ask(node(1), Some(&token), Some(key), "POST", &path, Some(&message)).await?;
    alice.hears(direct, "hello alice, by curl").await?;
    let again = ask(node(2), Some(&token), Some(key), "POST", &path, Some(&message)).await?;
    ensure!(first["seq"] == again["seq"] && again["duplicate"] == json!(true), "{first} was repeated as {again}");
    let page = ask(node(2), Some(&token), None, "GET", &format!("{path}?after=0"), None).await?;
    let texts: Vec<&str> =
        page["messages"].as_array().into_iter().flatten().filter_map(|event| event["body"]["text"].as_str()).collect();
    ensure!(texts == ["hello script", "hello alice, by curl"], "the history by HTTP is {texts:?}");
    println!("  dave  → {direct} #{}  hello alice, by curl (POST {path})", first["seq"]);
    pass("an account, a message once per key, and its history by HTTP");
    Ok(())
}

//! Hooks of one account: posts with good and wrong secrets without pause, and outgoing hooks whose
//! receivers do not exist.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::site::{Site, attacker};
use super::web::{account, connect, newcomers, ports};

/// Groups of the attacker, each with one incoming hook and outgoing ones.
const GROUPS: usize = 5;
const OUTGOING: usize = 9;
/// Posts by one hook per second at one node, and at once (`HOOK_POSTS` of the limits).
const RATE: (u64, u64) = (5, 50);

pub async fn run(site: &mut Site, time: Duration) -> Result<Vec<String>> {
    let port = ports(site).into_iter().next().context("a node")?;
    let token = format!("Bearer {}", account(attacker(), &port, "hooker").await?);
    let headers = [("authorization", token.as_str())];
    let mut http = connect(attacker(), &port).await?;
    let mut posts = Vec::new();
    for group in 0..GROUPS {
        let made = json!({ "name": format!("group {group}"), "members": [] });
        let made = http.ask("POST", "/v1/groups", &headers, Some(&made)).await?.good()?;
        let path = format!("/v1/conversations/{}/hooks", made["conversation"].as_str().context("a group")?);
        let hook =
            |kind: &str, n: usize| json!({ "kind": kind, "name": "h", "secret": format!("the-secret-number-{n}") });
        let incoming = http.ask("POST", &path, &headers, Some(&hook("incoming", 0))).await?.good()?;
        posts.push(incoming["hook"].as_str().context("a hook")?.to_owned());
        for n in 1..=OUTGOING {
            let mut outgoing = hook("outgoing", n);
            // No name server knows it.
            outgoing["url"] = Value::from("http://receiver.invalid/events");
            http.ask("POST", &path, &headers, Some(&outgoing)).await?.good()?;
        }
    }
    let (begun, until) = (Instant::now(), Instant::now() + time);
    let (mut tried, mut taken) = (0u64, 0u64);
    let text = json!({ "text": "x".repeat(1_000) });
    while Instant::now() < until {
        let hook = &posts[tried as usize % GROUPS];
        let secret = if tried.is_multiple_of(3) { "a-wrong-secret-of-a-hook" } else { "the-secret-number-0" };
        tried += 1;
        match http.ask("POST", &format!("/v1/hooks/{hook}/{secret}"), &[], Some(&text)).await {
            Ok(said) => taken += u64::from(said.status == 200),
            Err(_) => http = connect(attacker(), &port).await?,
        }
    }
    let most = GROUPS as u64 * (RATE.1 + RATE.0 * (begun.elapsed().as_secs() + 1));
    let mut findings = newcomers(site).await;
    if taken > most {
        findings.push(format!("{taken} posts of {GROUPS} hooks were taken, and the limit is {most}"));
    }
    site.notes.push(format!("{taken} of {tried} posts were taken, {} outgoing hooks", GROUPS * OUTGOING));
    Ok(findings)
}

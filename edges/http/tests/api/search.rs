//! Search over HTTP: the words of a user's messages as they are now, and nothing else.

use serde_json::{Value, json};
use tokio::time::{Duration, interval};
use troupe_raft::api::LoginPolicy;

use crate::harness::{one_node, within};
use crate::http::Http;

/// The seqs that a search finds in one group, newest first.
async fn found(http: &Http, query: &str) -> Vec<u64> {
    let answer = http.get(&format!("/v1/search?{query}")).await.good();
    let messages = answer["messages"].as_array().cloned().unwrap_or_default();
    messages.iter().filter_map(|message| message["seq"].as_u64()).collect()
}

/// Waits until the conversation is on the user's list: the search goes through it, and a leader
/// fills it after the event that begins it.
async fn listed(http: &Http, conversation: &str) {
    within(async {
        let mut again = interval(Duration::from_millis(20));
        loop {
            let list = http.get("/v1/conversations").await.good();
            let all = list["conversations"].as_array().cloned().unwrap_or_default();
            if all.iter().any(|listed| listed["conversation"] == json!(conversation)) {
                return;
            }
            again.tick().await;
        }
    })
    .await;
}

#[tokio::test]
async fn words_are_found_where_the_user_may_see_them() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, bob) = (Http::user(&node, "ann").await, Http::user(&node, "bob").await);
    let group = ann.group("The team", &[&bob.user]).await;
    let (cafe, late) = (ann.send(&group, "Zum Café?").await, bob.send(&group, "我爱北京天安门").await);
    let direct = ann.direct(&bob);
    let there = ann.send(&direct, "CAFE at nine").await;
    listed(&ann, &direct).await;
    listed(&ann, &group).await;

    let answer = ann.get("/v1/search?q=cafe").await.good();
    let messages = answer["messages"].as_array().cloned().unwrap_or_default();
    assert_eq!(messages.len(), 2, "{answer}");
    assert_eq!((&messages[0]["conversation"], &messages[0]["seq"]), (&json!(direct), &json!(there)), "newest first");
    assert_eq!((&messages[1]["snippet"], &messages[1]["places"]), (&json!("Zum Café?"), &json!([[4, 8]])));
    assert_eq!(messages[1]["sender"], json!(ann.user));
    assert_eq!((&answer["page"], &answer["incomplete"]), (&Value::Null, &Value::Null));

    let here = |query: &str| format!("in={group}&{query}");
    assert_eq!(found(&bob, &here("q=%E5%8C%97%E4%BA%AC")).await, [late], "any part of a run");
    assert_eq!(found(&bob, &here("q=caf")).await, [cafe], "the beginning of a word");
    assert_eq!(found(&bob, &here("q=afe")).await, [] as [u64; 0]);
    assert_eq!(found(&bob, &here(&format!("from={}", bob.user))).await, [late]);
    assert_eq!(found(&bob, &here("kind=1")).await, [late, cafe]);
    assert_eq!(found(&bob, &here("kind=2")).await, [] as [u64; 0]);
    assert_eq!(found(&bob, &here("kind=1&before_ms=1")).await, [] as [u64; 0]);

    // A newcomer finds what it may see, and a former member nothing.
    let carl = Http::user(&node, "carl").await;
    assert_eq!(carl.get(&format!("/v1/search?{}", here("q=caf"))).await.code(404), "not_member");
    ann.post(&format!("/v1/conversations/{group}/members/{}", carl.user), json!({})).await.good();
    listed(&carl, &group).await;
    assert_eq!(found(&carl, "q=caf").await, [] as [u64; 0]);
    let again = ann.send(&group, "another café").await;
    assert_eq!(found(&carl, "q=caf").await, [again]);
    ann.delete(&format!("/v1/conversations/{group}/members/{}", carl.user)).await;
    assert_eq!(found(&carl, "q=caf").await, [] as [u64; 0]);
    node.stop().await;
}

#[tokio::test]
async fn a_message_is_found_as_it_is_now_also_in_the_index() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, bob) = (Http::user(&node, "ann").await, Http::user(&node, "bob").await);
    let group = ann.group("The team", &[&bob.user]).await;
    let secret = ann.send(&group, "the secret plan").await;
    let typo = ann.send(&group, "a tpyo").await;
    // More than a block of the index.
    for number in 0..300 {
        ann.send(&group, &format!("message number{number}")).await;
    }
    let first = found(&bob, "q=number7&limit=100").await;
    assert_eq!(first.len(), 11, "7 and 70 to 79");
    assert_eq!(found(&bob, "q=secret").await, [secret]);
    let path = |seq: u64| format!("/v1/conversations/{group}/messages/{seq}");
    ann.patch(&path(typo), json!({ "text": "a typo" })).await.good();
    ann.delete(&path(secret)).await;
    assert_eq!(found(&bob, "q=tpyo").await, [] as [u64; 0]);
    assert_eq!(found(&bob, "q=typo").await, [typo]);
    assert_eq!(found(&bob, "q=secret").await, [] as [u64; 0]);

    // Page after page, each message once.
    let (mut seqs, mut page) = (Vec::new(), String::new());
    loop {
        let answer = bob.get(&format!("/v1/search?q=message&limit=90&page={page}")).await.good();
        let messages = answer["messages"].as_array().cloned().unwrap_or_default();
        seqs.extend(messages.iter().filter_map(|message| message["seq"].as_u64()));
        match answer["page"].as_str() {
            Some(next) => page = next.replace('~', "%7E"),
            None => break,
        }
    }
    assert_eq!(seqs.len(), 300);
    assert!(seqs.windows(2).all(|two| two[0] > two[1]), "newest first");
    node.stop().await;
}

#[tokio::test]
async fn a_search_that_makes_no_sense_is_refused() {
    let node = one_node(LoginPolicy::Replace).await;
    let ann = Http::user(&node, "ann").await;
    let many: String = (0..17).map(|word| format!("w{word}+")).collect();
    for (query, status, code) in [
        ("".to_owned(), 422, "bad_request"),
        ("q=%21%3F".to_owned(), 422, "no_word"),
        (format!("q={many}"), 422, "too_many_words"),
        (format!("q={}", "x".repeat(257)), 400, "bad_request"),
        ("q=x&page=yesterday".to_owned(), 422, "bad_request"),
        ("q=x&limit=0".to_owned(), 400, "bad_request"),
        ("q=x&kind=0".to_owned(), 400, "bad_request"),
        ("q=x&from=bob".to_owned(), 400, "bad_request"),
        ("q=x&in=g77".to_owned(), 404, "not_member"),
        ("q=x&color=red".to_owned(), 400, "bad_request"),
    ] {
        assert_eq!(ann.get(&format!("/v1/search?{query}")).await.code(status), code, "{query}");
    }
    node.stop().await;
}

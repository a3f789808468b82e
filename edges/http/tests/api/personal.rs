//! The state of a conversation that is one user's own.

use axum::body::Body;
use axum::http::Method;
use serde_json::{Value, json};
use troupe_raft::api::LoginPolicy;

use crate::harness::one_node;
use crate::http::Http;

const KEY: Option<&str> = Some("00010203-0405-4607-8809-0a0b0c0d0e0f");

async fn line(http: &Http, conversation: &str) -> Value {
    http.get(&format!("/v1/conversations/{conversation}")).await.good()
}

#[tokio::test]
async fn a_conversations_state_is_kept_for_all_devices_and_no_stale_device_undoes_it() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, bob) = (Http::user(&node, "ann").await, Http::user(&node, "bob").await);
    let group = ann.group("The team", &[&bob.user]).await;
    let me = format!("/v1/conversations/{group}/me");
    let fresh = ann.get(&me).await.good();
    assert_eq!((&fresh["version"], &fresh["pin"], &fresh["draft"]), (&json!(0), &json!(0), &json!("")));
    let mut stream = ann.stream("").await;
    let change = async |body| ann.with_key(Method::PATCH, &me, KEY, Some(body)).await;
    let pinned = change(json!({ "pin": 2, "muted_until_ms": 9_000, "draft": "I am" })).await.good();
    assert_eq!((&pinned["version"], &pinned["pin"], &pinned["draft"]), (&json!(1), &json!(2), &json!("I am")));
    // A repeat changes nothing, and is pushed alike.
    let same = json!({ "pin": 2, "muted_until_ms": 9_000, "draft": "I am" });
    let told = stream.again("state", async || assert_eq!(change(same.clone()).await.status, 200)).await;
    assert_eq!((&told.data["conversation"], &told.data["pin"]), (&json!(group), &json!(2)));
    assert_eq!(change(json!({ "pin": 2, "muted_until_ms": 9_000, "draft": "I am" })).await.good()["version"], json!(1));
    assert_eq!(change(json!({ "pin": 3 })).await.code(422), "request_reused");
    // A device that has seen version 0 may not touch the pin, and archives.
    assert_eq!(ann.patch(&me, json!({ "seen": 0, "pin": 0 })).await.code(409), "state_changed");
    assert_eq!(ann.patch(&me, json!({ "seen": 0, "archived": true })).await.good()["version"], json!(2));
    assert_eq!(ann.patch(&me, json!({ "seen": 2, "pin": 0 })).await.good()["pin"], json!(0));
    let shown = line(&ann, &group).await;
    assert_eq!((&shown["me"]["archived"], &shown["me"]["version"]), (&json!(true), &json!(3)));
    assert_eq!(line(&bob, &group).await["me"]["version"], json!(0), "bob has set nothing");

    // Hidden until the next event, and marked until the next position.
    let marked = ann.patch(&me, json!({ "hidden": true, "marked_unread": true })).await.good();
    assert_eq!((&marked["hidden"], &marked["marked_unread"]), (&json!(true), &json!(true)));
    let seq = bob.send(&group, "hello").await;
    assert_eq!(line(&ann, &group).await["me"]["hidden"], json!(false));
    let read = ann.post(&format!("/v1/conversations/{group}/read"), json!({ "seq": seq })).await;
    assert_eq!(read.status, 204);
    assert_eq!(line(&ann, &group).await["me"]["marked_unread"], json!(false));

    for (body, status, code) in [
        (json!({}), 422, "bad_request"),
        (json!({ "pin": 1_000_001 }), 422, "bad_request"),
        (json!({ "draft": "x".repeat(4_097) }), 422, "bad_request"),
        (json!({ "pin": null }), 400, "bad_request"),
        (json!({ "pinned": 1 }), 400, "bad_request"),
        (json!({ "clear_to": seq + 1 }), 409, "seq_beyond_head"),
    ] {
        assert_eq!(ann.patch(&me, body).await.code(status), code);
    }
    let foreign = Http::user(&node, "eve").await;
    assert_eq!(foreign.get(&me).await.code(404), "not_member");
    assert_eq!(foreign.patch(&me, json!({ "pin": 1 })).await.code(404), "not_member");
    node.stop().await;
}

#[tokio::test]
async fn a_cleared_history_is_gone_for_its_user_only() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, bob) = (Http::user(&node, "ann").await, Http::user(&node, "bob").await);
    let group = ann.group("The team", &[&bob.user]).await;
    let (messages, me) = (format!("/v1/conversations/{group}/messages"), format!("/v1/conversations/{group}/me"));
    let first = bob.send(&group, "one").await;
    let mention = |text: &str, rest: Value| json!({ "text": text, "mentions": rest });
    bob.post(&messages, mention("@ann", json!([ann.user]))).await.good();
    bob.post(&messages, json!({ "text": "@all", "mentions_everyone": true })).await.good();
    let shown = line(&ann, &group).await;
    assert_eq!((&shown["unread"], &shown["mentions"]), (&json!(3), &json!(2)));
    assert_eq!(line(&bob, &group).await["mentions"], json!(0), "no one counts its own");

    assert_eq!(ann.patch(&me, json!({ "clear_to": first + 1 })).await.good()["cleared"], json!(first + 1));
    let shown = line(&ann, &group).await;
    assert_eq!((&shown["unread"], &shown["mentions"]), (&json!(1), &json!(1)));
    for query in ["", "?after=0", &format!("?before={}", first + 3)] {
        let page = ann.get(&format!("{messages}{query}")).await.good();
        let seqs: Vec<&Value> = page["messages"].as_array().expect("a list").iter().map(|it| &it["seq"]).collect();
        assert_eq!(seqs, [&json!(first + 2)], "{query}");
    }
    // A cleared history does not come back, and ends at the head at most.
    assert_eq!(ann.patch(&me, json!({ "clear_to": 1 })).await.good()["cleared"], json!(first + 1));
    ann.patch(&me, json!({ "clear_to": first + 2 })).await.good();
    let page = ann.get(&format!("{messages}?after=0")).await.good();
    assert_eq!((page["messages"].as_array().map(Vec::len), &page["more"]), (Some(0), &json!(false)));
    let whole = bob.get(&format!("{messages}?after=0")).await.good();
    assert_eq!(whole["messages"].as_array().map(Vec::len), Some(first as usize + 1), "bob has all since he joined");
    node.stop().await;
}

#[tokio::test]
async fn a_message_deleted_for_one_user_is_there_for_the_others() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, bob) = (Http::user(&node, "ann").await, Http::user(&node, "bob").await);
    let group = ann.group("The team", &[&bob.user]).await;
    let (messages, me) = (format!("/v1/conversations/{group}/messages"), format!("/v1/conversations/{group}/me"));
    let first = bob.send(&group, "one").await;
    let mentioned = bob.post(&messages, json!({ "text": "@ann", "mentions": [ann.user] })).await.good()["seq"].clone();
    let own = ann.send(&group, "mine").await;
    bob.patch(&format!("{messages}/{first}"), json!({ "text": "one, edited" })).await.good();
    let gone = ann.ask(Method::DELETE, &format!("{messages}/{first}?for=me"), &[], Body::empty()).await;
    assert_eq!(gone.status, 204);
    let state = ann.post(&format!("{me}/deleted"), json!({ "seqs": [mentioned, own] })).await.good();
    assert_eq!((&state["deleted"], &state["version"]), (&json!([first, mentioned, own]), &json!(2)));
    let shown = line(&ann, &group).await;
    assert_eq!((&shown["unread"], &shown["mentions"], &shown["me"]["deleted"]), (&json!(0), &json!(0), &json!([])));

    let page = ann.get(&format!("{messages}?after=0")).await.good();
    let text = page.to_string();
    assert!(!text.contains("one") && !text.contains("@ann") && !text.contains("mine"), "{text}");
    let of =
        |seq: u64| page["messages"].as_array().expect("a list").iter().find(|it| it["seq"] == seq).expect("its place");
    assert_eq!(
        (&of(first)["deleted"], &of(first)["erased"], &of(first)["edited"]),
        (&json!(true), &json!(true), &Value::Null)
    );
    let whole = bob.get(&format!("{messages}?after=0")).await.good().to_string();
    assert!(whole.contains("one, edited") && whole.contains("mine") && !whole.contains("deleted"), "{whole}");

    for (body, status, code) in [
        (json!({ "seqs": [] }), 422, "bad_request"),
        (json!({ "seqs": vec![first; 101] }), 422, "too_many"),
        (json!({ "seqs": [first + 50] }), 404, "no_such_message"),
        (json!({ "seqs": ["1"] }), 400, "bad_request"),
        (json!({}), 400, "bad_request"),
    ] {
        assert_eq!(ann.post(&format!("{me}/deleted"), body).await.code(status), code);
    }
    let wrong = ann.ask(Method::DELETE, &format!("{messages}/{first}?for=all"), &[], Body::empty()).await;
    assert_eq!(wrong.code(400), "bad_request");
    node.stop().await;
}

#[tokio::test]
async fn a_favourite_is_its_message_as_the_user_sees_it_now() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, bob) = (Http::user(&node, "ann").await, Http::user(&node, "bob").await);
    let group = ann.group("The team", &[&bob.user]).await;
    let path = |seq: u64| format!("/v1/favourites/{group}/{seq}");
    let (one, two, three) =
        (bob.send(&group, "one").await, bob.send(&group, "two").await, ann.send(&group, "three").await);
    let mut stream = ann.stream("").await;
    for seq in [two, one, three, two] {
        assert_eq!(ann.with_key(Method::PUT, &path(seq), None, None).await.status, 204);
    }
    let told = stream.until("favourite").await;
    assert_eq!(
        (&told.data["seq"], &told.data["removed"], &told.data["version"]),
        (&json!(two), &json!(false), &json!(1))
    );
    let page = ann.get("/v1/favourites?limit=2").await.good();
    let seqs = |page: &Value| -> Vec<u64> {
        page["favourites"].as_array().expect("a list").iter().filter_map(|it| it["seq"].as_u64()).collect()
    };
    assert_eq!((seqs(&page), &page["next"], &page["version"]), (vec![three, one], &json!(2), &json!(3)));
    let rest = ann.get("/v1/favourites?before=2").await.good();
    assert_eq!((seqs(&rest), &rest["next"]), (vec![two], &Value::Null));
    assert_eq!(rest["favourites"][0]["message"]["body"]["text"], "two");
    assert_eq!(bob.get("/v1/favourites").await.good()["favourites"], json!([]), "they are the user's own");

    // An edit is shown, and a recall erases the content here, too.
    bob.patch(&format!("/v1/conversations/{group}/messages/{two}"), json!({ "text": "two, edited" })).await.good();
    bob.delete(&format!("/v1/conversations/{group}/messages/{one}")).await.good();
    let all = ann.get("/v1/favourites").await.good();
    assert_eq!(all["favourites"][2]["message"]["edited"]["body"]["text"], "two, edited");
    assert_eq!(all["favourites"][1]["message"]["erased"], json!(true));
    assert!(!all["favourites"][1].to_string().contains("one"), "{all}");
    // A message that the user does not see any more is a reference only.
    ann.patch(&format!("/v1/conversations/{group}/me"), json!({ "clear_to": two })).await.good();
    let all = ann.get("/v1/favourites").await.good();
    assert_eq!(all["favourites"][2]["message"], Value::Null);

    assert_eq!(ann.delete(&path(three)).await.status, 204);
    assert_eq!(ann.delete(&path(three)).await.status, 204);
    assert_eq!(seqs(&ann.get("/v1/favourites").await.good()), [one, two]);
    let eve = Http::user(&node, "eve").await;
    for (http, path, status, code) in [
        (&ann, path(999), 404, "no_such_message"),
        (&ann, format!("/v1/favourites/{group}/x"), 404, "no_such_message"),
        (&ann, path(1), 404, "no_such_message"),
        (&eve, path(three), 404, "not_member"),
    ] {
        assert_eq!(http.with_key(Method::PUT, &path, None, None).await.code(status), code, "{path}");
    }
    assert_eq!(ann.get("/v1/favourites?limit=51").await.code(400), "bad_request");
    node.stop().await;
}

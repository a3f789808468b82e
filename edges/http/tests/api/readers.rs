//! The members that have read a message.

use serde_json::json;
use troupe_raft::api::LoginPolicy;

use crate::harness::one_node;
use crate::http::Http;

#[tokio::test]
async fn members_that_see_a_message_are_its_readers_from_their_read_position_on() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, bob, carl) =
        (Http::user(&node, "ann").await, Http::user(&node, "bob").await, Http::user(&node, "carl").await);
    let eve = Http::user(&node, "eve").await;
    let group = ann.group("The team", &[&bob.user, &carl.user]).await;
    let path = format!("/v1/conversations/{group}");
    let (first, second) = (ann.send(&group, "one").await, ann.send(&group, "two").await);
    let readers = async |http: &Http, seq: u64, query: &str| {
        let page = http.get(&format!("{path}/messages/{seq}/readers{query}")).await.good();
        (page["read_by"].as_u64(), page["seen_by"].as_u64(), page["users"].clone(), page["more"] == json!(true))
    };
    assert_eq!(readers(&ann, first, "").await, (Some(0), Some(2), json!([]), false));
    let read = async |http: &Http, seq: u64| {
        let read = http.post(&format!("{path}/read"), json!({ "seq": seq })).await;
        assert_eq!(read.status, 204);
    };
    read(&bob, first).await;
    read(&carl, second).await;
    ann.post(&format!("{path}/members"), json!({ "users": [eve.user] })).await.good();
    let third = carl.send(&group, "three").await;
    read(&eve, third).await;
    let mut both = [&bob.user, &carl.user];
    both.sort_by_key(|user| user.parse::<u64>().expect("an id"));
    assert_eq!(readers(&ann, first, "").await, (Some(2), Some(2), json!(both), false), "eve came later");
    assert_eq!(readers(&bob, second, "").await, (Some(1), Some(2), json!([carl.user]), false));
    assert_eq!(readers(&ann, third, "").await, (Some(1), Some(3), json!([eve.user]), false), "not its sender");
    assert_eq!(readers(&ann, first, "?limit=1").await, (Some(2), Some(2), json!([both[0]]), true));
    let rest = readers(&ann, first, &format!("?limit=1&after={}", both[0])).await;
    assert_eq!(rest, (Some(2), Some(2), json!([both[1]]), false));

    let counts = ann.get(&format!("{path}/readers?seqs={first},{second},{third},1,99")).await.good();
    let row = |seq: u64, read_by: u64, seen_by: u64| json!({ "seq": seq, "read_by": read_by, "seen_by": seen_by });
    assert_eq!(counts["counts"], json!([row(first, 2, 2), row(second, 1, 2), row(third, 1, 3)]));
    let of_eve = eve.get(&format!("{path}/readers?seqs={first},{third}")).await.good();
    assert_eq!(of_eve["counts"], json!([row(third, 1, 3)]), "it sees nothing from before it");

    let stranger = Http::user(&node, "mia").await;
    let one = format!("{path}/messages/{first}/readers");
    assert_eq!(stranger.get(&one).await.code(404), "not_member");
    assert_eq!(stranger.get(&format!("{path}/readers?seqs={first}")).await.code(404), "not_member");
    assert_eq!(eve.get(&one).await.code(404), "no_such_message");
    assert_eq!(ann.get(&format!("{path}/messages/1/readers")).await.code(404), "no_such_message");
    let said = ann.send("everyone", "hello").await;
    let path = format!("/v1/conversations/everyone/messages/{said}/readers");
    assert_eq!(ann.get(&path).await.code(409), "too_many_members");
    for wrong in ["", "?seqs=", "?seqs=0", "?seqs=1,", "?seqs=a", "?seqs=+1"] {
        let path = format!("/v1/conversations/{group}/readers{wrong}");
        assert_eq!(ann.get(&path).await.code(400), "bad_request", "{wrong}");
    }
    node.stop().await;
}

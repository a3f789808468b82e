//! Administrators over the API.

use serde_json::{Value, json};
use troupe_core::UserId;
use troupe_core::record::Author;
use troupe_proto::wire::client::{SetAdmin, admin::Operation};
use troupe_raft::api::LoginPolicy;

use crate::harness::{Node, one_node, password};
use crate::http::Http;

pub async fn administrator(node: &Node) -> Http {
    let admin = Http::user(node, "root-ann").await;
    assert_eq!(admin.get("/v1/admin/users").await.code(403), "not_admin");
    let by = Author { user: UserId(0), name: "operator".into(), address: "test".into() };
    let set = Operation::SetAdmin(SetAdmin { account: admin.user.clone(), admin: true });
    node.handle.operate(by, set).await.expect("an administrator");
    admin
}

#[tokio::test]
async fn an_administrator_looks_after_accounts() {
    let node = one_node(LoginPolicy::Replace).await;
    let admin = administrator(&node).await;
    let bob = Http::user(&node, "bob").await;
    let accounts = admin.get("/v1/admin/users").await.good();
    let names: Vec<&str> =
        accounts["users"].as_array().into_iter().flatten().filter_map(|user| user["name"].as_str()).collect();
    assert!(names.contains(&"bob") && names.contains(&"root-ann"), "{names:?}");
    let carol = json!({ "name": "carol", "password": "only for one login" });
    let made = admin.post("/v1/admin/users", carol).await.good();
    assert_eq!((&made["name"], &made["one_time_password"]), (&json!("carol"), &json!(true)));
    let login = json!({ "name": "carol", "password": "only for one login", "device": "x" });
    assert_eq!(Http::of(&node).post("/v1/login", login).await.code(403), "password_change_required");

    assert_eq!(admin.post("/v1/admin/users/bob/disable", json!({})).await.status, 204);
    assert_eq!(bob.get("/v1/me").await.code(401), "expired_token");
    assert_eq!(admin.get("/v1/admin/users/bob").await.good()["status"], json!("disabled"));
    let login = json!({ "name": "bob", "password": password("bob"), "device": "x" });
    assert_eq!(Http::of(&node).post("/v1/login", login).await.code(403), "account_disabled");
    assert_eq!(admin.post("/v1/admin/users/bob/enable", json!({})).await.status, 204);
    let bob = admin.logged_in("bob", "phone").await;
    let last = &admin.get("/v1/admin/users/bob").await.good()["last_login"];
    assert_eq!(last["from"], json!("127.0.0.1"));
    assert!(last["at_ms"].as_u64().is_some_and(|at| at > 0), "{last}");
    assert_eq!(made.get("last_login"), None, "carol has not logged in");
    let sessions = admin.get("/v1/admin/users/bob/sessions").await.good();
    assert_eq!(sessions["sessions"][0]["device"], json!("phone"));
    assert_eq!(admin.delete("/v1/admin/users/bob/sessions/phone").await.status, 204);
    assert_eq!(bob.get("/v1/me").await.code(401), "expired_token");
    let reset = json!({ "password": "only for one login" });
    assert_eq!(admin.post("/v1/admin/users/bob/password", reset).await.status, 204);
    assert_eq!(admin.post("/v1/admin/users/bob/admin", json!({ "admin": true })).await.status, 204);
    assert_eq!(admin.delete("/v1/admin/users/bob/sessions").await.status, 204);
    assert_eq!(admin.delete("/v1/admin/users/bob").await.status, 204);
    assert_eq!(admin.delete("/v1/admin/users/nobody-here").await.code(404), "no_such_user");
    assert_eq!(admin.delete("/v1/admin/users/root-ann").await.code(403), "own_account");

    let audit = admin.get("/v1/admin/audit").await.good();
    let acts: Vec<(&Value, &Value)> =
        audit["acts"].as_array().into_iter().flatten().map(|act| (&act["action"], &act["by_name"])).collect();
    for action in ["user.create", "user.disable", "user.delete"] {
        assert!(acts.contains(&(&json!(action), &json!("root-ann"))), "{action} {audit}");
    }
    let first = admin.get("/v1/admin/audit?limit=1").await.good();
    let place = first["acts"][0]["place"].as_str().expect("a place");
    let second = admin.get(&format!("/v1/admin/audit?limit=1&after={place}")).await.good();
    assert_eq!(second["acts"][0], audit["acts"][1]);
    assert_eq!(admin.get("/v1/admin/audit?after=1-2").await.code(400), "bad_request");
    node.stop().await;
}

#[tokio::test]
async fn an_auditor_reads_everything_and_changes_nothing() {
    let node = one_node(LoginPolicy::Replace).await;
    let admin = administrator(&node).await;
    let auditor = Http::user(&node, "cleo").await;
    let role = |role: &str| json!({ "role": role });
    assert_eq!(admin.post("/v1/admin/users/cleo/role", role("king")).await.code(400), "bad_request");
    assert_eq!(admin.post("/v1/admin/users/cleo/role", role("auditor")).await.status, 204);
    let shown = admin.get("/v1/admin/users/cleo").await.good();
    assert_eq!((&shown["role"], &shown["admin"]), (&json!("auditor"), &json!(false)));
    assert_eq!(auditor.get("/v1/me").await.good()["role"], json!("auditor"));

    for path in ["users", "users/cleo", "users/cleo/sessions", "groups", "invites", "settings", "audit", "reports"] {
        assert_eq!(auditor.get(&format!("/v1/admin/{path}")).await.status, 200, "{path}");
    }
    let account = json!({ "name": "dave", "password": "only for one login" });
    let invite = json!({ "code": "come-in-please", "uses": 1, "expires_ms": 4_000_000_000_000u64 });
    let password = json!({ "password": "only for one login" });
    for (path, body) in [
        ("users", account),
        ("users/root-ann/disable", json!({})),
        ("users/root-ann/enable", json!({})),
        ("users/root-ann/admin", json!({ "admin": false })),
        ("users/cleo/role", role("admin")),
        ("users/root-ann/password", password),
        ("invites", invite),
        ("reports/1/close", json!({})),
    ] {
        assert_eq!(auditor.post(&format!("/v1/admin/{path}"), body).await.code(403), "read_only_role", "{path}");
    }
    for path in ["users/root-ann", "users/root-ann/sessions", "users/root-ann/sessions/x", "invites/0000000000000001"] {
        assert_eq!(auditor.delete(&format!("/v1/admin/{path}")).await.code(403), "read_only_role", "{path}");
    }
    let settings = json!({ "registration": "closed" });
    assert_eq!(auditor.patch("/v1/admin/settings", settings).await.code(403), "read_only_role");
    assert_eq!(admin.get("/v1/admin/settings").await.good()["registration"], json!("open"));

    // The last administrator cannot become less, and an auditor becomes a user again.
    assert_eq!(admin.post("/v1/admin/users/root-ann/role", role("auditor")).await.code(403), "own_account");
    assert_eq!(admin.post("/v1/admin/users/root-ann/role", role("user")).await.code(403), "own_account");
    assert_eq!(admin.post("/v1/admin/users/cleo/role", role("user")).await.status, 204);
    assert_eq!(auditor.get("/v1/admin/users").await.code(403), "not_admin");
    node.stop().await;
}

#[tokio::test]
async fn an_administrator_invites_and_changes_settings() {
    let node = one_node(LoginPolicy::Replace).await;
    let admin = administrator(&node).await;
    let invite = json!({ "code": "come-in-please", "uses": 1, "expires_ms": 4_000_000_000_000u64, "note": "for dan" });
    let made = admin.post("/v1/admin/invites", invite).await.good();
    let settings = admin.patch("/v1/admin/settings", json!({ "registration": "invite" })).await.good();
    assert_eq!(settings["registration"], json!("invite"));
    let settled = async || {
        while admin.get("/v1/admin/settings").await.good()["registration"] != "invite" {
            tokio::task::yield_now().await;
        }
    };
    crate::harness::within(settled()).await;
    let guest = Http::of(&node);
    let dan = |invite: Option<&str>| json!({ "name": "dan", "password": "long enough", "invite": invite });
    assert_eq!(guest.post("/v1/register", dan(None)).await.code(403), "invite_required");
    assert_eq!(guest.post("/v1/register", dan(Some("wrong-code-it-is"))).await.code(403), "bad_invite");
    assert_eq!(guest.post("/v1/register", dan(Some("come-in-please"))).await.status, 200);
    let listed = admin.get("/v1/admin/invites").await.good();
    assert_eq!((&listed["invites"][0]["used"], &listed["invites"][0]["note"]), (&json!(1), &json!("for dan")));
    let id = made["id"].as_str().expect("an id");
    assert_eq!(admin.delete(&format!("/v1/admin/invites/{id}")).await.status, 204);
    assert_eq!(admin.get("/v1/admin/invites").await.good()["invites"][0]["revoked"], json!(true));
    assert_eq!(admin.delete("/v1/admin/invites/nonsense").await.code(403), "bad_invite");
    assert_eq!(admin.patch("/v1/admin/settings", json!({ "registration": "maybe" })).await.code(400), "bad_request");
    node.stop().await;
}

#[tokio::test]
async fn an_administrator_sees_sizes_of_all_groups_page_by_page() {
    let node = one_node(LoginPolicy::Replace).await;
    let admin = administrator(&node).await;
    let (bob, cleo) = (Http::user(&node, "bob").await, Http::user(&node, "cleo").await);
    let direct = format!("/v1/conversations/{}/messages", bob.direct(&cleo));
    bob.post(&direct, json!({ "text": "between us" })).await.good();
    let mut made = Vec::new();
    for name in ["first", "second", "third"] {
        let group = bob.post("/v1/groups", json!({ "name": name, "members": [cleo.user] })).await.good();
        made.push(group["conversation"].as_str().expect("a group").to_owned());
    }
    let messages = format!("/v1/conversations/{}/messages", made[0]);
    let said = bob.post(&messages, json!({ "text": "private" })).await.good();
    bob.post(&format!("/v1/conversations/{}/disband", made[1]), json!({})).await.good();

    assert_eq!(bob.get("/v1/admin/groups").await.code(403), "not_admin");
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let page = admin.get(&format!("/v1/admin/groups?limit=2{after}")).await.good();
        let groups = page["groups"].as_array().expect("a list").clone();
        assert!(groups.len() <= 2, "{page}");
        let last = groups.last().map(|group| group["conversation"].as_str().expect("an id").to_owned());
        found.extend(groups);
        match last {
            Some(last) if page["more"] == json!(true) => after = format!("&after={last}"),
            _ => break,
        }
    }
    assert_eq!(found.len(), 3, "{found:?}");
    let of = |id: &str| found.iter().find(|group| group["conversation"] == json!(id)).expect("listed");
    let first = of(&made[0]);
    assert_eq!((&first["name"], &first["head"], &first["last_ms"]), (&json!("first"), &said["seq"], &said["time_ms"]));
    assert_eq!((&first["disbanded"], &first["file_bytes"]), (&json!(false), &json!(0)));
    assert_eq!(of(&made[1])["disbanded"], json!(true));
    assert!(!json!(found).to_string().contains("private"));
    for wrong in ["everyone", "d1-2", "7", "g0x"] {
        let path = format!("/v1/admin/groups?after={wrong}");
        assert_eq!(admin.get(&path).await.code(400), "bad_request", "{wrong}");
    }
    node.stop().await;
}

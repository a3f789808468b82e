//! Uploads by tus, and files by ranges and links.

use std::time::Duration;

use axum::body::Body;
use axum::http::Method;
use serde_json::{Value, json};
use tokio::time::Instant;
use troupe_core::{FileHash, limits};
use troupe_raft::api::{LoginPolicy, Settings};

use crate::harness::{node_with, one_node, three_nodes, within};
use crate::http::{Http, Said};

const PIECES: &str = "application/offset+octet-stream";
const KEY: Option<&str> = Some("00010203-0405-4607-8809-0a0b0c0d0e0f");

/// Bytes that differ from chunk to chunk.
fn content(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8 ^ (at / limits::CHUNK_BYTES) as u8).collect()
}

async fn begin(http: &Http, conversation: &str, name: &str, size: usize) -> Said {
    let upload = json!({ "conversation": conversation, "name": name, "size": size, "type": "image/png" });
    http.with_key(Method::POST, "/v1/uploads", KEY, Some(upload)).await
}

async fn write(http: &Http, path: &str, offset: usize, bytes: &[u8]) -> Said {
    let (offset, length) = (offset.to_string(), bytes.len().to_string());
    let headers =
        [("tus-resumable", "1.0.0"), ("content-type", PIECES), ("upload-offset", &offset), ("content-length", &length)];
    http.ask(Method::PATCH, path, &headers, Body::from(bytes.to_vec())).await
}

async fn tus(http: &Http, method: Method, path: &str) -> Said {
    http.ask(method, path, &[("tus-resumable", "1.0.0")], Body::empty()).await
}

/// Uploads it at once, and returns its name.
pub async fn uploaded(http: &Http, conversation: &str, name: &str, bytes: &[u8]) -> String {
    let begun =
        http.post("/v1/uploads", json!({ "conversation": conversation, "name": name, "size": bytes.len() })).await;
    assert_eq!(begun.status, 201, "{}", String::from_utf8_lossy(&begun.body));
    let written = write(http, begun.header("location"), 0, bytes).await;
    assert_eq!(written.status, 204, "{}", String::from_utf8_lossy(&written.body));
    written.header("troupe-file").to_owned()
}

#[tokio::test]
async fn an_upload_goes_on_where_it_was_and_becomes_a_file() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, bob) = (Http::user(&node, "ann").await, Http::user(&node, "bob").await);
    let group = ann.group("The team", &[&bob.user]).await;
    let bytes = content(3 * limits::CHUNK_BYTES + 17);
    let begun = begin(&ann, &group, "data.bin", bytes.len()).await;
    assert_eq!(begun.status, 201);
    let path = begun.header("location").to_owned();
    assert_eq!(path, format!("/v1/uploads/{group}.000102030405460788090a0b0c0d0e0f"));
    assert_eq!(begin(&ann, &group, "data.bin", bytes.len()).await.json(), begun.json(), "once per key");
    assert_eq!(begin(&ann, &group, "other.bin", bytes.len()).await.code(422), "request_reused");

    // In pieces that keep to no chunk.
    let written = write(&ann, &path, 0, &bytes[..100_000]).await;
    assert_eq!((written.status, written.header("upload-offset")), (204, "100000"));
    assert_eq!(written.header("tus-resumable"), "1.0.0");
    let state = tus(&ann, Method::HEAD, &path).await;
    assert_eq!((state.status, state.header("upload-offset")), (200, "100000"));
    assert_eq!(state.header("upload-length"), bytes.len().to_string());
    assert_eq!(write(&ann, &path, 0, &bytes[..10]).await.code(409), "wrong_offset");
    assert_eq!(write(&ann, &path, 100_000, &bytes).await.code(413), "upload_too_long");
    assert_eq!(tus(&bob, Method::HEAD, &path).await.status, 404, "an upload is its owner's");
    let written = write(&ann, &path, 100_000, &bytes[100_000..]).await;
    let name = FileHash::of_file(&bytes).expect("a name").to_string();
    assert_eq!((written.status, written.header("troupe-file")), (204, name.as_str()));
    assert_eq!(ann.get(&path).await.good()["file"], json!(name));

    let file = format!("/v1/files/{name}?conversation={group}");
    let read = ann.get(&file).await;
    assert_eq!((read.status, &read.body), (200, &bytes));
    assert_eq!(read.header("content-length"), bytes.len().to_string());
    assert_eq!(read.header("etag"), format!("\"{name}\""));
    let info = bob.get(&format!("/v1/files/{name}/info?conversation={group}")).await.good();
    assert_eq!((&info["name"], &info["size"]), (&json!("data.bin"), &json!(bytes.len())));
    // The same bytes again are the same file.
    assert_eq!(uploaded(&bob, &group, "again.bin", &bytes).await, name);
    assert_eq!(ann.get(&file).await.body, bytes);
    node.stop().await;
}

#[tokio::test]
async fn an_upload_that_cannot_be_is_refused_with_its_reason() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, eve) = (Http::user(&node, "ann").await, Http::user(&node, "eve").await);
    let group = ann.group("The team", &[]).await;
    for (conversation, name, size, status, code) in [
        (group.as_str(), "a", 0, 413, "file_too_large"),
        (&group, "a", 100 * 1024 * 1024 + 1, 413, "file_too_large"),
        (&group, "", 1, 422, "bad_file_name"),
        (&group, "a/b", 1, 422, "bad_file_name"),
        ("g1024000", "a", 1, 404, "not_member"),
        ("nonsense", "a", 1, 404, "not_member"),
    ] {
        assert_eq!(begin(&ann, conversation, name, size).await.code(status), code, "{conversation} {name} {size}");
    }
    assert_eq!(begin(&eve, &group, "a", 1).await.code(404), "not_member");
    let path = begin(&ann, &group, "a", 5).await.header("location").to_owned();
    let options = ann.ask(Method::OPTIONS, &path, &[], Body::empty()).await;
    assert_eq!((options.status, options.header("tus-version")), (204, "1.0.0"));
    assert_eq!(options.header("tus-max-size"), "104857600");
    let offset = ("upload-offset", "0");
    let sent = async |headers: &[(&str, &str)]| ann.ask(Method::PATCH, &path, headers, Body::from("hello")).await;
    let other = sent(&[("tus-resumable", "0.2.2"), ("content-type", PIECES), offset]).await;
    assert_eq!((other.header("tus-version"), other.code(412).as_str()), ("1.0.0", "bad_tus_version"));
    let of_json = sent(&[("tus-resumable", "1.0.0"), ("content-type", "application/json"), offset]).await;
    assert_eq!(of_json.code(415), "unsupported_media_type");
    let nowhere = sent(&[("tus-resumable", "1.0.0"), ("content-type", PIECES)]).await;
    assert_eq!(nowhere.code(400), "bad_request");
    assert_eq!(write(&ann, "/v1/uploads/nonsense", 0, b"hello").await.code(404), "no_such_upload");
    assert_eq!(tus(&ann, Method::DELETE, &path).await.status, 204);
    assert_eq!(tus(&ann, Method::DELETE, &path).await.code(404), "no_such_upload");
    assert_eq!(write(&ann, &path, 0, b"hello").await.code(404), "no_such_upload");
    // A name that was announced must be right.
    let wrong = FileHash::of_file(b"other").expect("a name").to_string();
    let expected = json!({ "conversation": group, "name": "a", "size": 5, "hash": wrong });
    let path = ann.post("/v1/uploads", expected).await.header("location").to_owned();
    assert_eq!(write(&ann, &path, 0, b"hello").await.code(422), "wrong_hash");
    node.stop().await;
}

#[tokio::test]
async fn a_file_is_read_by_ranges_and_never_executes() {
    let node = one_node(LoginPolicy::Replace).await;
    let ann = Http::user(&node, "ann").await;
    let group = ann.group("The team", &[]).await;
    let bytes = content(limits::CHUNK_BYTES * 5 + 1);
    let name = uploaded(&ann, &group, "gr\u{fc}\u{df}.bin", &bytes).await;
    let file = format!("/v1/files/{name}?conversation={group}");
    let range = async |range: &str| ann.ask(Method::GET, &file, &[("range", range)], Body::empty()).await;
    for (asked, from, to) in [
        ("bytes=0-0", 0, 1),
        ("bytes=65530-65545", 65_530, 65_546),
        ("bytes=-3", bytes.len() - 3, bytes.len()),
        ("bytes=262144-", 262_144, bytes.len()),
    ] {
        let part = range(asked).await;
        assert_eq!((part.status, &part.body[..]), (206, &bytes[from..to]), "{asked}");
        assert_eq!(part.header("content-range"), format!("bytes {from}-{}/{}", to - 1, bytes.len()));
    }
    let beyond = range("bytes=999999-").await;
    assert_eq!(beyond.header("content-range"), format!("bytes */{}", bytes.len()));
    assert_eq!(beyond.code(416), "beyond_the_file");
    let tag = format!("\"{name}\"");
    let known = ann.ask(Method::GET, &file, &[("if-none-match", &tag)], Body::empty()).await;
    assert_eq!((known.status, known.body.len()), (304, 0));
    let moved = [("range", "bytes=0-0"), ("if-range", "\"other\"")];
    assert_eq!(ann.ask(Method::GET, &file, &moved, Body::empty()).await.status, 200);
    let head = ann.ask(Method::HEAD, &file, &[], Body::empty()).await;
    assert_eq!((head.status, head.header("content-length")), (200, bytes.len().to_string().as_str()));
    assert_eq!(head.header("content-disposition"), "attachment; filename*=UTF-8''gr%C3%BC%C3%9F.bin");

    for (bytes, of, shown) in [
        (&b"<script>alert(1)</script>"[..], "text/plain; charset=utf-8", "attachment"),
        (b"<svg onload='alert(1)'/>", "text/plain; charset=utf-8", "attachment"),
        (b"\x89PNG\r\n\x1a\n", "image/png", "inline"),
        (b"\0\0", "application/octet-stream", "attachment"),
    ] {
        let name = uploaded(&ann, &group, "x.html", bytes).await;
        let read = ann.get(&format!("/v1/files/{name}?conversation={group}")).await;
        assert_eq!((read.header("content-type"), &read.body[..]), (of, bytes));
        assert!(read.header("content-disposition").starts_with(shown), "{of}");
        assert_eq!(read.header("x-content-type-options"), "nosniff");
        assert!(read.header("content-security-policy").contains("sandbox"));
    }
    node.stop().await;
}

#[tokio::test]
async fn only_members_and_links_of_members_read_a_file() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, eve) = (Http::user(&node, "ann").await, Http::user(&node, "eve").await);
    let group = ann.group("The team", &[]).await;
    let name = uploaded(&ann, &group, "secret.txt", b"secret").await;
    let file = format!("/v1/files/{name}?conversation={group}");
    assert_eq!(eve.get(&file).await.code(404), "not_member");
    assert_eq!(eve.get(&format!("/v1/files/{name}?conversation=g1024000")).await.code(404), "not_member");
    let missing = format!("/v1/files/{}?conversation={group}", "0".repeat(64));
    assert_eq!(ann.get(&missing).await.code(404), "no_such_file");
    let guest = Http::of(&node);
    assert_eq!(guest.get(&file).await.status, 401);

    let made = ann.post(&format!("/v1/files/{name}/links?conversation={group}"), json!({})).await.good();
    assert_eq!(
        eve.post(&format!("/v1/files/{name}/links?conversation={group}"), json!({})).await.code(404),
        "not_member"
    );
    let url = made["url"].as_str().expect("a link").to_owned();
    let read = guest.get(&url).await;
    assert_eq!((read.status, &read.body[..]), (200, &b"secret"[..]), "{}", String::from_utf8_lossy(&read.body));
    for wrong in [
        url.replace(&format!("user={}", ann.user), &format!("user={}", eve.user)),
        url.replace("expires_ms=1", "expires_ms=2"),
        url.replace("device=http", "device=other"),
        url.replace("signature=", "signature=A"),
        url.replace("expires_ms=", "expires_ms=1&x="),
    ] {
        assert_ne!(wrong, url);
        assert!([400, 401, 403].contains(&guest.get(&wrong).await.status), "{wrong}");
    }
    // A link ends with the session that made it.
    ann.post("/v1/logout", json!({})).await;
    assert_eq!(guest.get(&url).await.code(403), "bad_file_link");
    node.stop().await;
}

#[tokio::test]
async fn an_upload_is_continued_at_any_node() {
    let nodes = three_nodes().await;
    let ann = within(async {
        let register = json!({ "name": "ann", "password": crate::harness::password("ann") });
        let guest = Http::of(&nodes[0]);
        while guest.with_key(Method::POST, "/v1/register", KEY, Some(register.clone())).await.status != 200 {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        guest.logged_in("ann", "http").await
    })
    .await;
    let elsewhere: Vec<Http> = nodes.iter().map(|node| Http::of(node).with_token(ann.token())).collect();
    let bytes = content(4 * limits::CHUNK_BYTES);
    let path = begin(&ann, "everyone", "a", bytes.len()).await.header("location").to_owned();
    let mut name = String::new();
    for (at, http) in elsewhere.iter().chain([&ann]).enumerate() {
        let from = at * limits::CHUNK_BYTES;
        let written = write(http, &path, from, &bytes[from..from + limits::CHUNK_BYTES]).await;
        assert_eq!(written.status, 204, "{}", String::from_utf8_lossy(&written.body));
        name = written.header("troupe-file").to_owned();
    }
    let made: Value = ann.post(&format!("/v1/files/{name}/links?conversation=everyone"), json!({})).await.good();
    for node in &nodes {
        let read = Http::of(node).get(made["url"].as_str().expect("a link")).await;
        assert_eq!((read.status, &read.body), (200, &bytes));
    }
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test]
async fn a_message_refers_to_files_that_are_there() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, bob) = (Http::user(&node, "ann").await, Http::user(&node, "bob").await);
    let group = ann.group("The team", &[&bob.user]).await;
    let path = format!("/v1/conversations/{group}/messages");
    let body = |hash: &str| {
        let file = json!({ "hash": hash, "name": "a.txt", "size": 5, "type": "text/plain" });
        json!({ "body": { "type": "file", "file": file } })
    };
    let name = FileHash::of_file(b"hello").expect("a name").to_string();
    let begun = ann.post("/v1/uploads", json!({ "conversation": group, "name": "a.txt", "size": 5 })).await;
    write(&ann, begun.header("location"), 0, b"hell").await;
    assert_eq!(ann.post(&path, body(&name)).await.code(422), "missing_file", "the upload has a byte less");
    write(&ann, begun.header("location"), 4, b"o").await;
    let seq = ann.post(&path, body(&name)).await.good()["seq"].as_u64().expect("a seq");
    assert_eq!(bob.get(&format!("/v1/files/{name}?conversation={group}")).await.body, b"hello");
    let elsewhere = format!("/v1/conversations/{}/messages", ann.direct(&bob));
    assert_eq!(ann.post(&elsewhere, body(&name)).await.code(422), "missing_file", "it belongs to the group");
    let other = FileHash::of_file(b"other").expect("a name").to_string();
    let edit = format!("{path}/{seq}");
    assert_eq!(ann.patch(&edit, body(&other)).await.code(422), "missing_file");
    let later = json!({ "body": body(&other)["body"], "deliver_at_ms": 4_000_000_000_000u64 });
    assert_eq!(ann.post(&path, later).await.code(422), "missing_file");
    uploaded(&ann, &group, "other.txt", b"other").await;
    ann.patch(&edit, body(&other)).await.good();
    let info = bob.get(&format!("/v1/files/{other}/info?conversation={group}")).await.good();
    assert_eq!(info["expires_ms"], 0, "the edit keeps it");
    node.stop().await;
}

#[tokio::test]
async fn the_files_of_a_user_share_one_room() {
    let node = node_with(Settings { file_bytes: 100_000, ..Settings::default() }).await;
    let (ann, bob) = (Http::user(&node, "ann").await, Http::user(&node, "bob").await);
    let (one, other) = (ann.group("One", &[]).await, ann.group("Other", &[]).await);
    let announce = async |group: &str, size: u64| {
        ann.post("/v1/uploads", json!({ "conversation": group, "name": "a", "size": size })).await
    };
    let first = announce(&one, 60_000).await;
    assert_eq!(first.status, 201);
    assert_eq!(announce(&other, 60_000).await.code(409), "files_quota", "also in another group");
    let second = announce(&other, 40_000).await;
    assert_eq!(second.status, 201);
    assert_eq!(announce(&other, 1).await.code(409), "files_quota");
    let usage = async |http: &Http| {
        let usage = http.get("/v1/me/usage").await.good();
        let number = |name: &str| usage[name].as_u64().expect("a number");
        (number("bytes") + number("reserved_bytes"), number("most_bytes"))
    };
    assert_eq!((usage(&ann).await, usage(&bob).await), ((100_000, 100_000), (0, 100_000)));
    tus(&ann, Method::DELETE, first.header("location")).await;
    // The group says so to the shard of the user in a moment.
    let begin = Instant::now();
    while usage(&ann).await.0 != 40_000 {
        assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", usage(&ann).await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(announce(&other, 60_000).await.status, 201);
    node.stop().await;
}

/// A PNG of 4 by 2 pixels, gray.
const PNG: &[u8] = b"\x89\x50\x4e\x47\x0d\x0a\x1a\x0a\x00\x00\x00\x0d\x49\x48\x44\x52\x00\x00\x00\x04\x00\x00\x00\x02\
    \x08\x00\x00\x00\x00\x5a\xc3\x22\xbf\x00\x00\x00\x10\x49\x44\x41\x54\x78\x9c\x63\xe0\x0a\x58\xf0\
    \x81\x01\x44\x00\x00\x10\x2c\x03\xd5\x3e\x6d\x15\x7d\x00\x00\x00\x00\x49\x45\x4e\x44\xae\x42\x60\
    \x82";

#[tokio::test]
async fn an_image_has_a_preview_and_other_files_have_none() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, bob, eve) =
        (Http::user(&node, "ann").await, Http::user(&node, "bob").await, Http::user(&node, "eve").await);
    let group = ann.group("The team", &[&bob.user]).await;
    let of = async |name: &str, bytes: &[u8]| {
        format!("/v1/files/{}/preview?conversation={group}", uploaded(&ann, &group, name, bytes).await)
    };
    let image = of("cat.png", PNG).await;
    let made = ann.get(&image).await;
    assert_eq!((made.status, made.header("content-type")), (200, "image/jpeg"));
    assert!(made.body.starts_with(b"\xff\xd8\xff"));
    assert_eq!(bob.get(&image).await.body, made.body, "it is kept");
    assert_eq!(eve.get(&image).await.code(404), "not_member");
    for (name, bytes) in [("a.txt", &b"hello"[..]), ("cut.png", &PNG[..40])] {
        let path = of(name, bytes).await;
        for _ in 0..2 {
            assert_eq!(ann.get(&path).await.code(404), "no_preview", "{name}");
        }
    }
    node.stop().await;
}

#[tokio::test]
async fn the_files_of_a_conversation_are_listed_as_history_shows_them() {
    let node = one_node(LoginPolicy::Replace).await;
    let (ann, bob, eve) =
        (Http::user(&node, "ann").await, Http::user(&node, "bob").await, Http::user(&node, "eve").await);
    let group = ann.group("The team", &[&bob.user]).await;
    let path = format!("/v1/conversations/{group}");
    let (messages, list) = (format!("{path}/messages"), format!("{path}/files"));
    let body = async |kind: &str, name: &str| {
        let hash = uploaded(&ann, &group, name, name.as_bytes()).await;
        let file = json!({ "hash": hash, "name": name, "size": name.len(), "type": "text/plain" });
        json!({ "body": { "type": kind, "file": file } })
    };
    let send = async |kind: &str, name: &str| {
        let body = body(kind, name).await;
        ann.post(&messages, body).await.good()["seq"].as_u64().expect("a seq")
    };
    let first = send("file", "a.txt").await;
    ann.send(&group, "no file").await;
    let (image, second) = (send("image", "b.png").await, send("file", "c.txt").await);
    let seqs = async |http: &Http, query: &str| {
        let page = http.get(&format!("{list}{query}")).await.good();
        let seq = |message: &Value| message["seq"].as_u64().expect("a seq");
        let listed: Vec<u64> = page["messages"].as_array().expect("a list").iter().map(seq).collect();
        (listed, page["next"].as_u64())
    };
    assert_eq!(seqs(&bob, "").await, (vec![second, image, first], None));
    assert_eq!(seqs(&bob, "?kind=2").await, (vec![image], None));
    assert_eq!(seqs(&bob, "?limit=2").await, (vec![second, image], Some(image)));
    assert_eq!(seqs(&bob, &format!("?limit=2&before={image}")).await, (vec![first], None));
    assert_eq!(eve.get(&list).await.code(404), "not_member");
    for wrong in ["?kind=0", "?kind=1", "?before=0", "?limit=51"] {
        assert_eq!(bob.get(&format!("{list}{wrong}")).await.code(400), "bad_request", "{wrong}");
    }

    // A newcomer sees what came behind it, with the present body of an edited message.
    ann.post(&format!("{path}/members"), json!({ "users": [eve.user] })).await.good();
    let third = send("file", "d.txt").await;
    ann.patch(&format!("{messages}/{third}"), body("file", "e.txt").await).await.good();
    let page = eve.get(&list).await.good();
    assert_eq!(page["messages"].as_array().expect("a list").len(), 1);
    assert_eq!(page["messages"][0]["edited"]["body"]["file"]["name"], "e.txt");

    // Neither a recalled message nor one that the reader has deleted for itself is listed.
    ann.delete(&format!("{messages}/{second}")).await.good();
    bob.post(&format!("{path}/me/deleted"), json!({ "seqs": [image] })).await.good();
    assert_eq!(seqs(&bob, "").await, (vec![third, first], None));
    assert_eq!(seqs(&ann, "").await, (vec![third, image, first], None));
    node.stop().await;
}

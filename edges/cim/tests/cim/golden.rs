//! The bytes of answers and frames, path by path.

use serde_json::json;

use crate::harness::{HERE, one_node};

const SUCCESS: &str = r#"{"code":"9000","message":"Success","reqNo":null,"dataBody":null}"#;

#[tokio::test]
async fn each_path_answers_with_these_bytes() {
    let node = one_node().await;
    let ask = async |path: &str, body: serde_json::Value| node.ask(HERE, "POST", path, &body.to_string()).await;
    let data = |body: &str| (200, format!(r#"{{"code":"9000","message":"Success","reqNo":null,"dataBody":{body}}}"#));
    let done = (200, SUCCESS.to_owned());

    // The example of CIM's documentation.
    let example = json!({ "reqNo": "1234567890", "timeStamp": 0, "userName": "zhangsan" });
    let ann = node.register("zhangsan").await;
    let account = data(&format!(r#"{{"userId":{ann},"userName":"zhangsan"}}"#));
    assert_eq!(ask("/registerAccount", example).await, account);
    let bob = node.register("bob").await;

    let (channel, http) = (node.cim.channel().port(), node.cim.http().port());
    let server = data(&format!(r#"{{"ip":"127.0.0.1","cimServerPort":{channel},"httpPort":{http}}}"#));
    assert_eq!(ask("/login", json!({ "userId": ann, "userName": "zhangsan" })).await, server);
    let wrong = ask("/login", json!({ "userId": ann, "userName": "bob" })).await;
    let text = "no account has this id and this name: register it first";
    assert_eq!(wrong, (200, format!(r#"{{"code":"9100","message":"{text}","reqNo":null,"dataBody":null}}"#)));

    let online = async || node.ask(HERE, "GET", "/onlineUser", "").await;
    assert_eq!(online().await, done, "no list when no user is online");

    let p2p = json!({ "userId": ann, "receiveUserId": bob, "msg": "hi", "batchMsg": null });
    let text = "the receiver is offline: it gets the message when it logs in";
    let offline = format!(r#"{{"code":"7000","message":"{text}","reqNo":null,"dataBody":null}}"#);
    assert_eq!(ask("/p2pRoute", p2p).await, (200, offline));
    assert_eq!(ask("/groupRoute", json!({ "userId": ann, "msg": "hello" })).await, done);
    assert_eq!(ask("/fetchOfflineMsgs", json!({ "receiveUserId": bob })).await, done);
    let push = json!({ "userId": bob, "msg": "x", "cmd": "MESSAGE", "properties": { "sendUserId": ann.to_string() } });
    assert_eq!(ask("/sendMsg", push).await, data(r#"{"msg":"OK"}"#));

    let mut client = node.client("bob").await;
    assert_eq!(online().await, data(&format!(r#"[{{"userId":{bob},"userName":"bob"}}]"#)));
    let again = ask("/login", json!({ "userId": bob, "userName": "bob" })).await;
    let text = "this account is logged in already: log it out first";
    assert_eq!(again, (200, format!(r#"{{"code":"5000","message":"{text}","reqNo":null,"dataBody":null}}"#)));

    // Missed messages, then a ping and a live message.
    let field = |tag: u8, payload: &[u8]| [&[tag, payload.len() as u8], payload].concat();
    let entry =
        |key: &str, value: String| field(0x22, &[field(0x0a, key.as_bytes()), field(0x12, value.as_bytes())].concat());
    let between = [
        entry("receiveUserId", bob.to_string()),
        entry("sendUserId", ann.to_string()),
        entry("sendUserName", "zhangsan".into()),
    ]
    .concat();
    let receiver = {
        let (mut bytes, mut rest) = (vec![0x10], bob);
        while rest >= 0x80 {
            bytes.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        bytes.push(rest as u8);
        bytes
    };
    let offline = |texts: &[&str]| {
        let batch: Vec<u8> = texts.iter().flat_map(|text| field(0x2a, text.as_bytes())).collect();
        [&receiver[..], &[0x18, 3], &between, &batch].concat()
    };
    // The channel and the private messages come in any order of the two conversations.
    let mut missed = [client.payload().await.expect("a frame"), client.payload().await.expect("a frame")];
    missed.sort();
    let mut expected = [offline(&["hi", "x"]), offline(&["hello"])];
    expected.sort();
    assert_eq!(missed, expected);
    client.write(&[0x08, 0x0a, 4, b'p', b'i', b'n', b'g', 0x18, 2]).await;
    assert_eq!(client.payload().await.expect("a pong"), [0x0a, 4, b'p', b'o', b'n', b'g', 0x18, 2]);
    assert_eq!(ask("/p2pRoute", json!({ "userId": ann, "receiveUserId": bob, "msg": "live" })).await, done);
    let live = [&field(0x0a, b"live"), &receiver[..], &[0x18, 1], &between].concat();
    assert_eq!(client.payload().await.expect("a message"), live);

    assert_eq!(ask("/offLine", json!({ "userId": bob, "msg": "offLine" })).await, done);
    assert_eq!(client.ends().await, 0);
    node.stop().await;
}

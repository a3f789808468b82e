//! Small files in the formats of CIM, WuKongIM and Tinode.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

pub const TINODE: &str = r#"{
"users": [
  {"createdAt": "-140h", "email": "alice@example.com", "tel": "+17025550001", "passhash": "alice123",
   "private": {"comment": "x"}, "public": {"fn": "Alice Hatter", "photo": "alice-128.jpg", "type": "jpg"},
   "trusted": {"verified": true}, "tags": ["Alice"], "state": "ok", "status": {"text": "DND"}, "username": "alice",
   "addressBook": ["email:bob@example.com"]},
  {"createdAt": "-139h", "passhash": "bob123", "public": {"fn": "Bob Smith"}, "state": "", "status": "stuff", "username": "bob"},
  {"createdAt": "-138h", "passhash": "carol123", "state": "susp", "username": "carol"},
  {"createdAt": "-137h", "passhash": "(random)", "state": "del", "username": "dave"},
  {"createdAt": "-133h", "passhash": "xena123", "authLevel": "root", "username": "root-user"}
],
"grouptopics": [
  {"createdAt": "-128h", "name": "*ABC", "owner": "alice", "tags": ["flower"],
   "public": {"fn": "Let's talk about flowers", "photo": "abc-128.jpg", "type": "jpg"}},
  {"createdAt": "-122h", "name": "*closed", "owner": "bob", "channel": true, "access": {"auth": "RWPD", "anon": "N"}}
],
"p2psubs": [{"createdAt": "-120h", "users": [{"name": "alice"}, {"name": "bob", "private": {"comment": "A"}, "have": "A"}]}],
"groupsubs": [
  {"createdAt": "-111.8h", "topic": "*ABC", "user": "carol"},
  {"createdAt": "-112h", "topic": "*ABC", "user": "bob", "want": "JRWPSA", "have": "JRWPSA"},
  {"createdAt": "-111h", "topic": "*ABC", "user": "dave", "want": "N"},
  {"createdAt": "-111h", "topic": "*closed", "asChan": true, "user": "carol"},
  {"createdAt": "-111h", "topic": "*gone", "user": "carol"}
],
"messages": ["It is certain", "Ask again later"],
"forms": [{"txt": "Yes", "fmt": [{"at": 0, "len": 3, "tp": "FM"}]}]
}"#;

pub fn tinode(folder: &Path) -> PathBuf {
    let path = folder.join("data.json");
    fs::write(&path, TINODE).expect("written");
    path
}

/// A bundle as `wkdb export` writes it.
pub fn wukongim(root: &Path) {
    let text = |payload: &str| STANDARD.encode(payload);
    let message = |key: &str, seq: u64, from: &str, at: u64, payload: &str| {
        format!(
            r#"{{"channel_key":"{key}","message_seq":{seq},"message_id":"{}","client_msg_no":"","from_uid":"{from}","server_timestamp_ms":{at},"payload_b64":"{}"}}"#,
            1_000 + seq,
            text(payload)
        )
    };
    let user =
        |uid: &str| format!(r#"{{"hash_slot":1,"uid":"{uid}","token":"secret","device_flag":0,"device_level":0}}"#);
    let channel = |id: &str, kind: u8, disband: u8| {
        format!(
            r#"{{"hash_slot":1,"channel_id":"{id}","channel_type":{kind},"ban":0,"disband":{disband},"send_ban":0,"allow_stranger":0,"large":0,"subscriber_mutation_version":3,"directory_projection_state":0,"directory_projection_generation":0}}"#
        )
    };
    let subscriber =
        |id: &str, uid: &str| format!(r#"{{"hash_slot":1,"channel_id":"{id}","channel_type":2,"uid":"{uid}"}}"#);
    let membership = |uid: &str, id: &str, kind: u8, read: u64| {
        format!(
            r#"{{"hash_slot":1,"uid":"{uid}","channel_id":"{id}","channel_type":{kind},"join_seq":0,"read_seq":{read},"deleted_to_seq":0,"activated_at":0,"tombstone":false,"tombstone_at":0,"source_version":"18446744073709551615","updated_at_ms":4000}}"#
        )
    };
    let index = |key: &str, id: &str, kind: u8| {
        format!(r#"{{"channel_key":"{key}","channel_id":"{id}","channel_type":{kind}}}"#)
    };
    let files: Vec<(&str, &str, Vec<String>)> = vec![
        ("meta/users.jsonl", "meta.users", vec![user("u1"), user("u2"), user("\u{202e}")]),
        (
            "meta/devices.jsonl",
            "meta.devices",
            vec![r#"{"hash_slot":1,"uid":"u1","device_flag":1,"token":"t","device_level":1}"#.to_owned()],
        ),
        (
            "meta/channels.jsonl",
            "meta.channels",
            vec![channel("g1", 2, 0), channel("gone", 2, 1), channel("quiet", 2, 0)],
        ),
        (
            "meta/subscribers.jsonl",
            "meta.subscribers",
            vec![
                subscriber("g1", "u1"),
                subscriber("g1", "u2"),
                subscriber("g1", "u3"),
                subscriber("quiet", "u1"),
                subscriber("quiet", "u2"),
            ],
        ),
        (
            "meta/memberships.jsonl",
            "meta.user_channel_memberships",
            vec![membership("u1", "u1@u2", 1, 9), membership("u2", "u1@u2", 1, 1), membership("u1", "g1", 2, 4)],
        ),
        ("meta/channel_latest.jsonl", "meta.channel_latest", vec![]),
        (
            "message/channels.jsonl",
            "message.channels",
            vec![
                index("a", "u1@u2", 1),
                index("b", "g1", 2),
                index("c", "gone", 2),
                index("d", "g1____cmd", 2),
                index("e", "numbers", 7),
            ],
        ),
        (
            "message/messages-000001.jsonl",
            "message.messages",
            vec![
                message("a", 1, "u1", 1_000, r#"{"type":1,"content":"hi"}"#),
                message("a", 2, "u2", 2_000, "plain words"),
                message("a", 5, "u1", 1_500, r#"{"type":2,"url":"x.jpg"}"#),
                message("b", 3, "u2", 5_000, r#"{"type":1,"content":"first"}"#),
            ],
        ),
        (
            "message/messages-000002.jsonl",
            "message.messages",
            vec![
                message("b", 7, "guest", 6_000, r#"{"type":1,"content":"I am passing"}"#),
                message("b", 8, "u2", 6_000, ""),
                message("c", 1, "u1", 7_000, "to no one"),
                message("d", 1, "u1", 7_000, "a command"),
                message("e", 1, "u1", 7_000, "data"),
            ],
        ),
    ];
    let mut entries = Vec::new();
    for (path, kind, rows) in files {
        let content: String = rows.iter().map(|row| format!("{row}\n")).collect();
        let sha256: String = Sha256::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect();
        let whole = root.join(path);
        fs::create_dir_all(whole.parent().expect("a folder")).expect("made");
        fs::write(whole, &content).expect("written");
        entries.push(format!(r#"{{"path":"{path}","kind":"{kind}","rows":{},"sha256":"{sha256}"}}"#, rows.len()));
    }
    let manifest = format!(
        r#"{{"format":"wkdb-import-bundle","version":1,"hash_slot_count":256,"files":[{}]}}"#,
        entries.join(",")
    );
    fs::write(root.join("manifest.json"), manifest).expect("written");
}

/// The id that CIM gives to a message, and when that was.
const EPOCH_MS: u64 = 1_622_505_600_000;
const fn sent(number: u64) -> u64 {
    (number * 1_000) << 22 | 1 << 12
}
pub fn sent_ms(number: u64) -> u64 {
    EPOCH_MS + number * 1_000
}

/// Ids of the messages 3, 4 and 5 stand in it as numbers: `sent(3)` and so on.
pub const MYSQL: &str = r#"-- MySQL dump 10.13
/*!40101 SET NAMES utf8mb4 */;
DROP TABLE IF EXISTS `offline_msg`;
CREATE TABLE `offline_msg` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `content` varchar(2000) DEFAULT 'it''s; (a default',
  PRIMARY KEY (`id`)
) ENGINE=InnoDB;
INSERT INTO `offline_msg` VALUES (1,12582916096,1700000000002,'from the table',0,1,'2026-01-01 10:00:00','{\"sendUserId\":\"1700000000003\",\"sendUserName\":\"carol\",\"receiveUserId\":\"1700000000002\"}'),(2,16777220096,1700000000001,'it\'s \"me\"\nand a \\',0,0,NULL,'{\"sendUserId\":\"1700000000002\"}'),(3,20971524096,1700000000001,'to myself',0,0,NULL,'{\"sendUserId\":\"1700000000001\"}');
INSERT INTO `cim`.`offline_msg_last_send_record` (`receive_user_id`, `last_message_id`, `updated_at`) VALUES (1700000000001,16777220096,'2026-01-01 10:00:00');
INSERT INTO `other` VALUES (1,-2.5,0xFF,_binary 'x');
"#;

fn string(bytes: &[u8]) -> Vec<u8> {
    let mut out = match bytes.len() {
        length @ 0..64 => vec![length as u8],
        length @ 64..16_384 => vec![0x40 | (length >> 8) as u8, length as u8],
        length => [&[0x80][..], &(length as u32).to_be_bytes()].concat(),
    };
    out.extend(bytes);
    out
}

/// Literal runs, and one long run of the same byte as a copy of itself.
fn compressed(before: &[u8], run: u8, count: usize, after: &[u8]) -> Vec<u8> {
    let literal = |bytes: &[u8]| {
        bytes.chunks(32).flat_map(|chunk| [&[chunk.len() as u8 - 1], chunk].concat()).collect::<Vec<u8>>()
    };
    let mut packed = literal(before);
    packed.extend([0, run]);
    // A copy of 9 to 264 bytes from one byte back.
    packed.extend([0xe0, (count - 1 - 9) as u8, 0]);
    packed.extend(literal(after));
    let length = before.len() + count + after.len();
    let size = |length: usize| [0x40 | (length >> 8) as u8, length as u8];
    [&[0xc3][..], &size(packed.len()), &size(length), &packed].concat()
}

/// A dump of Redis with what CIM writes, and some of what it does not.
pub fn rdb() -> Vec<u8> {
    let key = |kind: u8, key: &str| [vec![kind], string(key.as_bytes())].concat();
    let pair = |name: &str, value: &str| [key(0, name), string(value.as_bytes())].concat();
    let json = |id: u64, to: u64, from: u64, text: &str| {
        let inner = format!(
            r#"{{"messageId":{id},"receiveUserId":{to},"content":"{text}","messageType":0,"status":0,"createdAt":[2026,1,1,10,0],"properties":{{"sendUserId":"{from}","sendUserName":"alice","receiveUserId":"{to}"}}}}"#
        );
        // A string of JSON with JSON in it.
        serde_json::to_string(&inner).expect("a string")
    };
    let (alice, bob) = (1_700_000_000_001, 1_700_000_000_002);
    let second = json(sent(2), bob, alice, "a compressed text: @");
    let (before, after) = second.split_once('@').expect("a mark");
    [
        b"REDIS0011".to_vec(),
        [vec![0xfa], string(b"redis-ver"), string(b"7.2.0")].concat(),
        [vec![0xfa], string(b"redis-bits"), vec![0xc0, 64]].concat(),
        vec![0xfe, 0, 0xfb, 12, 2],
        pair("cim-account:1700000000001", "alice"),
        pair("alice", "cim-account:1700000000001"),
        pair("cim-account:1700000000002", "bob"),
        pair("bob", "cim-account:1700000000002"),
        pair("cim-route:1700000000001", "127.0.0.1:11211:8081"),
        // It ends in some days.
        [vec![0xfc], 1_900_000_000_000_u64.to_le_bytes().to_vec()].concat(),
        pair(&format!("offline:msg:{}", sent(1)), &json(sent(1), bob, alice, "are you there?")),
        [key(0, &format!("offline:msg:{}", sent(2))), compressed(before.as_bytes(), b'a', 200, after.as_bytes())]
            .concat(),
        [key(1, "offline:msg:user:1700000000002"), vec![2], string(b"4194308096"), string(b"8388612096")].concat(),
        // A set of numbers, and a sorted set.
        [key(11, "login-status"), string(&[2, 0, 0, 0, 1, 0, 0, 0, 7, 0])].concat(),
        [key(5, "ranks"), vec![1], string(b"alice"), 1.5_f64.to_le_bytes().to_vec()].concat(),
        pair("counter", "7"),
        vec![0xff, 0, 0, 0, 0, 0, 0, 0, 0],
    ]
    .concat()
}

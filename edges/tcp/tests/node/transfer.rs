//! Export and import between whole nodes.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use troupe_core::content::{Attachment, File};
use troupe_core::record::Author;
use troupe_core::{Body, FileHash, limits};
use troupe_proto::wire::client as wire;
use troupe_transfer::bundle::{Manifest, Reader};
use troupe_transfer::cluster::{Cluster, Refused};
use troupe_transfer::export::{self, export};
use troupe_transfer::import::{self, NoSecrets, import};
use troupe_transfer::report::Report;
use wire::admin::Operation;
use wire::admin_answer::Answer;

use troupe_raft::api::Settings;

use crate::harness::{Ask, Client, Node, ServerMessage, direct, node_with, one_node_that_invites, three_nodes, within};

/// The nodes of a cluster, asked in turn.
struct Nodes<'a> {
    nodes: &'a [Node],
    asked: AtomicU64,
    /// Requests after which the operator is killed.
    left: Option<u64>,
}

impl<'a> Nodes<'a> {
    fn of(nodes: &'a [Node]) -> Nodes<'a> {
        Nodes { nodes, asked: AtomicU64::new(0), left: None }
    }
}

impl Cluster for Nodes<'_> {
    async fn perform(&self, admin: wire::Admin) -> Result<Answer, Refused> {
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        if self.left.is_some_and(|left| number >= left) {
            return Err(Refused::here(Refused::UNAVAILABLE, "the operator is gone"));
        }
        let node = &self.nodes[number as usize % self.nodes.len()];
        let by = Author { name: "operator".into(), ..Author::default() };
        loop {
            match node.handle.operate_as_asked(by.clone(), admin.clone()).await {
                Ok(answer) => return Ok(answer.answer.expect("an answer")),
                Err(failure) if failure.kind() == wire::failure::Kind::Rejected => {
                    return Err(Refused { code: failure.code, text: failure.text });
                }
                // A leader that is about to be elected.
                Err(_) => tokio::task::yield_now().await,
            }
        }
    }

    fn id(&self) -> String {
        self.nodes[0].cluster.routing().borrow().cluster_id.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn now() -> u64 {
    troupe_runtime::Platform::production().clock.now().0
}

async fn exported(nodes: &[Node], into: &Path, password_hashes: bool) -> Manifest {
    let options = export::Options { password_hashes };
    export(&Nodes::of(nodes), into, options, [7; 16], now).await.expect("exported").0
}

async fn imported(cluster: &Nodes<'_>, from: &Path) -> troupe_transfer::Result<Report> {
    let mut bundle = Reader::open(from).expect("a bundle");
    import(cluster, &mut bundle, import::Options::default(), &mut NoSecrets, [8; 16]).await
}

async fn change(client: &mut Client, conversation: &str, change: wire::change_group::Change) {
    let (request, conversation) = (client.fresh_id(), conversation.to_owned());
    let asked = Ask::ChangeGroup(wire::ChangeGroup { request, conversation, change: Some(change) });
    let answer = client.ask(asked).await;
    assert!(matches!(answer, ServerMessage::SendAck(_)), "{answer:?}");
}

async fn react(client: &mut Client, conversation: &str, seq: u64, emoji: &str, remove: bool) {
    let (request, conversation, emoji) = (client.fresh_id(), conversation.to_owned(), emoji.to_owned());
    let answer = client.ask(Ask::React(wire::React { request, conversation, seq, emoji, remove })).await;
    assert!(matches!(answer, ServerMessage::SendAck(_)), "{answer:?}");
}

async fn reads(client: &mut Client, conversation: &str, seq: u64) {
    let conversation = conversation.to_owned();
    let answer = client.ask(Ask::MarkRead(wire::MarkRead { conversation, seq })).await;
    assert!(matches!(answer, ServerMessage::Done(_)), "{answer:?}");
}

async fn acts(client: &mut Client, other: u64, change: wire::change_contact::Change) {
    let request = client.fresh_id();
    let asked = Ask::ChangeContact(wire::ChangeContact { request, user_id: other, change: Some(change) });
    let answer = client.ask(asked).await;
    assert!(matches!(answer, ServerMessage::Done(_)), "{answer:?}");
}

async fn contact_with(client: &mut Client, other: u64) -> wire::Contact {
    match client.ask(Ask::ShowContact(wire::ShowContact { user_id: other })).await {
        ServerMessage::Contact(contact) => contact,
        answer => panic!("no contact: {answer:?}"),
    }
}

/// Waits until the other shard has said its part.
async fn becomes(client: &mut Client, other: u64, state: wire::ContactState) {
    let becoming = async {
        while contact_with(client, other).await.state() != state {
            tokio::task::yield_now().await;
        }
    };
    within(becoming).await;
}

/// A profile, contacts with a remark, an open request, and a block.
async fn meet(ann: &mut Client, bob: &mut Client, carol: &mut Client) {
    use wire::ContactState as State;
    use wire::change_contact::Change;
    let request = ann.fresh_id();
    let display_name = Some("Ann \u{1f600}".to_owned());
    let messages_from = Some(wire::Audience::Contacts.into());
    let change = wire::ChangeProfile { request, display_name, messages_from, ..Default::default() };
    assert!(matches!(ann.ask(Ask::ChangeProfile(change)).await, ServerMessage::Done(_)));
    acts(ann, bob.user, Change::Ask("It is me".into())).await;
    becomes(bob, ann.user, State::Received).await;
    acts(bob, ann.user, Change::Accept(wire::Done {})).await;
    becomes(ann, bob.user, State::Mutual).await;
    acts(ann, bob.user, Change::Remark("Bobby".into())).await;
    acts(carol, ann.user, Change::Ask("May I?".into())).await;
    becomes(ann, carol.user, State::Received).await;
    acts(carol, bob.user, Change::Block(true)).await;
}

/// Bytes of two chunks.
fn picture() -> Vec<u8> {
    (0..100_000_u32).map(|at| at as u8).collect()
}

/// Uploads a file and sends a message with it.
async fn shares(client: &mut Client, conversation: &str) {
    let (bytes, upload) = (picture(), client.fresh_id());
    let (conversation, size) = (conversation.to_owned(), bytes.len() as u64);
    let create = wire::CreateUpload {
        conversation: conversation.clone(),
        upload: upload.clone(),
        name: "a.bin".into(),
        size,
        ..Default::default()
    };
    assert!(matches!(client.ask(Ask::CreateUpload(create)).await, ServerMessage::Upload(_)));
    for (number, content) in bytes.chunks(limits::CHUNK_BYTES).enumerate() {
        let write = wire::WriteChunk {
            conversation: conversation.clone(),
            upload: upload.clone(),
            offset: (number * limits::CHUNK_BYTES) as u64,
            content: Bytes::copy_from_slice(content),
        };
        assert!(matches!(client.ask(Ask::WriteChunk(write)).await, ServerMessage::Upload(_)));
    }
    let hash = FileHash::of_file(&bytes).expect("it has bytes");
    let hash = Bytes::copy_from_slice(&hash.0);
    let file = Attachment { hash, name: "a.bin".into(), size, media_type: "application/octet-stream".into() };
    let body = Body::from(File { file: Some(file), caption: String::new() });
    let client_message_id = client.fresh_id();
    let body = Some(wire::Body { kind: body.kind, content: body.content, context: None });
    let send = wire::Send { conversation, client_message_id, after: Bytes::new(), body };
    assert!(matches!(client.ask(Ask::Send(send)).await, ServerMessage::SendAck(_)));
}

/// A bit of everything that a bundle carries.
async fn live(node: &Node) {
    use wire::change_group::Change;
    let mut ann = node.user("ann").await;
    let mut bob = node.user("bob").await;
    let mut carol = node.user("carol").await;
    meet(&mut ann, &mut bob, &mut carol).await;
    ann.send("everyone", "hello, all").await;
    let pair = direct(ann.user, bob.user);
    ann.send(&pair, "psst \u{1f600}\n\"quoted\"").await;
    bob.send(&pair, "yes?").await;
    reads(&mut ann, &pair, 2).await;
    shares(&mut bob, &pair).await;
    let team = ann.create_group("Team", &[bob.user, carol.user]).await;
    let first = ann.send(&team, "the first").await.seq;
    for number in 0..600 {
        bob.send(&team, &format!("message {number}")).await;
    }
    react(&mut carol, &team, first, "👍", false).await;
    react(&mut bob, &team, first, "❤", false).await;
    react(&mut bob, &team, first, "❤", true).await;
    change(&mut ann, &team, Change::SetRole(wire::RoleChanged { user: bob.user, role: wire::Role::Admin.into() }))
        .await;
    change(&mut bob, &team, Change::Rename("Team of three".into())).await;
    change(&mut carol, &team, Change::Leave(wire::Done {})).await;
    reads(&mut bob, &team, 100).await;
    let of_one = carol.create_group("Alone", &[]).await;
    let body = wire::Body { kind: 1_234, content: Bytes::from_static(&[0, 255, 7]), context: None };
    let (client_message_id, conversation) = (carol.fresh_id(), of_one.clone());
    let send = wire::Send { conversation, client_message_id, after: Bytes::new(), body: Some(body) };
    assert!(matches!(carol.ask(Ask::Send(send)).await, ServerMessage::SendAck(_)));
    change(&mut carol, &of_one, Change::Leave(wire::Done {})).await;
    let cluster = std::slice::from_ref(node);
    let mut dave = node.user("dave").await;
    dave.send("everyone", "I will be gone").await;
    for operation in [Operation::DeleteAccount("dave".into()), Operation::DisableAccount("carol".into())] {
        let request = Bytes::copy_from_slice(&node.platform.rng.bytes::<16>());
        Nodes::of(cluster).perform(wire::Admin { request, operation: Some(operation) }).await.expect("done");
    }
}

/// The direct conversation of a user that has one.
async fn list_direct(client: &mut Client) -> String {
    let list = client.ask(Ask::ListConversations(wire::ListConversations::default())).await;
    let ServerMessage::Conversations(list) = list else { panic!("no list") };
    let direct = list.conversations.into_iter().find(|it| it.conversation.starts_with('d'));
    direct.expect("a direct conversation").conversation
}

/// All parts of two bundles are equal, byte for byte.
fn are_equal(a: &Manifest, b: &Manifest) {
    assert_ne!(a.source, b.source);
    let counts = |of: &Manifest| (of.accounts, of.conversations, of.events, of.files);
    assert_eq!(counts(a), counts(b));
    assert_eq!(a.parts, b.parts);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_trip_is_equal_and_a_second_import_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let [first, second] = ["first", "second"].map(|name| folder.path().join(name));
    let from = one_node_that_invites().await;
    live(&from).await;
    let before = exported(std::slice::from_ref(&from), &first, true).await;
    assert_eq!((before.accounts, before.conversations, before.files), (4, 4, 1));
    assert!(before.events > 610);
    // Ann and bob want each other, carol wants ann and blocks bob.
    assert_eq!(before.contacts, 4);

    let nodes = three_nodes().await;
    let cluster = Nodes::of(&nodes);
    let report = imported(&cluster, &first).await.expect("imported");
    assert_eq!(report.failures, Vec::new());
    assert_eq!(report.taken.get("events"), Some(&before.events));
    assert_eq!((report.taken.get("profiles"), report.taken.get("contacts")), (Some(&1), Some(&4)));
    are_equal(&before, &exported(&nodes, &second, true).await);

    let again = imported(&cluster, &first).await.expect("imported");
    assert_eq!((again.taken.get("events"), again.taken.get("accounts"), again.failed), (None, None, 0));
    assert_eq!(again.found.get("events"), Some(&before.events));
    assert_eq!((again.taken.get("profiles"), again.taken.get("contacts")), (None, None));
    assert_eq!((again.found.get("profiles"), again.found.get("contacts")), (Some(&1), Some(&4)));
    let third = folder.path().join("third");
    are_equal(&before, &exported(&nodes, &third, true).await);

    // Users come in with the passwords that they had, and find what they had.
    let mut bob = nodes[1].greeted().await;
    bob.log_in("bob", "phone").await;
    let hash = FileHash::of_file(&picture()).expect("it has bytes");
    let pair = list_direct(&mut bob).await;
    let read = wire::ReadFile { conversation: pair, hash: Bytes::copy_from_slice(&hash.0), offset: 65_536 };
    let part = bob.ask(Ask::ReadFile(read)).await;
    assert!(matches!(part, ServerMessage::FilePart(part) if part.content == picture()[65_536..]));
    let list = bob.ask(Ask::ListConversations(wire::ListConversations::default())).await;
    let ServerMessage::Conversations(list) = list else { panic!("no list") };
    let team = list.conversations.iter().find(|it| it.name == "Team of three").expect("the group");
    assert_eq!((team.read, team.members), (100, 2));
    assert!(bob.send(&team.conversation, "it goes on").await.seq > 600);
    // Ann is bob's contact, and carol, who blocks him, takes no message of his.
    let ann = info(&mut bob, "ann").await;
    assert_eq!(ann.profile.expect("a profile").display_name, "Ann \u{1f600}");
    becomes(&mut bob, ann.user_id, wire::ContactState::Mutual).await;
    let carol = info(&mut bob, "carol").await;
    let to_carol = direct(bob.user, carol.user_id);
    let body = Some(wire::Body { kind: 1, content: Bytes::from_static(b"hello?"), context: None });
    let client_message_id = bob.fresh_id();
    let send = wire::Send { conversation: to_carol, client_message_id, after: Bytes::new(), body };
    let answer = bob.ask(Ask::Send(send)).await;
    assert!(matches!(&answer, ServerMessage::Failure(failure) if failure.code == "not_taken"), "{answer:?}");
    for node in nodes {
        node.stop().await;
    }
    from.stop().await;
}

async fn info(client: &mut Client, name: &str) -> wire::User {
    let names = wire::GetUsers { names: vec![name.to_owned()], ..Default::default() };
    match client.ask(Ask::GetUsers(names)).await {
        ServerMessage::Users(found) => found.users.into_iter().next().expect("the user"),
        answer => panic!("no user: {answer:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_was_killed_is_completed_by_the_next() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = folder.path().join("first");
    let from = one_node_that_invites().await;
    live(&from).await;
    let before = exported(std::slice::from_ref(&from), &first, false).await;
    let to = one_node_that_invites().await;
    let nodes = std::slice::from_ref(&to);
    // After one request, after two, and so on, until none is left to be killed.
    let mut left = 1;
    loop {
        let killed = Nodes { left: Some(left), ..Nodes::of(nodes) };
        match imported(&killed, &first).await {
            Err(error) => assert!(error.to_string().contains("the operator is gone"), "{error}"),
            Ok(report) => {
                assert_eq!(report.failures, Vec::new());
                break;
            }
        }
        left += 1;
    }
    assert!(left > 15, "only {left} requests");
    let second = folder.path().join("second");
    are_equal(&before, &exported(nodes, &second, false).await);
    from.stop().await;
    to.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_administrator_is_each_clusters_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let [first, second] = ["first", "second"].map(|name| folder.path().join(name));
    let settings = || Settings { first_admin: "admin".into(), ..Settings::default() };
    let from = node_with(settings()).await;
    within(from.handle.born().wait_for(Option::is_some)).await.expect("born");
    from.user("ann").await.send("everyone", "hello").await;
    let before = exported(std::slice::from_ref(&from), &first, false).await;
    assert_eq!(before.accounts, 2);
    // At once: the cluster may not have made its administrator yet.
    let to = node_with(settings()).await;
    let nodes = std::slice::from_ref(&to);
    let report = imported(&Nodes::of(nodes), &first).await.expect("imported");
    assert_eq!(report.failures, Vec::new());
    within(to.handle.born().wait_for(Option::is_some)).await.expect("born all the same");
    are_equal(&before, &exported(nodes, &second, false).await);
    from.stop().await;
    to.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_are_taken_are_not_merged_unasked() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = folder.path().join("first");
    let (from, to) = (one_node_that_invites().await, one_node_that_invites().await);
    let mut ann = from.user("ann").await;
    let pair = {
        let bob = from.user("bob").await;
        direct(ann.user, bob.user)
    };
    ann.send(&pair, "psst").await;
    exported(std::slice::from_ref(&from), &first, false).await;
    let mut other = to.user("ann").await;
    other.send("everyone", "I was here first").await;
    let nodes = std::slice::from_ref(&to);
    let report = imported(&Nodes::of(nodes), &first).await.expect("an answer");
    assert_eq!(report.failures.iter().map(|failure| failure.code.as_str()).collect::<Vec<_>>(), ["name_taken"]);
    assert_eq!(report.taken.get("events"), None);
    let mut bundle = Reader::open(&first).expect("a bundle");
    let options = import::Options { merge: true, without_everyone: true };
    let report = import(&Nodes::of(nodes), &mut bundle, options, &mut NoSecrets, [9; 16]).await.expect("imported");
    assert_eq!((report.failures.len(), report.taken.get("events")), (0, Some(&1)));

    let own = Reader::open(&first).map(|mut bundle| async move {
        import(&Nodes::of(std::slice::from_ref(&from)), &mut bundle, options, &mut NoSecrets, [9; 16]).await
    });
    let error = own.expect("a bundle").await.expect_err("the cluster has it already").to_string();
    assert!(error.contains("of this very cluster"), "{error}");
    to.stop().await;
}

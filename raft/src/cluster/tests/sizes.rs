//! Sizes of entries: nothing too large enters a log, and large entries of an earlier version can be
//! sent.

use bytes::Bytes;
use troupe_core::command::{Append, CreateGroup, Intent};
use troupe_core::limits::{BATCH_COMMANDS, ENTRY_BYTES, FRAME_BYTES, NODE_FRAME_BYTES, OLD_ENTRY_BYTES};
use troupe_core::{GroupId as ChatGroup, Rejection, Timestamp};
use troupe_proto::record::{Record, StampedBatch};
use troupe_proto::wire::raft as wire;
use troupe_store::engine::{Batch, Durability, Engine, Family};
use troupe_store::key::{RaftLogKey, raft::group_range};

use super::*;
use crate::codec;
use crate::timing::STALLED_AFTER;
use crate::transport::frame::CALL_BYTES;
use crate::types::GroupId;

const SHARD: ShardId = ShardId(0);
const OWNER: UserId = UserId(5);

fn rename(group: ChatGroup, number: u8, name: String) -> Command {
    let (conversation, client_message_id) = (ConversationId::Group(group), ClientMessageId([number; 16]));
    Command::Append(Append {
        conversation,
        actor: OWNER,
        client_message_id,
        after: None,
        intent: Intent::Rename { name },
    })
}

/// The worst load of one account: as many renames as an entry held, each as large as a client's
/// frame.
fn renames(group: ChatGroup) -> Vec<Command> {
    (1..=BATCH_COMMANDS as u8).map(|number| rename(group, number, "n".repeat(FRAME_BYTES - 64))).collect()
}

async fn one_shard(test_net: &TestNet) -> (Vec<Node>, Vec<Cluster>) {
    let mut nodes = three(test_net);
    nodes.iter_mut().for_each(|node| node.config.shards = 1);
    let clusters = start_all(&nodes, LogLimits::default()).await;
    settled(&clusters.iter().collect::<Vec<_>>()).await;
    (nodes, clusters)
}

async fn leader(clusters: &[Cluster]) -> usize {
    commit(&clusters.iter().collect::<Vec<_>>(), "before").await;
    clusters.iter().position(|cluster| cluster.led().borrow().contains_key(&SHARD)).expect("somebody leads")
}

async fn found_group(cluster: &Cluster) -> ChatGroup {
    let (creator, request) = (OWNER, ClientMessageId([200; 16]));
    let create = CreateGroup { creator, request, name: "Team".to_owned(), open: false, members: Vec::new() };
    let outcomes = cluster.propose(SHARD, vec![Command::CreateGroup(create)]).await.expect("committed");
    match outcomes[0].reply {
        Reply::GroupCreated { group } => group,
        ref other => panic!("{other:?}"),
    }
}

fn name_of(cluster: &Cluster, group: ChatGroup) -> String {
    View::new(cluster.engine()).conversation(ConversationId::Group(group)).unwrap().expect("it is there").name
}

/// Index and bytes of the entries on a disk.
fn entries(node: &Node) -> Vec<(u64, usize)> {
    let (from, to) = group_range(GroupId::of(SHARD).0);
    let range = (std::ops::Bound::Included(from), std::ops::Bound::Excluded(to));
    let rows = node.disk.scan(Family::RaftLog, range, false, 10_000).unwrap();
    rows.iter().map(|(key, row)| (RaftLogKey::decode(key).unwrap().index, row.len())).collect()
}

/// Appends like an earlier version: the last entry of the log, on this disk only. Returns its
/// index.
fn append_to_disk(node: &Node, payload: Vec<u8>) -> u64 {
    let last = entries(node).last().expect("a log").0;
    let key = |index| RaftLogKey { group: GroupId::of(SHARD).0, index }.encode();
    let row = node.disk.get(Family::RaftLog, &key(last)).unwrap().expect("the last entry");
    let term = codec::open::<wire::Entry>(&row, "entry").unwrap().log_id.expect("its id").term;
    let payload = Some(wire::entry::Payload::Normal(Bytes::from(payload)));
    let entry = wire::Entry { log_id: Some(wire::LogId { term, index: last + 1 }), payload };
    let mut batch = Batch::default();
    batch.put(Family::RaftLog, key(last + 1), codec::seal(&entry));
    node.disk.write(batch, Durability::Synced).unwrap();
    last + 1
}

#[tokio::test(start_paused = true)]
async fn commands_with_long_names_share_entries_by_their_encoded_size() {
    let test_net = TestNet::default();
    let (nodes, clusters) = one_shard(&test_net).await;
    let leader = leader(&clusters).await;
    let group = found_group(&clusters[leader]).await;
    let outcomes = clusters[leader].propose(SHARD, renames(group)).await.expect("a majority takes all of it");
    assert_eq!(outcomes.len(), BATCH_COMMANDS);
    assert!(outcomes.iter().all(|outcome| outcome.reply == Reply::Rejected(Rejection::BadName)));
    let largest = entries(&nodes[leader]).into_iter().map(|(_, bytes)| bytes).max().unwrap();
    assert!(largest <= ENTRY_BYTES, "an entry of {largest} bytes");
    for cluster in &clusters {
        cluster.shutdown().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_command_that_fits_no_entry_is_refused_before_it_enters_the_log() {
    let test_net = TestNet::default();
    let (nodes, clusters) = one_shard(&test_net).await;
    let leader = leader(&clusters).await;
    let before = entries(&nodes[leader]).len();
    let large = rename(ChatGroup(1), 1, "n".repeat(ENTRY_BYTES));
    let refused = clusters[leader].propose(SHARD, vec![register("beside").1, large]).await;
    assert!(matches!(refused, Err(ProposeError::TooLarge)), "{:?}", refused.err());
    assert_eq!(entries(&nodes[leader]).len(), before, "nothing of it is in the log");
    assert!(!knows(&clusters[leader], "beside"));
    for cluster in &clusters {
        cluster.shutdown().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_shard_whose_log_holds_an_entry_larger_than_a_frame_heals() {
    let test_net = TestNet::default();
    let (mut nodes, clusters) = one_shard(&test_net).await;
    let first = leader(&clusters).await;
    let group = found_group(&clusters[first]).await;
    commit(&clusters.iter().collect::<Vec<_>>(), "last").await;
    for cluster in &clusters {
        learns(cluster, "last").await;
    }
    for (cluster, node) in clusters.iter().zip(&mut nodes) {
        cluster.shutdown().await;
        node.crash();
    }
    let batch =
        StampedBatch { now: Timestamp(1_800_000_000_000), level: troupe_core::Level::NEWEST, commands: renames(group) };
    let payload = batch.encode();
    assert!(payload.len() > NODE_FRAME_BYTES && payload.len() <= OLD_ENTRY_BYTES, "{} bytes", payload.len());
    let index = append_to_disk(&nodes[first], payload);

    // Of two nodes only the one with the longer log can lead, and it leads nothing without the
    // other.
    let others: Vec<usize> = (0..3).filter(|at| *at != first).collect();
    let two = [start(&nodes[first]).await, start(&nodes[others[0]]).await];
    commit(&two.iter().collect::<Vec<_>>(), "after").await;
    learns(&two[1], "after").await;
    let carried = entries(&nodes[others[0]]).into_iter().find(|(at, _)| *at == index).expect("it has the entry");
    assert!(carried.1 > NODE_FRAME_BYTES);
    let third = start(&nodes[others[1]]).await;
    learns(&third, "after").await;
    for cluster in two.iter().chain([&third]) {
        assert_eq!(name_of(cluster, group), "Team", "the name rule decides as it did");
        let status = cluster.status().await;
        assert_eq!((status.troubles(), status.unsendable_total), (Vec::new(), 0));
        cluster.shutdown().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_no_peer_takes_is_loud() {
    let test_net = TestNet::default();
    let (mut nodes, clusters) = one_shard(&test_net).await;
    let first = leader(&clusters).await;
    for cluster in &clusters {
        learns(cluster, "before").await;
    }
    for (cluster, node) in clusters.iter().zip(&mut nodes) {
        cluster.shutdown().await;
        node.crash();
    }
    let index = append_to_disk(&nodes[first], vec![0; CALL_BYTES + 1]);
    let other = (first + 1) % 3;
    let two = [start(&nodes[first]).await, start(&nodes[other]).await];
    let loud = async {
        let mut tick = tokio::time::interval(Duration::from_millis(100));
        loop {
            tick.tick().await;
            let status = two[0].status().await;
            if !status.unsendable.is_empty() && !status.stalled.is_empty() {
                return status;
            }
        }
    };
    let status = timeout(PATIENCE, loud).await.expect("it says so");
    assert_eq!(status.unsendable[0].index, index);
    assert!(status.stalled[&GroupId::of(SHARD)] >= STALLED_AFTER);
    let reasons = status.troubles();
    let says = |what: &str| reasons.iter().any(|reason| reason.contains(what));
    assert!(says("has committed nothing") && says("more than node"), "{reasons:?}");
    for cluster in &two {
        cluster.shutdown().await;
    }
}

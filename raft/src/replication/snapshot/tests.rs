//! Blocks that fit a frame, and patience with a receiver.

use std::ops::Bound;

use prost::Message;
use tokio::time::{Instant, sleep};
use troupe_core::limits::{ENTRY_BYTES, NODE_FRAME_BYTES};
use troupe_proto::wire::raft::{self as wire, SnapshotFrame};
use troupe_runtime::Stream;
use troupe_store::engine::Family;

use super::block::{open_block, pack};
use super::frames::{Part, write};
use super::receive::while_working;
use super::send::reply;
use crate::timing::SNAPSHOT_STALL;

#[test]
fn blocks_of_the_largest_rows_fit_a_frame_and_carry_each_row_once() {
    use troupe_store::engine::{Batch, Durability, Engine};
    use troupe_store::memory::Memory;
    let engine = Memory::new();
    let mut batch = Batch::default();
    // Incompressible bytes, in rows as large as an entry.
    let mut noise = 1u64;
    for number in 0..20u8 {
        let mut byte = |_| {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (noise >> 56) as u8
        };
        let value: Vec<u8> = (0..ENTRY_BYTES).map(&mut byte).collect();
        batch.put(Family::Events, [number], value);
    }
    engine.write(batch, Durability::Synced).unwrap();
    let (mut next, mut keys) = (Some(Bound::Unbounded), Vec::new());
    while let Some(begin) = next {
        let block = pack(&engine, Family::Events, begin, vec![255]).unwrap();
        next = block.next;
        let Some(packed) = block.packed else { continue };
        let pairs: wire::SnapshotPairs = open_block(&packed).unwrap();
        keys.extend(pairs.pairs.into_iter().map(|pair| pair.key[0]));
        let frame = SnapshotFrame { frame: Some(Part::Block(packed)) };
        assert!(frame.encoded_len() <= NODE_FRAME_BYTES, "{} bytes", frame.encoded_len());
    }
    assert_eq!(keys, (0..20).collect::<Vec<u8>>());
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_works_is_waited_for_and_one_that_is_gone_is_not() {
    let (here, there) = tokio::io::duplex(1024);
    let (mut here, mut there): (Box<dyn Stream>, Box<dyn Stream>) = (Box::new(here), Box::new(there));
    let long = 3 * SNAPSHOT_STALL;
    let works = async {
        while_working(&mut there, sleep(long)).await.unwrap();
        write(&mut there, Part::Reply(wire::SnapshotReply::default())).await.unwrap();
    };
    let begin = Instant::now();
    let (answer, ()) = tokio::join!(reply(&mut here), works);
    assert!(matches!(answer.unwrap(), Part::Reply(_)) && begin.elapsed() >= long);

    let begin = Instant::now();
    assert!(reply(&mut here).await.is_err());
    assert!(begin.elapsed() < 2 * SNAPSHOT_STALL);
}

use bytes::Bytes;
use prost::Message as _;
use troupe_core::ShardId;
use troupe_proto::wire::mesh::Frame;

use super::*;
use crate::mesh::Kind;

fn envelope(number: u64, bytes: usize) -> Envelope {
    let body = Bytes::from(vec![7; bytes]);
    Envelope { kind: Kind::Push, correlation: number, shard: Some(ShardId(u32::MAX)), deadline_ms: u32::MAX, body }
}

/// The next batch, if the lane may send one now.
fn take(lane: &Lane, room: bool) -> Option<Batch> {
    lane.state.lock().take(room)
}

fn numbers(batch: &Batch) -> Vec<u64> {
    batch.envelopes.iter().map(|envelope| envelope.correlation).collect()
}

#[test]
fn queued_envelopes_go_in_batches_and_in_order() {
    let lane = Lane::new();
    for number in 0..600 {
        lane.push(envelope(number, 10)).unwrap();
    }
    let batches: Vec<Batch> = std::iter::from_fn(|| take(&lane, true)).collect();
    assert_eq!(batches.iter().map(|batch| batch.envelopes.len()).collect::<Vec<_>>(), [256, 256, 88]);
    assert_eq!(batches.iter().flat_map(numbers).collect::<Vec<_>>(), (0..600).collect::<Vec<_>>());
}

#[test]
fn a_big_envelope_goes_alone() {
    let lane = Lane::new();
    lane.push(envelope(0, 10)).unwrap();
    lane.push(envelope(1, 2 * BATCH_BYTES)).unwrap();
    lane.push(envelope(2, 10)).unwrap();
    let batches: Vec<Vec<u64>> = std::iter::from_fn(|| take(&lane, true)).map(|batch| numbers(&batch)).collect();
    assert_eq!(batches, [[0], [1], [2]]);
}

#[test]
fn the_largest_envelope_fits_into_a_frame_and_a_larger_one_is_refused() {
    let lane = Lane::new();
    assert_eq!(lane.push(envelope(0, BODY_BYTES + 1)), Err(MeshError::TooLarge));

    let mut largest = envelope(u64::MAX, BODY_BYTES);
    largest.kind = Kind::Reply;
    lane.push(largest).unwrap();
    let batch = take(&lane, true).unwrap();
    let frame = Frame {
        from: u64::MAX,
        link: u64::MAX,
        lane: u32::MAX,
        envelopes: batch.envelopes.into_iter().map(Into::into).collect(),
        credits: u32::MAX,
        control: None,
    };
    assert!(frame.encoded_len() <= limits::NODE_FRAME_BYTES);
}

#[test]
fn nothing_is_sent_without_credit_and_everything_once_it_is_back() {
    let lane = Lane::new();
    for number in 0..WINDOW as u64 + 1 {
        lane.push(envelope(number, UNIT_BYTES - 1000)).unwrap();
    }
    for number in 0..WINDOW as u64 {
        assert_eq!(numbers(&take(&lane, true).unwrap()), [number]);
    }
    assert!(take(&lane, true).is_none());
    lane.grant(1);
    assert_eq!(numbers(&take(&lane, true).unwrap()), [WINDOW as u64]);
}

#[test]
fn a_peer_cannot_open_the_window_by_granting_too_much() {
    let lane = Lane::new();
    lane.grant(u32::MAX);
    lane.grant(u32::MAX);
    assert_eq!(lane.state.lock().credits, WINDOW);
}

#[test]
fn a_frame_larger_than_the_credit_left_overdraws_it_and_pays_back() {
    let lane = Lane::new();
    lane.state.lock().credits = 1;
    lane.push(envelope(0, BODY_BYTES)).unwrap();
    lane.push(envelope(1, 1)).unwrap();
    assert_eq!(numbers(&take(&lane, true).unwrap()), [0]);
    lane.grant(31);
    assert!(take(&lane, true).is_none(), "32 credits were spent and 1 was there");
    lane.grant(1);
    assert_eq!(numbers(&take(&lane, true).unwrap()), [1]);
}

#[test]
fn too_many_and_too_much_are_refused() {
    let lane = Lane::new();
    for number in 0..limits::LANE_ENVELOPES as u64 {
        lane.push(envelope(number, 0)).unwrap();
    }
    assert_eq!(lane.push(envelope(0, 0)), Err(MeshError::Full));

    let lane = Lane::new();
    let half = BODY_BYTES / 2;
    let fitting = limits::LANE_BYTES / frame::size(&envelope(0, half));
    for number in 0..fitting as u64 {
        lane.push(envelope(number, half)).unwrap();
    }
    assert_eq!(lane.push(envelope(0, half)), Err(MeshError::Full));
}

#[test]
fn credits_go_with_envelopes_or_alone_when_enough_are_owed() {
    let lane = Lane::new();
    lane.spent(1);
    assert!(take(&lane, true).is_none(), "one alone waits for company");
    lane.push(envelope(0, 0)).unwrap();
    assert_eq!(take(&lane, true).unwrap().credits, 1);
    for _ in 0..RETURN_AT {
        lane.spent(UNIT_BYTES);
    }
    let alone = take(&lane, true).unwrap();
    assert_eq!((alone.envelopes.len(), alone.credits), (0, RETURN_AT));
}

#[tokio::test]
async fn credits_are_withheld_while_the_gauge_is_full() {
    let gauge = Gauge::new(1);
    let lane = Lane::new();
    let permit = gauge.enter();
    for _ in 0..RETURN_AT {
        lane.spent(1);
    }
    lane.push(envelope(0, 0)).unwrap();
    assert_eq!(lane.next(&gauge).await.credits, 0);

    let returned = lane.next(&gauge);
    tokio::pin!(returned);
    assert!(futures::poll!(&mut returned).is_pending());
    drop(permit);
    assert_eq!(returned.await.credits, RETURN_AT);
}

#[tokio::test]
async fn a_push_wakes_the_sender_and_a_closed_lane_takes_nothing() {
    let gauge = Gauge::new(1);
    let lane = Lane::new();
    {
        let next = lane.next(&gauge);
        tokio::pin!(next);
        assert!(futures::poll!(&mut next).is_pending());
        lane.push(envelope(5, 0)).unwrap();
        assert_eq!(numbers(&next.await), [5]);
    }
    lane.close();
    assert_eq!(lane.push(envelope(6, 0)), Err(MeshError::Down));
}

//! The frame codec, byte by byte.

use bytes::{Bytes, BytesMut};
use proptest::collection::vec;
use proptest::prelude::*;
use tokio_util::codec::{Decoder, Encoder};
use troupe_core::limits;
use troupe_proto::frame::{FrameCodec, FrameDecoder, FrameError, encode_frame};
use troupe_proto::wire::client::Ping;

fn framed(payloads: &[Vec<u8>]) -> Vec<u8> {
    payloads.iter().flat_map(|payload| [&(payload.len() as u32).to_be_bytes(), &payload[..]].concat()).collect()
}

proptest! {
    #[test]
    fn pieces_of_any_size_give_the_same_frames(
        payloads in vec(vec(any::<u8>(), 1..40), 0..6),
        pieces in vec(1..9usize, 1..8),
    ) {
        let stream = framed(&payloads);
        let decoder = FrameDecoder { cap: 40 };
        let (mut source, mut frames) = (BytesMut::new(), Vec::new());
        let (mut rest, mut sizes) = (&stream[..], pieces.iter().cycle());
        while !rest.is_empty() {
            let (piece, later) = rest.split_at((*sizes.next().expect("a cycle")).min(rest.len()));
            rest = later;
            source.extend_from_slice(piece);
            while let Some(frame) = decoder.decode(&mut source).expect("all frames are small") {
                frames.push(frame.to_vec());
            }
        }
        prop_assert_eq!(frames, payloads);
        prop_assert!(source.is_empty());
    }

    #[test]
    fn any_bytes_are_taken_or_refused(bytes in vec(any::<u8>(), 0..200), cap in 1..100usize) {
        let mut source = BytesMut::from(&bytes[..]);
        let decoder = FrameDecoder { cap };
        while let Ok(Some(frame)) = decoder.decode(&mut source) {
            prop_assert!((1..=cap).contains(&frame.len()));
        }
    }
}

#[test]
fn a_large_frame_is_refused_by_its_length_alone() {
    let mut source = BytesMut::from(&u32::MAX.to_be_bytes()[..]);
    let before = source.capacity();
    let result = FrameDecoder { cap: limits::FRAME_BYTES }.decode(&mut source);
    let length = u32::MAX as usize;
    assert!(
        matches!(result, Err(FrameError::TooLarge { length: l, cap: limits::FRAME_BYTES }) if l == length),
        "{result:?}"
    );
    assert_eq!(source.capacity(), before, "nothing was allocated for it");
}

#[test]
fn the_cap_itself_is_allowed_and_one_more_is_not() {
    let decoder = FrameDecoder { cap: 5 };
    let mut source = BytesMut::from(&framed(&[vec![7; 5], vec![7; 6]])[..]);
    assert_eq!(decoder.decode(&mut source).expect("at the cap"), Some(Bytes::from_static(&[7; 5])));
    assert!(matches!(decoder.decode(&mut source), Err(FrameError::TooLarge { length: 6, cap: 5 })));
}

#[test]
fn a_frame_of_nothing_is_an_error() {
    let mut source = BytesMut::from(&[0u8; 4][..]);
    assert!(matches!(FrameDecoder { cap: 5 }.decode(&mut source), Err(FrameError::Empty)));
}

#[test]
fn incomplete_frames_wait() {
    let decoder = FrameDecoder { cap: 5 };
    let whole = framed(&[vec![1, 2, 3]]);
    for length in 0..whole.len() {
        let mut source = BytesMut::from(&whole[..length]);
        assert!(matches!(decoder.decode(&mut source), Ok(None)), "after {length} bytes");
        assert_eq!(source.len(), length, "nothing is taken before the frame is whole");
    }
}

#[test]
fn both_ends_of_a_codec_agree() {
    let ping = Ping { nonce: 300 };
    let mut wire = BytesMut::new();
    FrameCodec::client().encode(&ping, &mut wire).expect("a small frame");
    let mut plain = BytesMut::new();
    encode_frame(&ping, &mut plain);
    assert_eq!(wire, plain);

    let payload = FrameCodec::server().decode(&mut wire).expect("a good frame").expect("a whole frame");
    assert!(wire.is_empty());
    FrameCodec::server().encode(payload, &mut wire).expect("a small frame");
    assert_eq!(wire, plain, "an encoded payload is framed alike");
}

#[test]
fn a_codec_does_not_send_what_the_other_end_refuses() {
    let mut wire = BytesMut::new();
    let too_large = Bytes::from(vec![0; limits::FRAME_BYTES + 1]);
    let error = FrameCodec::client().encode(too_large.clone(), &mut wire);
    assert!(matches!(error, Err(FrameError::TooLarge { cap: limits::FRAME_BYTES, .. })), "{error:?}");
    assert!(matches!(FrameCodec::client().encode(&Ping { nonce: 0 }, &mut wire), Err(FrameError::Empty)));
    assert!(wire.is_empty(), "nothing of it was written");
    FrameCodec::server().encode(too_large, &mut wire).expect("servers may send more");
}

//! The frame codec, byte by byte.

use bytes::{Bytes, BytesMut};
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;
use tokio_util::codec::{Decoder, Encoder};
use troupe_core::limits;
use troupe_proto::frame::{FrameCodec, FrameDecoder, FrameError, encode_frame, read_frame, write_frame};
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

/// A runtime for streams in memory.
fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(work)
}

#[test]
fn a_message_survives_a_stream_and_the_next_one_is_untouched() {
    block_on(async {
        let (mut near, mut far) = tokio::io::duplex(7);
        let sent = [Ping { nonce: 3 }, Ping { nonce: u64::MAX }];
        let write = async {
            for message in &sent {
                write_frame(&mut near, message, 100).await.expect("it is small");
            }
            drop(near);
        };
        let read = async {
            for message in &sent {
                let payload = read_frame(&mut far, 100).await.expect("it is whole");
                assert_eq!(Ping::decode(payload).expect("a ping"), *message);
            }
            read_frame(&mut far, 100).await.expect_err("nothing follows")
        };
        let ((), end) = tokio::join!(write, read);
        let kind = |error: FrameError| std::io::Error::from(error).kind();
        assert_eq!(kind(end), std::io::ErrorKind::UnexpectedEof);
    });
}

#[test]
fn a_stream_is_refused_by_the_announced_length_and_one_that_ends_early_too() {
    let read = |bytes: &[u8]| block_on(read_frame(&mut &bytes[..], 100)).expect_err("it is refused");
    assert!(matches!(read(&[0, 0, 0, 101, 1]), FrameError::TooLarge { length: 101, cap: 100 }));
    assert!(matches!(read(&[0, 0, 0, 0]), FrameError::Empty));
    for cut in 0..6 {
        let error = std::io::Error::from(read(&[0, 0, 0, 3, 1, 2][..cut]));
        assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof, "{cut} bytes");
    }
}

#[test]
fn nothing_above_the_cap_is_written() {
    let mut written = Vec::new();
    let message = Ping { nonce: u64::MAX };
    let error = block_on(write_frame(&mut written, &message, 3)).expect_err("it is too large");
    assert!(matches!(error, FrameError::TooLarge { cap: 3, .. }));
    assert!(written.is_empty());
}

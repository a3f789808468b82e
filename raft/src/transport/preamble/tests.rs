use proptest::prelude::*;
use tokio::io::AsyncWriteExt;
use troupe_core::NodeId;

use super::{Answer, Garbled, Preamble, Protocol, Verdict};
use crate::transport::token::Fingerprint;

fn preamble() -> Preamble {
    Preamble {
        protocol: Protocol::Mesh,
        cluster: [9; 16],
        from: NodeId(1),
        to: NodeId(u64::MAX),
        fingerprint: Some(Fingerprint([5; 8])),
    }
}

#[tokio::test]
async fn a_preamble_and_its_answer_arrive_as_sent() {
    let (mut near, mut far) = tokio::io::duplex(256);
    for fingerprint in [None, Some(Fingerprint([5; 8])), Some(Fingerprint([0; 8]))] {
        let sent = Preamble { fingerprint, ..preamble() };
        sent.send(&mut near).await.unwrap();
        assert_eq!(Preamble::receive(&mut far).await.unwrap(), sent);
    }
    for verdict in Verdict::ALL {
        let sent = Answer { verdict, cluster: [2; 16], node: NodeId(3) };
        sent.send(&mut far).await.unwrap();
        assert_eq!(Answer::receive(&mut near).await.unwrap(), sent);
    }
}

#[test]
fn the_bytes_are_those_of_version_one() {
    let bytes = preamble().encode();
    assert_eq!(&bytes[..5], b"TRP1\x03");
    assert_eq!(bytes[5..21], [9; 16]);
    assert_eq!(bytes[21..29], [0, 0, 0, 0, 0, 0, 0, 1]);
    assert_eq!(bytes[29..37], [0xff; 8]);
    assert_eq!(bytes[37..], [5, 5, 5, 5, 5, 5, 5, 5, 1]);
}

#[tokio::test]
async fn an_alert_and_a_stranger_are_told_apart_without_waiting_for_more() {
    let (mut near, mut far) = tokio::io::duplex(256);
    far.write_all(&[0x15, 3, 3, 0, 2, 2, 40]).await.unwrap();
    assert!(matches!(Answer::receive(&mut near).await, Err(Garbled::Tls)));
    let (mut near, mut far) = tokio::io::duplex(256);
    far.write_all(b"HTTP").await.unwrap();
    assert!(matches!(Answer::receive(&mut near).await, Err(Garbled::Foreign)));
}

proptest! {
    #[test]
    fn decoding_is_total_and_exact(bytes in proptest::array::uniform32(any::<u8>()), tail in proptest::array::uniform14(any::<u8>())) {
        let mut all = [0u8; 46];
        all[..32].copy_from_slice(&bytes);
        all[32..].copy_from_slice(&tail);
        all[..4].copy_from_slice(b"TRP1");
        all[4] %= 6;
        all[45] %= 3;
        match Preamble::decode(&all) {
            // Without a token the fingerprint's bytes are ignored.
            Some(decoded) if decoded.fingerprint.is_some() => prop_assert_eq!(decoded.encode(), all),
            Some(decoded) => prop_assert_eq!(&decoded.encode()[..37], &all[..37]),
            None => prop_assert!(!(1..=4).contains(&all[4]) || all[45] == 2),
        }
    }
}

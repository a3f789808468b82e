use std::collections::BTreeMap;

use proptest::prelude::*;
use prost::Message;
use tokio::io::AsyncWriteExt;
use troupe_core::level::Range;
use troupe_core::{Level, NodeId};
use troupe_proto::wire::raft as wire;

use super::Step;
use super::{
    Admission, Announcement, Answer, Boot, CAP, Held, Membership, PeerState, PeerStatus, Question, Start, receive, send,
};
use crate::api::{Addresses, JoinRequest};
use crate::formation::bootstrap::Bootstrap;
use crate::formation::identity::{FORMAT, Identity};
use crate::level::InForce;
use crate::transport::token::Token;

const LEVELS: Range = Range { oldest: Level(2), newest: Level(3) };

fn addresses(name: &str) -> Addresses {
    Addresses { cluster: format!("{name}:1"), client: format!("{name}:2"), http: format!("{name}:3") }
}

fn bootstrap() -> Bootstrap {
    Bootstrap::new([7; 16], Level::SECOND, vec![addresses("a"), addresses("b")])
}

fn join() -> JoinRequest {
    let Addresses { cluster, client, http } = addresses("c");
    JoinRequest { request: [3; 16], address: cluster, client_address: client, http_address: http, levels: LEVELS }
}

#[test]
fn questions_and_answers_arrive_as_sent() {
    let boot = Boot { number: 7, mark: [3; 16] };
    let start = Start { boot, before: vec![[4; 16], [5; 16]] };
    let seen = Some(Boot { number: 2, mark: [6; 16] });
    let (cluster_id, address) = ([9; 16], "a:1".to_owned());
    let told = Announcement {
        cluster_id,
        from: NodeId(1),
        to: NodeId(2),
        start: start.clone(),
        seen,
        address,
        levels: LEVELS,
    };
    let token = Token::generate(&troupe_runtime::Rng::from_seed(1));
    let fingerprint = token.fingerprint();
    for question in [
        Question::Hello,
        Question::Promise(bootstrap()),
        Question::Join(join()),
        Question::Announce(told),
        Question::Rotate,
        Question::Token(Step::Ask),
        Question::Token(Step::Keep(token.clone())),
        Question::Token(Step::Show(fingerprint)),
        Question::Token(Step::Forget(fingerprint)),
    ] {
        assert_eq!(Question::from_wire(question.to_wire()), Some(question));
    }
    let status = |state| Answer::Status(PeerStatus { addresses: addresses("a"), state, levels: LEVELS });
    let nodes = BTreeMap::from([(NodeId(1), "a:1".to_owned()), (NodeId(5), "b:1".to_owned())]);
    for answer in [
        status(PeerState::Empty(vec!["a:1".into(), "b:1".into()])),
        status(PeerState::Awaiting(None)),
        status(PeerState::Awaiting(Some([8; 16]))),
        status(PeerState::Promised(bootstrap())),
        status(PeerState::Member(Membership {
            cluster_id,
            node: None,
            nodes: BTreeMap::new(),
            in_force: InForce::default(),
        })),
        status(PeerState::Member(Membership {
            cluster_id,
            node: Some(NodeId(5)),
            nodes: nodes.clone(),
            in_force: InForce::at(Level(2)),
        })),
        Answer::Promised,
        Answer::Admitted(Admission { cluster_id: [9; 16], me: NodeId(4), nodes }),
        Answer::Removed,
        Answer::NotLeader { hint: None },
        Answer::NotLeader { hint: Some("b:1".into()) },
        Answer::Unavailable("later".into()),
        Answer::Refused("never".into()),
        Answer::Noted(start, LEVELS),
        Answer::Outdated { number: 8 },
        Answer::Rotated(token.clone()),
        Answer::Holds(Held { current: fingerprint, next: None }),
        Answer::Holds(Held { current: fingerprint, next: Some(token) }),
    ] {
        assert_eq!(Answer::from_wire(answer.to_wire()), Some(answer));
    }
}

#[test]
fn the_row_of_an_identity_comes_back_as_written() {
    let promised = Identity {
        cluster_id: [7; 16],
        me: NodeId(2),
        bootstrap: Some(bootstrap()),
        confirmed: false,
        nodes: BTreeMap::new(),
    };
    let admitted = Identity {
        bootstrap: None,
        confirmed: true,
        nodes: BTreeMap::from([(NodeId(1), "a:1".to_owned())]),
        ..promised.clone()
    };
    for identity in [promised.clone(), Identity { confirmed: true, ..promised.clone() }, admitted] {
        assert_eq!(Identity::decode(&identity.encode()), Some(identity));
    }
    // An unconfirmed identity has promised a bootstrap.
    assert_eq!(Identity::decode(&Identity { bootstrap: None, ..promised }.encode()), None);
}

#[test]
fn a_row_of_a_later_format_is_not_guessed_at() {
    let mut row = wire::FormationIdentity {
        format: FORMAT + 1,
        cluster_id: vec![7; 16].into(),
        node_id: 1,
        confirmed: true,
        ..Default::default()
    };
    assert_eq!(Identity::decode(&row.encode_to_vec()), None);
    row.format = FORMAT;
    assert!(Identity::decode(&row.encode_to_vec()).is_some());
}

#[test]
fn a_birth_that_no_founder_would_make_is_refused() {
    let good = bootstrap().to_wire();
    assert!(Bootstrap::from_wire(good.clone()).is_some());
    let spoilt: [fn(&mut wire::FormationBirth); 6] = [
        |bootstrap| bootstrap.founders.clear(),
        |bootstrap| bootstrap.founders.reverse(),
        |bootstrap| bootstrap.founders[1].node_id = 1,
        |bootstrap| bootstrap.founders[1].addresses = bootstrap.founders[0].addresses.clone(),
        |bootstrap| bootstrap.founders[0].addresses = None,
        |bootstrap| bootstrap.cluster_id = vec![0; 16].into(),
    ];
    for spoil in spoilt {
        let mut bad = good.clone();
        spoil(&mut bad);
        assert_eq!(Bootstrap::from_wire(bad.clone()), None, "{bad:?}");
    }
}

#[tokio::test]
async fn a_length_above_the_cap_is_refused_before_it_is_read() {
    let (mut near, mut far) = tokio::io::duplex(64);
    far.write_u32(CAP as u32 + 1).await.unwrap();
    let error = receive::<wire::FormationRequest>(&mut near).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
}

#[tokio::test]
async fn a_message_cut_short_is_an_error() {
    let (mut near, mut far) = tokio::io::duplex(1024);
    send(&mut far, &Question::Hello.to_wire()).await.unwrap();
    assert_eq!(receive(&mut near).await.ok().and_then(Question::from_wire), Some(Question::Hello));
    far.write_u32(10).await.unwrap();
    far.write_all(b"short").await.unwrap();
    drop(far);
    let error = receive::<wire::FormationRequest>(&mut near).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
}

proptest! {
    #[test]
    fn decoding_is_total(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Identity::decode(&bytes);
        let _ = wire::FormationRequest::decode(bytes.as_slice()).ok().and_then(Question::from_wire);
        let _ = wire::FormationReply::decode(bytes.as_slice()).ok().and_then(Answer::from_wire);
    }

    #[test]
    fn a_damaged_row_never_panics(at in 0usize..80, byte in any::<u8>()) {
        let identity = Identity { cluster_id: [7; 16], me: NodeId(2), bootstrap: Some(bootstrap()), confirmed: true, nodes: BTreeMap::new() };
        let mut row = identity.encode();
        let at = at % row.len();
        row[at] = byte;
        let _ = Identity::decode(&row);
    }
}

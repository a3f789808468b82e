use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use troupe_core::NodeId;
use troupe_runtime::clock::SystemClock;
use troupe_runtime::executor::Inline;
use troupe_runtime::net::TcpNet;
use troupe_runtime::{Platform, Rng};

use super::dial::{DialError, Why};
use super::handshake::Rejected;
use super::handshake_permits::HANDSHAKES;
use super::{Port, Protocol, Security};
use crate::api::StartError;
use crate::transport::token::Token;

const CLUSTER: [u8; 16] = [1; 16];

/// Real sockets, because half-open connections and addresses in use depend on the kernel.
fn platform() -> Platform {
    Platform {
        clock: Arc::new(SystemClock),
        rng: Arc::new(Rng::from_seed(1)),
        beat: Default::default(),
        net: Arc::new(TcpNet),
        executor: Arc::new(Inline),
        metrics: Default::default(),
        trace: Default::default(),
        planted: Default::default(),
    }
}

fn token(seed: u64) -> Token {
    Token::generate(&Rng::from_seed(seed))
}

async fn open(security: Security) -> Port {
    Port::open(&platform(), "127.0.0.1:0", security).await.unwrap()
}

async fn member(security: Security, cluster: [u8; 16], id: u64) -> Port {
    let port = open(security).await;
    port.become_member(cluster, NodeId(id)).unwrap();
    port
}

/// Node 1 knows node 2 under the address of `to`.
fn introduce(from: &Port, to: &Port) {
    from.set_addresses(BTreeMap::from([(NodeId(2), to.local_addr().to_string())]));
}

async fn dial(from: &Port, protocol: Protocol) -> Result<Box<dyn troupe_runtime::Stream>, Why> {
    from.dial(NodeId(2), protocol)
        .await
        .map_err(|error| error.into_inner().expect("a named error").downcast::<DialError>().expect("a dial error").why)
}

#[tokio::test]
async fn a_stream_reaches_who_serves_its_protocol_and_says_who_dialed() {
    for security in [Security::Token(token(1)), Security::Insecure(None), Security::Insecure(Some(token(1)))] {
        let one = member(security.clone(), CLUSTER, 1).await;
        let two = member(security, CLUSTER, 2).await;
        introduce(&one, &two);
        let mut mesh = two.mesh_streams();
        let mut raft = two.inbound(Protocol::Raft);
        let mut near = dial(&one, Protocol::Mesh).await.unwrap();
        near.write_all(b"to the mesh").await.unwrap();
        near.flush().await.unwrap();
        let mut inbound = mesh.recv().await.unwrap();
        assert_eq!(inbound.from, NodeId(1));
        let mut bytes = [0u8; 11];
        inbound.stream.read_exact(&mut bytes).await.unwrap();
        assert_eq!(&bytes, b"to the mesh");
        assert!(raft.try_recv().is_err());
        one.shutdown().await;
        two.shutdown().await;
    }
}

#[tokio::test]
async fn who_serves_nothing_yet_is_not_ready() {
    let security = Security::Token(token(1));
    let one = member(security.clone(), CLUSTER, 1).await;
    let two = member(security, CLUSTER, 2).await;
    introduce(&one, &two);
    assert!(matches!(dial(&one, Protocol::Raft).await, Err(Why::NotReady)));
    drop(two.inbound(Protocol::Raft));
    assert!(matches!(dial(&one, Protocol::Raft).await, Err(Why::NotReady)));
}

#[tokio::test]
async fn streams_that_nobody_takes_are_bounded() {
    let one = member(Security::Insecure(None), CLUSTER, 1).await;
    let two = member(Security::Insecure(None), CLUSTER, 2).await;
    introduce(&one, &two);
    let _streams = two.inbound(Protocol::Raft);
    for _ in 0..super::WAITING {
        dial(&one, Protocol::Raft).await.unwrap();
    }
    assert!(matches!(dial(&one, Protocol::Raft).await, Err(Why::Busy)));
}

#[tokio::test]
async fn every_mistaken_identity_has_a_name() {
    for secure in [true, false] {
        let security = |seed| if secure { Security::Token(token(seed)) } else { Security::Insecure(Some(token(seed))) };
        let one = member(security(1), CLUSTER, 1).await;

        let node_three = member(security(1), CLUSTER, 3).await;
        let _served = node_three.inbound(Protocol::Raft);
        introduce(&one, &node_three);
        assert!(matches!(dial(&one, Protocol::Raft).await, Err(Why::WrongNode)));

        let elsewhere = member(security(1), [2; 16], 2).await;
        let _served = elsewhere.inbound(Protocol::Raft);
        introduce(&one, &elsewhere);
        // The certificate carries the cluster's id, so with TLS it is already the name that is
        // wrong.
        let refused = dial(&one, Protocol::Raft).await.err().expect("refused");
        assert!(matches!(refused, Why::WrongNode | Why::WrongCluster(_)), "{refused}");
        assert_eq!(secure, matches!(refused, Why::WrongNode));

        let stranger = member(security(9), CLUSTER, 2).await;
        let _served = stranger.inbound(Protocol::Raft);
        introduce(&one, &stranger);
        assert!(matches!(dial(&one, Protocol::Raft).await, Err(Why::BadToken)));

        let newborn = open(security(1)).await;
        let _served = newborn.inbound(Protocol::Raft);
        introduce(&one, &newborn);
        let refused = dial(&one, Protocol::Raft).await.err().expect("refused");
        assert!(matches!(refused, Why::WrongNode | Why::NotReady), "{refused}");
    }
}

#[tokio::test]
async fn a_node_cannot_speak_in_the_name_of_another() {
    let two = member(Security::Token(token(1)), CLUSTER, 2).await;
    let _served = two.inbound(Protocol::Raft);
    let four = member(Security::Token(token(1)), CLUSTER, 4).await;
    introduce(&four, &two);
    // The certificate still says node 4.
    four.shared.identity.write().member = Some((CLUSTER, NodeId(1)));
    assert!(matches!(dial(&four, Protocol::Raft).await, Err(Why::WrongName)));
}

#[tokio::test]
async fn tls_and_insecure_nodes_tell_each_other_apart() {
    let secure = member(Security::Token(token(1)), CLUSTER, 1).await;
    let insecure = member(Security::Insecure(None), CLUSTER, 2).await;
    introduce(&secure, &insecure);
    let refused = dial(&secure, Protocol::Raft).await.err().expect("refused");
    assert!(matches!(refused, Why::WithoutTls), "{refused}");
    introduce(&insecure, &secure);
    let refused = dial(&insecure, Protocol::Raft).await.err().expect("refused");
    assert!(matches!(refused, Why::ExpectsTls), "{refused}");
}

/// Three times as many as there are permits, all from the address of the node itself.
#[tokio::test]
async fn idle_connections_hold_up_nobody() {
    let security = Security::Token(token(1));
    let one = member(security.clone(), CLUSTER, 1).await;
    let two = member(security, CLUSTER, 2).await;
    introduce(&one, &two);
    let mut streams = two.inbound(Protocol::Raft);
    let platform = platform();
    let mut stuck = Vec::new();
    for half in 0..3 * HANDSHAKES {
        let mut stream = platform.net.connect(&two.local_addr().to_string()).await.unwrap();
        if half % 2 == 0 {
            // The beginning of a TLS record that never ends.
            stream.write_all(&[0x16, 3, 1, 1]).await.unwrap();
        }
        stuck.push(stream);
    }
    dial(&one, Protocol::Raft).await.unwrap();
    assert_eq!(streams.recv().await.unwrap().from, NodeId(1));
    let mut byte = [0u8; 1];
    assert_eq!(stuck[1].read(&mut byte).await.unwrap_or(0), 0, "the oldest silent one went");
}

#[tokio::test]
async fn a_removed_node_gets_nothing_by_its_certificate_whatever_it_asks_for() {
    let security = Security::Token(token(1));
    let one = member(security.clone(), CLUSTER, 1).await;
    let two = member(security.clone(), CLUSTER, 2).await;
    let holder = Port::dialer(&platform(), security).unwrap();
    introduce(&one, &two);
    let at = two.local_addr().to_string();
    let protocols = [Protocol::Raft, Protocol::Snapshot, Protocol::Mesh, Protocol::Formation, Protocol::Backup];
    let mut served: Vec<_> = protocols.iter().map(|protocol| two.inbound(*protocol)).collect();
    let mut open = dial(&one, Protocol::Mesh).await.unwrap();
    let mut inbound = served[2].recv().await.unwrap();

    two.set_removed([NodeId(1)].into());
    for protocol in protocols {
        assert!(matches!(dial(&one, protocol).await, Err(Why::Removed)), "{protocol:?}");
    }
    for protocol in [Protocol::Formation, Protocol::Backup] {
        let refused = one.dial_as_holder(&at, protocol).await.err().expect("its certificate says who it is");
        assert!(matches!(refused.why, Why::Removed), "{refused}");
        // The token itself is the operator's.
        holder.dial_as_holder(&at, protocol).await.unwrap();
    }
    one.expelled().await;
    open.write_all(b"still here").await.unwrap();
    open.flush().await.unwrap();
    let mut byte = [0u8; 1];
    let broken = inbound.stream.read(&mut byte).await.unwrap_err();
    assert_eq!(broken.kind(), std::io::ErrorKind::ConnectionAborted);
}

#[tokio::test]
async fn a_token_that_was_given_up_opens_nothing_and_what_it_opened_ends() {
    let (old, new) = (token(1), token(2));
    let one = member(Security::Token(old.clone()), CLUSTER, 1).await;
    let two = member(Security::Token(old.clone()), CLUSTER, 2).await;
    let left = member(Security::Token(old.clone()), CLUSTER, 3).await;
    introduce(&one, &two);
    introduce(&left, &two);
    let mut streams = two.inbound(Protocol::Raft);
    let old_key = old.operator_key();
    let mut stays = dial(&left, Protocol::Raft).await.unwrap();
    let mut opened = streams.recv().await.unwrap();
    // Whichever of the two each shows, both accept it.
    for (at_one, at_two) in [((&old, &new), (&old, &new)), ((&new, &old), (&old, &new)), ((&new, &old), (&new, &old))] {
        one.set_tokens(at_one.0.clone(), Some(at_one.1.clone())).unwrap();
        two.set_tokens(at_two.0.clone(), Some(at_two.1.clone())).unwrap();
        dial(&one, Protocol::Raft).await.unwrap();
        assert!(two.is_operator_key(old_key.reveal()) && two.is_operator_key(new.operator_key().reveal()));
    }
    two.set_tokens(new.clone(), None).unwrap();
    one.set_tokens(new.clone(), None).unwrap();
    dial(&one, Protocol::Raft).await.unwrap();
    assert!(matches!(dial(&left, Protocol::Raft).await, Err(Why::BadToken)));
    assert!(!two.is_operator_key(old_key.reveal()));
    stays.write_all(b"more").await.unwrap();
    stays.flush().await.unwrap();
    let mut byte = [0u8; 1];
    assert!(opened.stream.read(&mut byte).await.is_err(), "it has to show its certificate again");
}

#[tokio::test]
async fn what_happens_in_good_order_is_no_warning() {
    use std::io::{Error, ErrorKind};

    use crate::transport::preamble::Verdict;
    let alert = |alert| Rejected::Tls(Error::other(rustls::Error::AlertReceived(alert)));
    // The dialer expected the node of that id, and this one has just received its id.
    assert_eq!(alert(rustls::AlertDescription::BadCertificate).warning(), None);
    assert_eq!(Rejected::Tls(ErrorKind::UnexpectedEof.into()).warning(), None, "a look whether the port is open");
    assert_eq!(Rejected::Verdict(Verdict::NotReady).warning(), None);
    assert_eq!(alert(rustls::AlertDescription::UnknownCA).warning(), Some("tls"));
    assert_eq!(Rejected::Verdict(Verdict::BadToken).warning(), Some("token"));
}

#[tokio::test(start_paused = true)]
async fn a_stuck_handshake_ends_by_itself() {
    let two = member(Security::Insecure(None), CLUSTER, 2).await;
    let mut stuck = platform().net.connect(&two.local_addr().to_string()).await.unwrap();
    let mut byte = [0u8; 1];
    assert_eq!(stuck.read(&mut byte).await.unwrap(), 0);
}

#[tokio::test]
async fn a_port_in_use_is_refused_with_its_address_and_free_after_shutdown() {
    let one = open(Security::Insecure(None)).await;
    let address = one.local_addr().to_string();
    let again = Port::open(&platform(), &address, Security::Insecure(None)).await;
    let Err(StartError::Refused(text)) = again else { panic!("the address is in use") };
    assert!(text.starts_with(&format!("cluster port {address} is in use: ")), "{text}");
    one.shutdown().await;
    Port::open(&platform(), &address, Security::Insecure(None)).await.unwrap();
}

#[tokio::test]
async fn an_unknown_node_is_not_found() {
    let one = member(Security::Insecure(None), CLUSTER, 1).await;
    let error = one.dial(NodeId(7), Protocol::Raft).await.err().expect("no address");
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
}

use ractor::Actor;
use ractor_cluster::NodeServer;
use tokio::io::{AsyncReadExt, duplex};

use super::*;

const PEER: NodeId = NodeId(2);

async fn server() -> ActorRef<NodeServerMessage> {
    let server = NodeServer::new(0, "cookie".into(), "name".into(), "host".into(), None, None)
        .with_listen_addr(std::net::Ipv4Addr::LOCALHOST.into());
    Actor::spawn(None, server, ()).await.unwrap().0
}

#[tokio::test]
async fn a_session_of_ractors_own_listener_is_closed() {
    let server = server().await;
    let _sessions = Sessions::follow(&server);
    let (mut near, far) = duplex(1024);
    let link = Arc::new(Link::new(NodeId(1), PEER, 1));
    let (socket, guard) = Socket::new(Box::new(far), link, "127.0.0.1:4000".into());
    let opened = NodeServerMessage::ConnectionOpenedExternal { stream: Box::new(socket), is_server: true };
    server.cast(opened).unwrap();
    timeout(Duration::from_secs(5), guard.ended()).await.expect("ractor drops the stream");
    assert_eq!(timeout(Duration::from_secs(5), near.read(&mut [0; 8])).await.unwrap().unwrap(), 0);
    server.stop(None);
}

#[tokio::test]
async fn a_dropped_guard_ends_the_session_and_lets_the_next_one_open() {
    let server = server().await;
    let sessions = Sessions::follow(&server);
    let (mut near, far) = duplex(1024);
    let link = Arc::new(Link::new(NodeId(1), PEER, 1));
    let (label, _ready) = sessions.open(PEER, 1).await;
    let (socket, guard) = Socket::new(Box::new(far), link, label);
    let opened = NodeServerMessage::ConnectionOpenedExternal { stream: Box::new(socket), is_server: false };
    server.cast(opened).unwrap();
    // The session is alive: it sends its name.
    assert!(near.read(&mut [0; 8]).await.unwrap() > 0);

    let next = sessions.open(PEER, 2);
    tokio::pin!(next);
    assert!(futures::poll!(&mut next).is_pending(), "the first session has not ended");
    drop(guard);
    let (label, _ready) = timeout(END_WITHIN / 2, next).await.expect("sooner than by giving up");
    assert_eq!(label, "2#0000000000000002");
    server.stop(None);
}

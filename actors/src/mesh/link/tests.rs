use std::sync::Arc;

use bytes::Bytes;

use super::*;
use crate::mesh::Kind;

const A: NodeId = NodeId(1);
const B: NodeId = NodeId(2);

struct End {
    link: Link,
    inbox: Inbox,
    events: Arc<Mutex<Vec<MeshEvent>>>,
}

impl End {
    fn new(me: NodeId, peer: NodeId, number: u64) -> End {
        let events: Arc<Mutex<Vec<MeshEvent>>> = Arc::default();
        let kept = events.clone();
        End { link: Link::new(me, peer, number), inbox: Arc::new(move |event| kept.lock().push(event)), events }
    }

    fn hello(&self) -> Frame {
        self.link.send_control(|pending| pending.hello = true);
        self.link.take_control().expect("it is pending")
    }

    fn take(&self, frame: Frame) -> Result<(), Malformed> {
        self.link.receive(frame, &self.inbox)
    }

    fn answer(&self) -> Frame {
        self.link.take_control().expect("a hello was taken")
    }

    fn events(&self) -> Vec<MeshEvent> {
        std::mem::take(&mut self.events.lock())
    }

    async fn next(&self) -> Frame {
        self.link.next_of_lane(0, &Gauge::new(1)).await
    }
}

fn envelope() -> Envelope {
    Envelope { kind: Kind::Push, correlation: 3, shard: None, deadline_ms: 0, body: Bytes::from_static(b"x") }
}

fn joined() -> (End, End) {
    let (a, b) = (End::new(A, B, 10), End::new(B, A, 20));
    b.take(a.hello()).unwrap();
    a.take(b.hello()).unwrap();
    // The hello was taken from b in place of its answer, which is still to come.
    a.take(b.answer()).unwrap();
    b.take(a.answer()).unwrap();
    assert_eq!((a.events(), b.events()), (vec![MeshEvent::Up(B)], vec![MeshEvent::Up(A)]));
    (a, b)
}

#[test]
fn a_hello_alone_is_not_up_and_its_answer_is() {
    let (a, b) = (End::new(A, B, 10), End::new(B, A, 20));
    b.take(a.hello()).unwrap();
    a.take(b.answer()).unwrap();
    assert!(!a.link.is_up() && !b.link.is_up(), "a has not heard b's hello, b no answer to its own");
    a.take(b.hello()).unwrap();
    assert!(a.link.is_up() && !b.link.is_up());
    b.take(a.answer()).unwrap();
    assert!(b.link.is_up());
}

#[tokio::test]
async fn envelopes_prove_as_much_as_an_answer_and_come_after_up() {
    let (a, b) = (End::new(A, B, 10), End::new(B, A, 20));
    b.take(a.hello()).unwrap();
    a.take(b.answer()).unwrap();
    a.take(b.hello()).unwrap();
    a.link.lane(0).push(envelope()).unwrap();
    // The control lane is behind: the answer has not come yet.
    b.take(a.next().await).unwrap();
    assert_eq!(b.events(), [MeshEvent::Up(A), MeshEvent::Received { from: A, envelope: envelope() }]);
}

#[tokio::test]
async fn a_frame_of_an_older_connection_is_dropped() {
    let (a, b) = joined();
    a.link.lane(0).push(envelope()).unwrap();
    let late = a.next().await;
    b.link.close(&b.inbox);
    assert_eq!(b.events(), [MeshEvent::Down(A)]);

    let (_a, again) = joined();
    let again = End { link: Link::new(B, A, 21), ..again };
    again.take(late.clone()).unwrap();
    // The closed link delivers nothing after Down.
    b.take(late).unwrap();
    assert_eq!((again.events(), b.events()), (vec![], vec![]));
    assert!(!again.link.is_up());
}

#[tokio::test]
async fn envelopes_before_hello_end_the_link() {
    let (a, _b) = joined();
    let stranger = End::new(B, A, 20);
    a.link.lane(0).push(envelope()).unwrap();
    assert!(stranger.take(a.next().await).is_err());
    assert_eq!(stranger.link.keep(&Beat::default()).await, Ended::Broken);
    assert_eq!(stranger.events(), []);
}

#[test]
fn a_hello_of_another_version_node_or_link_ends_the_link() {
    let (a, b) = joined();
    let hello = |version, to: NodeId, link| {
        let what = Some(What::Hello(Hello { version, link, to: to.0 }));
        Frame { from: A.0, lane: CONTROL, control: Some(Control { what }), ..Frame::default() }
    };
    let fresh = || End::new(B, A, 20);
    assert!(fresh().take(hello(VERSION, B, 10)).is_ok());
    assert!(fresh().take(hello(VERSION + 1, B, 10)).is_err());
    assert!(fresh().take(hello(VERSION, A, 10)).is_err());
    assert!(fresh().take(hello(VERSION, B, 0)).is_err());
    assert!(b.take(a.hello()).is_ok(), "said twice is said once");
    assert!(b.take(hello(VERSION, B, 11)).is_err(), "the peer thinks of another connection");
    assert_eq!(b.events(), []);
}

#[test]
fn down_is_said_once_and_only_after_up() {
    let (a, _b) = joined();
    a.link.close(&a.inbox);
    a.link.close(&a.inbox);
    assert_eq!(a.events(), [MeshEvent::Down(B)]);
    assert_eq!(a.link.lane(0).push(envelope()), Err(crate::mesh::MeshError::Down));

    let never = End::new(A, B, 10);
    never.link.close(&never.inbox);
    assert_eq!(never.events(), []);
}

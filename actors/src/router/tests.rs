use troupe_core::{Epoch, ShardMap, UserId};
use troupe_raft::api::ShardPlace;
use troupe_runtime::Rng;

use super::*;
use crate::message::{Answer, UserKey};

const LEADER: NodeId = NodeId(2);

/// Keeps what is sent.
#[derive(Default)]
struct Sent(Mutex<Vec<Envelope>>);

impl Mesh for Sent {
    fn send(&self, _to: NodeId, _lane_key: u32, envelope: Envelope) -> Result<(), MeshError> {
        self.0.lock().push(envelope);
        Ok(())
    }

    fn peers(&self) -> Vec<NodeId> {
        vec![LEADER]
    }
}

/// A process of node 1, and what it asks the leader of the only shard.
fn process(seed: u64) -> (Arc<Router>, Arc<Sent>) {
    let place = ShardPlace { leader: Some(LEADER), epoch: Epoch(1), ..ShardPlace::default() };
    let routing = Routing {
        me: NodeId(1),
        shards: Some(ShardMap { count: 1 }),
        placement: [(ShardId(0), place)].into(),
        ..Routing::default()
    };
    let platform = Platform { rng: Arc::new(Rng::from_seed(seed)), ..Platform::production() };
    let routing = watch::Sender::new(Arc::new(routing)).subscribe();
    let router = Arc::new(Router::new(NodeId(1), routing, Gauge::new(10), &platform));
    let sent = Arc::new(Sent::default());
    router.join(sent.clone());
    (router, sent)
}

fn asked(router: &Arc<Router>, sent: &Sent) -> (u64, impl Future<Output = Outcome> + use<>) {
    let answer = router.ask(Slot(0), Request::Credentials(UserKey::Id(UserId(1))), PATIENCE);
    (sent.0.lock().last().expect("it was sent").correlation, answer)
}

fn answered(router: &Arc<Router>, correlation: u64, outcome: &Outcome) {
    let body = encoding::encode_outcome(outcome, Level::FIRST);
    router.received(LEADER, Envelope { kind: Kind::Reply, correlation, shard: None, deadline_ms: 0, body });
}

#[tokio::test]
async fn an_answer_to_an_earlier_process_is_not_taken_for_one_to_this() {
    let (earlier, sent) = process(1);
    let (stale, _) = asked(&earlier, &sent);
    let (router, sent) = process(2);
    let (correlation, answer) = asked(&router, &sent);
    answered(&router, stale, &Ok(Answer::Done));
    assert_eq!(router.in_flight(), 1, "still unanswered");
    let refusal = Refusal::rejected("no", "this is the answer");
    answered(&router, correlation, &Err(refusal.clone()));
    assert!(matches!(answer.await, Err(answer) if answer == refusal));
}

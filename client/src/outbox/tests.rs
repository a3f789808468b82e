use std::collections::BTreeSet;

use proptest::prelude::*;
use troupe_runtime::Rng;

use super::*;

fn id(number: u64) -> ClientMessageId {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    ClientMessageId(bytes)
}

const HERE: ConversationId = ConversationId::Everyone;

fn filled(count: u64) -> Outbox {
    let mut outbox = Outbox::default();
    outbox.connected(256, Instant::now());
    (1..=count).for_each(|n| assert!(outbox.push(HERE, id(n), Body::text("x"))));
    outbox
}

fn links(outbox: &mut Outbox, now: Instant) -> Vec<(ClientMessageId, Option<ClientMessageId>)> {
    std::iter::from_fn(|| outbox.next(now)).map(|outgoing| (outgoing.id, outgoing.after)).collect()
}

#[test]
fn a_message_names_the_unacknowledged_one_before_it() {
    let now = Instant::now();
    let mut outbox = filled(3);
    assert_eq!(links(&mut outbox, now), [(id(1), None), (id(2), Some(id(1))), (id(3), Some(id(2)))]);
    assert!(outbox.acked(&id(1)));
    assert!(!outbox.acked(&id(1)), "only the first ack counts");
    outbox.connected(256, Instant::now());
    assert_eq!(links(&mut outbox, now), [(id(2), None), (id(3), Some(id(2)))], "same ids, same order, linked again");
}

#[test]
fn the_rest_is_relinked_past_a_message_that_is_refused_for_good() {
    let now = Instant::now();
    let mut outbox = filled(3);
    links(&mut outbox, now);
    assert!(outbox.refused(&id(1), Refused::ForGood, now));
    outbox.refused(&id(2), Refused::OutOfOrder, now);
    outbox.refused(&id(3), Refused::OutOfOrder, now);
    assert_eq!(links(&mut outbox, now), [(id(2), None), (id(3), Some(id(2)))]);
}

#[test]
fn a_refusal_is_final_only_when_no_earlier_sending_can_arrive_any_more() {
    let now = Instant::now();
    let mut outbox = filled(1);
    links(&mut outbox, now);
    outbox.connected(256, now);
    assert_eq!(links(&mut outbox, now).len(), 1);
    let soon = now + Duration::from_secs(1);
    assert!(!outbox.refused(&id(1), Refused::ForGood, soon), "the first sending may be under way");
    assert_eq!(links(&mut outbox, soon), []);
    let later = outbox.wake_at(soon).expect("it is asked again");
    assert_eq!((later - now, links(&mut outbox, later).len()), (UNRESOLVED, 1));
    assert!(outbox.refused(&id(1), Refused::ForGood, later));
}

#[test]
fn an_orphan_waits_for_its_predecessor_and_not_for_luck() {
    let now = Instant::now();
    let mut outbox = filled(2);
    links(&mut outbox, now);
    outbox.refused(&id(2), Refused::OutOfOrder, now);
    assert_eq!(links(&mut outbox, now), [], "the first is still in flight: asking again would be refused again");
    outbox.refused(&id(1), Refused::Later(Duration::from_millis(30)), now);
    assert_eq!(links(&mut outbox, now), [], "the server asked for time");
    let later = outbox.wake_at(now).expect("it wakes when that time is over");
    assert_eq!(links(&mut outbox, later), [(id(1), None), (id(2), Some(id(1)))]);
}

#[test]
fn the_window_and_the_capacity_hold() {
    let now = Instant::now();
    let mut outbox = Outbox::new(3);
    outbox.connected(2, Instant::now());
    assert!((1..=3).all(|n| outbox.push(HERE, id(n), Body::text("x"))));
    assert!(!outbox.push(HERE, id(4), Body::text("x")));
    assert_eq!(links(&mut outbox, now).len(), 2);
    outbox.acked(&id(1));
    assert_eq!(links(&mut outbox, now), [(id(3), Some(id(2)))]);
}

#[test]
fn a_stuck_conversation_does_not_hold_up_another() {
    let now = Instant::now();
    let other = ConversationId::Group(troupe_core::GroupId(7));
    let mut outbox = filled(1);
    links(&mut outbox, now);
    outbox.refused(&id(1), Refused::Later(Duration::from_secs(60)), now);
    outbox.push(other, id(9), Body::text("x"));
    assert_eq!(links(&mut outbox, now), [(id(9), None)]);
}

/// A replica's handling of a send.
#[derive(Default)]
struct Server {
    log: Vec<(ConversationId, ClientMessageId)>,
    poison: BTreeSet<ClientMessageId>,
}

impl Server {
    fn take(&mut self, send: &Outgoing) -> Option<Refused> {
        let placed = |log: &[(ConversationId, ClientMessageId)], id| log.contains(&(send.conversation, id));
        if placed(&self.log, send.id) {
            return None;
        }
        if self.poison.contains(&send.id) {
            return Some(Refused::ForGood);
        }
        if send.after.is_some_and(|after| !placed(&self.log, after)) {
            return Some(Refused::OutOfOrder);
        }
        self.log.push((send.conversation, send.id));
        None
    }
}

/// Loss, repetition, reordering and reconnects, then calm: the log holds everything once, in push
/// order.
fn survives(seed: u64) {
    let rng = Rng::from_seed(seed);
    let chance = |percent: u64| rng.range(0, 100) < percent;
    let mut now = Instant::now();
    let mut server = Server::default();
    let mut outbox = Outbox::default();
    let conversations: Vec<ConversationId> = (1..=3).map(|n| ConversationId::Group(troupe_core::GroupId(n))).collect();
    let mut pushed = Vec::new();
    let mut refused = BTreeSet::new();
    // Frames to the server outlive their connection; answers do not.
    let mut frames: Vec<(u64, Outgoing)> = Vec::new();
    let mut answers: Vec<(ClientMessageId, Option<Refused>)> = Vec::new();
    let mut connection = 0;
    outbox.connected(8, now);

    for step in 0u64.. {
        let calm = step > 400;
        now += Duration::from_millis(10);
        if !calm && pushed.len() < 60 && chance(30) {
            let message = id(pushed.len() as u64 + 1);
            let conversation = conversations[rng.range(0, 3) as usize];
            if chance(10) {
                server.poison.insert(message);
            }
            assert!(outbox.push(conversation, message, Body::text("x")));
            pushed.push((conversation, message));
        }
        if !calm && chance(4) {
            connection += 1;
            answers.clear();
            outbox.connected(1 + rng.range(0, 8) as usize, now);
        }
        if chance(70) {
            frames.extend(outbox.next(now).map(|send| (connection, send)));
        }
        if !frames.is_empty() && chance(60) {
            let at = if calm { 0 } else { rng.range(0, frames.len() as u64) as usize };
            let (from, send) = if !calm && chance(15) { frames[at].clone() } else { frames.remove(at) };
            let answer = match (calm, rng.range(0, 100)) {
                // Lost before or after the server. The client notices when its timeout expires.
                (false, 0..10) => Some(Refused::Unknown),
                (false, 10..20) => {
                    server.take(&send);
                    Some(Refused::Unknown)
                }
                _ => server.take(&send),
            };
            if from == connection {
                answers.push((send.id, answer));
            }
        }
        if !answers.is_empty() && chance(80) {
            let at = rng.range(0, answers.len() as u64) as usize;
            let (id, answer) = answers.remove(at);
            match answer {
                None => drop(outbox.acked(&id)),
                Some(why) => {
                    if outbox.refused(&id, why, now) {
                        assert!(refused.insert(id), "an outcome is reported once");
                    }
                }
            }
        }
        if calm && outbox.is_empty() {
            break;
        }
        assert!(step < 20_000, "the outbox never empties: {outbox:?}");
    }

    assert_eq!(refused, server.poison, "refused is what the server refuses for good, and only that");
    for conversation in conversations {
        let of = |list: &[(ConversationId, ClientMessageId)]| -> Vec<ClientMessageId> {
            list.iter().filter(|(c, id)| *c == conversation && !server.poison.contains(id)).map(|(_, id)| *id).collect()
        };
        assert_eq!(of(&server.log), of(&pushed), "each once, in order");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn each_message_once_and_in_order_whatever_the_network_does(seed: u64) {
        survives(seed);
    }
}

use proptest::prelude::*;
use troupe_core::{Body, ClientMessageId, EventKind, Timestamp, UserId};
use troupe_runtime::Rng;

use super::*;

const HERE: ConversationId = ConversationId::Everyone;

fn event(seq: u64) -> Event {
    Event {
        seq: Seq(seq),
        time: Timestamp(seq),
        sender: UserId(1),
        client_message_id: ClientMessageId([0; 16]),
        kind: EventKind::Message(Body::text("x")),
        seal: None,
    }
}

fn taken(inbox: &mut Inbox) -> Vec<u64> {
    std::iter::from_fn(|| inbox.take()).map(|(_, event)| event.seq.0).collect()
}

fn following(cursor: u64) -> Inbox {
    let mut inbox = Inbox::default();
    inbox.follow(HERE, Seq(cursor));
    inbox
}

#[test]
fn what_follows_is_handed_out_and_what_was_seen_is_dropped() {
    let mut inbox = following(4);
    [5, 5, 3, 6].into_iter().for_each(|seq| inbox.push(HERE, event(seq)));
    assert_eq!(taken(&mut inbox), [5, 6]);
    assert_eq!(inbox.next_fetch(Instant::now()), None);
}

#[test]
fn a_device_that_goes_back_takes_what_is_there_now() {
    let now = Instant::now();
    let mut inbox = following(0);
    (1..=6).for_each(|seq| inbox.push(HERE, event(seq)));
    inbox.head(HERE, Seq(8));
    let before = inbox.next_fetch(now).expect("7 and 8 are missing");
    inbox.go_back(HERE, Seq(2));
    assert_eq!(taken(&mut inbox), [1, 2], "the rest is of another history");
    inbox.head(HERE, Seq(4));
    inbox.page(before, vec![event(7), event(8)], Seq(8), false, now);
    assert_eq!(taken(&mut inbox), [] as [u64; 0], "an answer to a question of before");
    let wanted = inbox.next_fetch(now).expect("3 and 4 are missing");
    assert_eq!(wanted.after, Seq(2));
    inbox.page(wanted, vec![event(3), event(4)], Seq(4), false, now);
    assert_eq!(taken(&mut inbox), [3, 4]);
}

#[test]
fn a_gap_is_fetched_and_what_lay_ahead_is_not_fetched_again() {
    let now = Instant::now();
    let mut inbox = following(0);
    [1, 4, 5].into_iter().for_each(|seq| inbox.push(HERE, event(seq)));
    assert_eq!(taken(&mut inbox), [1]);
    let wanted = inbox.next_fetch(now).expect("2 and 3 are missing");
    assert_eq!(wanted, Wanted { conversation: HERE, after: Seq(1) });
    assert_eq!(inbox.next_fetch(now), None, "one page at a time");
    inbox.page(wanted, vec![event(2), event(3)], Seq(5), true, now);
    assert_eq!(taken(&mut inbox), [2, 3, 4, 5]);
    assert_eq!(inbox.next_fetch(now), None);
}

#[test]
fn a_head_ahead_is_fetched_page_by_page() {
    let now = Instant::now();
    let mut inbox = following(0);
    inbox.head(HERE, Seq(4));
    for (first, more) in [(1, true), (3, false)] {
        let wanted = inbox.next_fetch(now).expect("there is more");
        assert_eq!(wanted.after, Seq(first - 1));
        inbox.page(wanted, vec![event(first), event(first + 1)], Seq(4), more, now);
    }
    assert_eq!(taken(&mut inbox), [1, 2, 3, 4]);
    assert_eq!(inbox.next_fetch(now), None);
}

#[test]
fn what_a_page_leaves_out_is_not_for_this_device() {
    let now = Instant::now();
    let mut inbox = following(0);
    inbox.head(HERE, Seq(9));
    let wanted = inbox.next_fetch(now).expect("behind");
    inbox.page(wanted, vec![event(7), event(8)], Seq(9), false, now);
    assert_eq!(taken(&mut inbox), [7, 8]);
    // One empty page may come from a head that was read too late. A second one is authoritative.
    let mut at = now;
    for _ in 0..2 {
        let wanted = inbox.next_fetch(at).expect("9 may still come");
        inbox.page(wanted, vec![], Seq(9), false, at);
        assert_eq!(inbox.next_fetch(at), None, "not at once again");
        at += RETRY;
    }
    assert_eq!(inbox.next_fetch(at), None);
    inbox.push(HERE, event(10));
    assert_eq!(taken(&mut inbox), [10]);
}

#[test]
fn a_slow_application_bounds_what_is_kept() {
    let now = Instant::now();
    let mut inbox = following(0);
    let many = 10 * READY_EVENTS as u64;
    (1..=many).for_each(|seq| inbox.push(HERE, event(seq)));
    assert!(inbox.ready.len() <= READY_EVENTS + AHEAD_EVENTS);
    assert_eq!(inbox.next_fetch(now), None, "the application takes nothing, so nothing is fetched");
    let mut seen = taken(&mut inbox);
    while let Some(wanted) = inbox.next_fetch(now) {
        let page = (wanted.after.0 + 1..=many).take(500).map(event).collect();
        inbox.page(wanted, page, Seq(many), wanted.after.0 + 500 < many, now);
        seen.extend(taken(&mut inbox));
    }
    assert_eq!(seen, (1..=many).collect::<Vec<_>>());
}

/// Pushes are lost, repeated and reordered, pages are lost, connections end. The output is 1, 2, 3
/// ...
fn survives(seed: u64) {
    let rng = Rng::from_seed(seed);
    let chance = |percent: u64| rng.range(0, 100) < percent;
    let mut now = Instant::now();
    let mut inbox = following(0);
    let mut head = 0;
    let mut seen = Vec::new();
    let mut pushes: Vec<u64> = Vec::new();
    let mut asked: Option<Wanted> = None;
    for step in 0.. {
        let calm = step > 500;
        now += Duration::from_millis(20);
        if !calm && chance(50) {
            head += 1;
            pushes.push(head);
        }
        if !calm && chance(3) {
            inbox.disconnected();
            asked = None;
            inbox.head(HERE, Seq(head));
        }
        if !pushes.is_empty() && chance(60) {
            let at = rng.range(0, pushes.len() as u64) as usize;
            let seq = if chance(15) { pushes[at] } else { pushes.remove(at) };
            if calm || !chance(20) {
                inbox.push(HERE, event(seq));
            }
        }
        if calm {
            inbox.head(HERE, Seq(head));
        }
        asked = asked.or_else(|| inbox.next_fetch(now));
        if let Some(wanted) = asked
            && chance(40)
        {
            asked = None;
            if !calm && chance(20) {
                inbox.fetch_failed(wanted, Duration::ZERO, now);
            } else {
                let limit = 1 + rng.range(0, 20);
                let page: Vec<Event> = (wanted.after.0 + 1..=head).take(limit as usize).map(event).collect();
                let more = wanted.after.0 + limit < head;
                inbox.page(wanted, page, Seq(head), more, now);
            }
        }
        if chance(30) {
            seen.extend(taken(&mut inbox));
        }
        if calm && pushes.is_empty() && seen.len() as u64 == head {
            break;
        }
        assert!(step < 20_000, "it never catches up: {inbox:?}");
    }
    assert_eq!(seen, (1..=head).collect::<Vec<_>>());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_event_once_and_in_order_whatever_the_network_does(seed: u64) {
        survives(seed);
    }
}

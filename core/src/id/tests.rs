use proptest::prelude::*;
use xxhash_rust::xxh3::xxh3_64;

use super::*;

/// Ids on disk carry these slots: a value that changes here loses data.
#[test]
fn slots_never_change() {
    // The published test vector of the empty input.
    assert_eq!(xxh3_64(b""), 0x2d06_8005_38d3_94c2);
    let golden = [("everyone", 790), ("anna", 57), ("bert", 266), ("чайка", 362), ("d1025-2050", 938), ("", 194)];
    for (key, slot) in golden {
        assert_eq!(Slot::of(key.as_bytes()), Slot(slot), "{key:?}");
    }
    assert_eq!(ConversationId::Everyone.slot(), Slot::of(b"everyone"));
    let direct = ConversationId::Direct { low: UserId(1025), high: UserId(2050) };
    assert_eq!(direct.slot(), Slot::of(b"d1025-2050"));
    assert_eq!(ConversationId::Group(GroupId(5 * 1024 + 7)).slot(), Slot(7));
    assert_eq!(UserId(1024 + 1023).slot(), Slot(1023));
}

#[test]
fn every_slot_is_in_one_shard() {
    for count in 1..=64 {
        let map = ShardMap { count };
        let mut next = 0;
        for shard in map.shards() {
            let (start, end) = map.slots(shard);
            assert_eq!(start, next, "{count} shards: {shard} begins where the one before ends");
            assert!(end > start, "{count} shards: {shard} is empty");
            for slot in start..end {
                assert_eq!(map.shard(Slot(slot)), shard, "{count} shards, slot {slot}");
            }
            next = end;
        }
        assert_eq!(next, SLOTS, "{count} shards cover everything");
    }
}

#[test]
fn shards_differ_by_one_slot_at_most() {
    for count in 1..=64 {
        let map = ShardMap { count };
        let sizes: Vec<u16> = map.shards().map(|shard| map.slots(shard)).map(|(start, end)| end - start).collect();
        let (least, most) = (sizes.iter().min(), sizes.iter().max());
        assert!(most.zip(least).is_some_and(|(most, least)| most - least <= 1), "{count} shards: {sizes:?}");
    }
}

#[test]
fn a_shard_off_the_map_is_empty() {
    for (count, shard) in [(16, 16), (16, u32::MAX), (1, 1), (0, 1)] {
        let (start, end) = ShardMap { count }.slots(ShardId(shard));
        assert_eq!((start, end), (SLOTS, SLOTS), "shard {shard} of {count}");
    }
}

#[test]
fn a_conversation_has_one_spelling() {
    for text in ["everyone", "d1-2", "d1025-2050", "g1", "g18446744073709551615"] {
        assert_eq!(text.parse::<ConversationId>().map(|id| id.to_string()), Ok(text.to_owned()));
    }
    let others = [
        "",
        "e",
        "Everyone",
        "everyone ",
        "d",
        "d1",
        "d1-",
        "d-1",
        "d2-1",
        "d1-1",
        "d0-1",
        "d01-2",
        "d1-02",
        "d+1-2",
        "d1-2-3",
        "d1-18446744073709551616",
        "g",
        "g0",
        "g01",
        "g+1",
        "g-1",
        "g 1",
        "1",
        "é1",
    ];
    for text in others {
        assert_eq!(text.parse::<ConversationId>(), Err(BadConversationId), "{text:?}");
    }
}

#[test]
fn devices() {
    let longest = "d".repeat(limits::DEVICE_ID_BYTES);
    for text in ["a", "phone-1", "{~}", &longest] {
        assert_eq!(DeviceId::new(text).map(|device| device.to_string()), Some(text.to_owned()));
    }
    for text in ["", "a b", "é", "a\n", &format!("{longest}d")] {
        assert_eq!(DeviceId::new(text), None, "{text:?}");
    }
}

#[test]
fn a_direct_conversation_has_two_ends() {
    let (a, b) = (UserId(1), UserId(2));
    assert_eq!(ConversationId::direct(a, b), ConversationId::direct(b, a));
    assert_eq!(ConversationId::direct(a, a), None);
    let direct = ConversationId::Direct { low: a, high: b };
    assert_eq!(direct.peer_of(a), Some(b));
    assert_eq!(direct.peer_of(b), Some(a));
    assert_eq!(direct.peer_of(UserId(3)), None);
    assert_eq!(ConversationId::Everyone.peer_of(a), None);
}

/// A seq comes from outside, too.
#[test]
fn there_is_nothing_after_the_last_seq() {
    assert_eq!(Seq::ZERO.next(), Seq(1));
    assert_eq!(Seq(u64::MAX).next(), Seq(u64::MAX));
}

fn conversations() -> impl Strategy<Value = ConversationId> {
    let user = || (1..u64::MAX).prop_map(UserId);
    prop_oneof![
        Just(ConversationId::Everyone),
        (user(), user()).prop_filter_map("two users", |(a, b)| ConversationId::direct(a, b)),
        (1..u64::MAX).prop_map(|id| ConversationId::Group(GroupId(id))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_conversation_is_read_as_it_is_written(id in conversations()) {
        prop_assert_eq!(id.to_string().parse(), Ok(id));
        prop_assert!(id.slot().0 < SLOTS);
    }

    /// Whatever is accepted is the canonical form, and nothing panics.
    #[test]
    fn what_is_read_is_canonical(text in "[edg]?[0-9+-]{0,12}|\\PC{0,8}") {
        if let Ok(id) = text.parse::<ConversationId>() {
            prop_assert_eq!(id.to_string(), text);
        }
    }

    /// A folded name is its own fold, so that looking up twice finds the same.
    #[test]
    fn folding_twice_is_folding_once(text in "\\PC{0,12}") {
        prop_assert_eq!(crate::fold(&crate::fold(&text)), crate::fold(&text));
    }
}

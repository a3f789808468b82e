//! Keys come back as they were and sort as what they say.

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn keys_round_trip(group: u32, index: u64, what in 0usize..What::ALL.len()) {
        let log = RaftLogKey { group, index };
        prop_assert_eq!(RaftLogKey::decode(&log.encode()), Some(log));
        let meta = RaftMetaKey { group, what: What::ALL[what] };
        prop_assert_eq!(RaftMetaKey::decode(&meta.encode()), Some(meta));
        let (from, to) = raft::group_range(group);
        prop_assert!(from <= log.encode() && log.encode() < to);
        prop_assert!(from <= meta.encode() && meta.encode() < to);
    }
}

/// Layouts are on disk: these bytes must not change.
#[test]
fn layouts_are_golden() {
    let hex = |bytes: Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(hex(RaftLogKey { group: 1, index: 2 }.encode()), "000000010000000000000002");
    assert_eq!(hex(RaftMetaKey { group: 1, what: What::Vote }.encode()), "0000000101");
}

//! Changes of messages.

use proptest::collection::vec;
use proptest::prelude::*;
use troupe_core::{EventKind, Intent};

use super::{body, number, seq, text};

pub fn kind() -> impl Strategy<Value = EventKind> {
    prop_oneof![
        (seq(), text(), any::<bool>()).prop_map(|(to, emoji, removed)| EventKind::Reacted { to, emoji, removed }),
        (seq(), body()).prop_map(|(to, body)| EventKind::Edited { to, body }),
        seq().prop_map(|to| EventKind::Recalled { to }),
        seq().prop_map(|to| EventKind::Vanished { to }),
        (seq(), options(), any::<bool>()).prop_map(|(to, options, removed)| EventKind::Voted { to, options, removed }),
        (seq(), any::<u32>(), options()).prop_map(|(to, voters, counts)| EventKind::PollClosed { to, voters, counts }),
        (seq(), body(), any::<bool>()).prop_map(|(to, body, aborted)| EventKind::StreamEnded { to, body, aborted }),
    ]
}

fn options() -> impl Strategy<Value = Vec<u32>> {
    vec(any::<u32>(), 0..5)
}

pub fn intent() -> impl Strategy<Value = Intent> {
    prop_oneof![
        (seq(), text(), any::<bool>()).prop_map(|(to, emoji, remove)| Intent::React { to, emoji, remove }),
        (seq(), body()).prop_map(|(to, body)| Intent::Edit { to, body }),
        (seq(), options(), any::<bool>()).prop_map(|(to, options, remove)| Intent::Vote { to, options, remove }),
        seq().prop_map(|to| Intent::ClosePoll { to }),
        body().prop_map(Intent::Bundle),
        (seq(), text(), any::<bool>()).prop_map(|(to, text, aborted)| Intent::EndStream { to, text, aborted }),
        (seq(), number()).prop_map(|(to, within_ms)| Intent::Recall { to, within_ms }),
    ]
}

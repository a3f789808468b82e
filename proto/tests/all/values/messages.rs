//! Changes of messages.

use proptest::prelude::*;
use troupe_core::{EventKind, Intent};

use super::{body, number, seq, text};

pub fn kind() -> impl Strategy<Value = EventKind> {
    prop_oneof![
        (seq(), text(), any::<bool>()).prop_map(|(to, emoji, removed)| EventKind::Reacted { to, emoji, removed }),
        (seq(), body()).prop_map(|(to, body)| EventKind::Edited { to, body }),
        seq().prop_map(|to| EventKind::Recalled { to }),
        seq().prop_map(|to| EventKind::Vanished { to }),
        (seq(), body(), any::<bool>()).prop_map(|(to, body, aborted)| EventKind::StreamEnded { to, body, aborted }),
    ]
}

pub fn intent() -> impl Strategy<Value = Intent> {
    prop_oneof![
        (seq(), text(), any::<bool>()).prop_map(|(to, emoji, remove)| Intent::React { to, emoji, remove }),
        (seq(), body()).prop_map(|(to, body)| Intent::Edit { to, body }),
        (seq(), text(), any::<bool>()).prop_map(|(to, text, aborted)| Intent::EndStream { to, text, aborted }),
        (seq(), number()).prop_map(|(to, within_ms)| Intent::Recall { to, within_ms }),
    ]
}

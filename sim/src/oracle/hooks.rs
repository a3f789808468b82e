//! The hooks on the disks.

use std::collections::BTreeMap;

use troupe_chaos::history::{FinalHook, HookName};
use troupe_core::record::{DeadEvent, Hook};
use troupe_store::rows::View;

use crate::evidence::Seen;

/// More rows than a simulation creates.
const EVERYTHING: usize = 1 << 30;

/// The hooks that this disk has: how far each is, and its dead events.
pub fn rows(seen: &Seen, view: &View) -> BTreeMap<HookName, FinalHook> {
    let mut rows = BTreeMap::new();
    for key in &seen.hooks {
        let Some(hook) = view.get::<Hook>(key).expect("a memory engine is readable") else { continue };
        let dead = view.page::<DeadEvent>(key, None, EVERYTHING).expect("a memory engine is readable");
        let dead = dead.into_iter().map(|((_, _, seq), _)| seq.0).collect();
        rows.insert(format!("{}.{}", key.0, key.1), FinalHook { delivered: hook.delivered.0, dead });
    }
    rows
}

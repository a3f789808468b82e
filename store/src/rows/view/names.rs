//! Reading names in order, over many slots.

use std::collections::BTreeMap;
use std::ops::Range;

use troupe_core::record::NameOf;
use troupe_core::{Slot, UserId};

use super::View;
use crate::engine::{EngineError, Reader};

impl<R: Reader> View<R> {
    /// Case-folded names that begin with `prefix`, after the name `from`, in order of name over all
    /// `slots`.
    pub fn names_with_prefix(
        &self,
        slots: Range<u16>,
        prefix: &str,
        from: &str,
        limit: usize,
    ) -> Result<Vec<(String, UserId)>, EngineError> {
        // A few names of each slot, and more only of those slots whose names are among the first.
        let few = (limit / slots.len().max(1) + 1).min(limit);
        let mut first: BTreeMap<(String, Slot), UserId> = BTreeMap::new();
        let mut read: BTreeMap<Slot, (usize, bool)> = BTreeMap::new();
        for slot in slots.map(Slot) {
            let names = self.names_of_slot(slot, prefix, from, few)?;
            read.insert(slot, (names.len(), names.len() == few));
            first.extend(names.into_iter().map(|(name, user)| ((name, slot), user)));
        }
        let mut names = Vec::new();
        while names.len() < limit
            && let Some(((name, slot), user)) = first.pop_first()
        {
            if let Some((left, more)) = read.get_mut(&slot) {
                *left -= 1;
                if *left == 0 && *more {
                    let want = limit - names.len();
                    let next = self.names_of_slot(slot, prefix, &name, want)?;
                    (*left, *more) = (next.len(), next.len() == want);
                    first.extend(next.into_iter().map(|(name, user)| ((name, slot), user)));
                }
            }
            names.push((name, user));
        }
        Ok(names)
    }

    fn names_of_slot(
        &self,
        slot: Slot,
        prefix: &str,
        from: &str,
        limit: usize,
    ) -> Result<Vec<(String, UserId)>, EngineError> {
        // Before anything was seen, a name that is the prefix itself counts too.
        let last = (from >= prefix && !from.is_empty()).then(|| (slot, from.to_owned()));
        let page = self.page::<NameOf>(&(slot, prefix.to_owned()), last.as_ref(), limit)?;
        Ok(page.into_iter().map(|((_, name), NameOf(user))| (name, user)).collect())
    }
}

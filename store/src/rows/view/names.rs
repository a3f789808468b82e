//! Reading names in order, over many slots.

use std::collections::BTreeMap;
use std::ops::Range;

use troupe_core::{Slot, UserId};

use super::{View, after, damaged, number};
use crate::engine::{EngineError, Family, Pair, Reader};
use crate::key::{self, UsersKey};

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
        let last = (from >= prefix).then(|| key::users::name(slot, from));
        // On the first page, a name that equals the prefix counts too.
        let last = last.filter(|_| !from.is_empty());
        let range = after(&key::users::name(slot, prefix), last);
        let name = |(key, value): &Pair| match UsersKey::decode(key) {
            Some(UsersKey::Name { folded, .. }) => Ok((folded, UserId(number(Family::Users, key, value)?))),
            _ => Err(damaged(Family::Users, key, "not the key of a name")),
        };
        self.reader.scan(Family::Users, range, false, limit)?.iter().map(name).collect()
    }
}

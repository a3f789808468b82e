//! Names of users of other systems as names of accounts here.
//!
//! A name that is allowed stays. Another one gets the nearest form that is allowed. Two names that
//! would be one here get an ending that follows from the name elsewhere, so that a repeat gives the
//! same.

use std::collections::BTreeMap;

use troupe_core::{NameKey, Username, limits};

use crate::report::Report;
use crate::{hex, id_of};

#[derive(Default)]
pub struct Names {
    /// Which identity of elsewhere has the name.
    taken: BTreeMap<NameKey, String>,
    of: BTreeMap<String, String>,
}

impl Names {
    /// The name of the account for an identity of elsewhere, which wants to be called `wanted`.
    pub fn take(&mut self, identity: &str, wanted: &str, report: &mut Report) -> String {
        if let Some(name) = self.of.get(identity) {
            return name.clone();
        }
        let name = self.choose(identity, wanted);
        if name != wanted {
            report.change("names that are not allowed here, or are taken", &format!("{wanted} -> {name}"));
        }
        self.taken.insert(NameKey::of(&name), identity.to_owned());
        self.of.insert(identity.to_owned(), name.clone());
        name
    }

    pub fn get(&self, identity: &str) -> Option<&String> {
        self.of.get(identity)
    }

    fn choose(&self, identity: &str, wanted: &str) -> String {
        let ending = hex(&id_of(&[identity.as_bytes()])[..4]);
        let plain: String = wanted.chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).collect();
        let plain = plain.trim_matches('-');
        let short = |room: usize| plain.chars().take(room).collect::<String>();
        let room = limits::USERNAME_MAX_CHARS - ending.len() - 1;
        let candidates = [
            wanted.to_owned(),
            short(limits::USERNAME_MAX_CHARS),
            format!("{}-{ending}", short(room)),
            // For scripts that may not stand together.
            format!("user-{ending}"),
        ];
        let is_free = |name: &&String| {
            Username::new(name).is_some_and(|allowed| allowed.as_str() == name.as_str())
                && !self.taken.contains_key(&NameKey::of(name))
        };
        let found = candidates.iter().find(is_free).cloned();
        // Two identities with the same ending: one in four thousand millions.
        found.unwrap_or_else(|| format!("user-{}", &hex(&id_of(&[b"again", identity.as_bytes()]))[..20]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_where_they_can_and_two_are_never_one() {
        let (mut names, mut report) = (Names::default(), Report::default());
        assert_eq!(names.take("1", "alice", &mut report), "alice");
        assert_eq!(names.take("1", "other", &mut report), "alice", "an identity has one name");
        assert_eq!(report, Report::default());
        let second = names.take("2", "Alice", &mut report);
        assert!(second.starts_with("Alice-") && second.len() == "Alice-".len() + 8, "{second}");
        for (identity, wanted) in [
            ("3", "a b@c.example"),
            ("4", ""),
            ("5", "12345"),
            ("6", &"x".repeat(70)),
            ("7", "\u{202e}"),
            ("8", "root"),
        ] {
            let name = names.take(identity, wanted, &mut report);
            assert!(Username::new(&name).is_some(), "{wanted:?} -> {name:?}");
        }
        let all: std::collections::BTreeSet<_> = names.of.values().map(|name| NameKey::of(name)).collect();
        assert_eq!(all.len(), names.of.len());
        let again = Names::default().take("2", "Alice", &mut report);
        assert_eq!(again, "Alice", "without the first there is nothing to avoid");
    }
}

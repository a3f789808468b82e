//! The outcome of a transfer in numbers, with examples.

use std::collections::BTreeMap;

use serde::Serialize;

/// Examples of one reason.
const EXAMPLES: usize = 5;
/// Characters of one example; a longer one is cut.
const EXAMPLE_CHARS: usize = 80;
/// Conversations whose failure stands in the report; the others are only counted.
const FAILURES: usize = 100;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Taken, by kind.
    pub taken: BTreeMap<String, u64>,
    /// There from an earlier run.
    pub found: BTreeMap<String, u64>,
    /// Taken in another form, and not taken, by reason.
    pub changed: BTreeMap<String, Group>,
    pub dropped: BTreeMap<String, Group>,
    /// Refused by the cluster. The others were taken.
    pub failures: Vec<Failure>,
    pub failed: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Group {
    pub count: u64,
    pub examples: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    pub of: String,
    pub code: String,
    pub text: String,
}

impl Report {
    pub fn took(&mut self, kind: &str, count: u64) {
        if count > 0 {
            *self.taken.entry(kind.to_owned()).or_default() += count;
        }
    }

    pub fn met(&mut self, kind: &str, count: u64) {
        if count > 0 {
            *self.found.entry(kind.to_owned()).or_default() += count;
        }
    }

    pub fn change(&mut self, why: &str, example: &str) {
        note(&mut self.changed, why, example);
    }

    pub fn drop(&mut self, why: &str, example: &str) {
        note(&mut self.dropped, why, example);
    }

    pub fn fail(&mut self, of: impl Into<String>, code: &str, text: &str) {
        self.failed += 1;
        if self.failures.len() < FAILURES {
            self.failures.push(Failure { of: of.into(), code: code.to_owned(), text: text.to_owned() });
        }
    }

    /// The same in words, a line each.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let counts = [("taken", &self.taken), ("there already", &self.found)];
        for (word, kinds) in counts {
            lines.extend(kinds.iter().map(|(kind, count)| format!("{word}: {count} {kind}")));
        }
        for (word, groups) in [("changed", &self.changed), ("dropped", &self.dropped)] {
            for (why, group) in groups {
                let more = if group.count > group.examples.len() as u64 { ", ..." } else { "" };
                lines.push(format!("{word}: {} {why} ({}{more})", group.count, group.examples.join(", ")));
            }
        }
        lines.extend(self.failures.iter().map(|it| format!("refused: {}: {} ({})", it.of, it.text, it.code)));
        if self.failed > self.failures.len() as u64 {
            lines.push(format!("refused: {} in all", self.failed));
        }
        lines
    }
}

fn note(groups: &mut BTreeMap<String, Group>, why: &str, example: &str) {
    let group = groups.entry(why.to_owned()).or_default();
    group.count += 1;
    if group.examples.len() < EXAMPLES {
        group.examples.push(example.chars().take(EXAMPLE_CHARS).collect());
    }
}

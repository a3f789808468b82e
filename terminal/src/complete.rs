//! Completion of commands, names and conversations.

use troupe_client::chat::{HELP, What};

use crate::model::Model;
use crate::room::Row;

/// Words listed beside the line.
const NAMED: usize = 8;

/// The words that can stand at the cursor. Each press of the key takes the next one.
#[derive(Debug)]
pub struct Completion {
    /// Where the word begins in the line.
    from: usize,
    words: Vec<String>,
    at: Option<usize>,
}

impl Completion {
    /// `None`: nothing fits.
    pub fn of(before: &str, model: &Model) -> Option<Completion> {
        let from = before.rfind(char::is_whitespace).map_or(0, |at| at + 1);
        let from = (from..=before.len()).find(|at| before.is_char_boundary(*at))?;
        let typed = before[from..].to_lowercase();
        let first = from == 0;
        let starts = |word: &String| word.to_lowercase().starts_with(&typed);
        let mut words: Vec<String> = match typed.chars().next()? {
            ':' | '/' if first => commands(&typed[..1]).into_iter().filter(starts).collect(),
            '#' => conversations(model, &typed),
            '@' => names(model).iter().map(|name| format!("@{name} ")).filter(starts).collect(),
            _ if first => names(model).iter().map(|name| format!("{name};;")).filter(starts).collect(),
            _ => {
                let names = names(model).into_iter().chain(["everyone".to_owned()]);
                names.map(|name| format!("{name} ")).filter(starts).collect()
            }
        };
        words.sort();
        words.dedup();
        (!words.is_empty()).then_some(Completion { from, words, at: None })
    }

    pub fn next(&mut self) -> (usize, String) {
        let at = self.at.map_or(0, |at| (at + 1) % self.words.len());
        self.at = Some(at);
        (self.from, self.words[at].clone())
    }

    /// The words to choose from, if there are several.
    pub fn others(&self) -> Option<String> {
        let some: Vec<&str> = self.words.iter().take(NAMED).map(|word| word.trim_end()).collect();
        let more = if self.words.len() > NAMED { " …" } else { "" };
        (self.words.len() > 1).then(|| format!("{}{more}", some.join("  ")))
    }
}

/// With the sign that was typed: `/` is as good as `:`.
fn commands(sign: &str) -> Vec<String> {
    // Some descriptions name the opposite command.
    let words = HELP.iter().flat_map(|(usage, does)| usage.split_whitespace().chain(does.split_whitespace()));
    let verbs = words.filter_map(|word| word.strip_prefix(':')).map(|verb| verb.trim_end_matches([',', ';']));
    let verbs = verbs.filter(|verb| verb.starts_with(|c: char| c.is_ascii_alphabetic()));
    verbs.map(|verb| format!("{sign}{verb} ")).collect()
}

/// Users that have spoken here, and those of direct conversations.
fn names(model: &Model) -> Vec<String> {
    let rows = model.room().into_iter().flat_map(|room| room.rows.values());
    let here = rows.filter_map(|row| match row {
        Row::Said(said) if !said.mine && matches!(said.what, What::Message(_)) => Some(said.who.clone()),
        _ => None,
    });
    let direct = model.rooms.values().filter_map(|room| room.label.strip_prefix('@')).map(str::to_owned);
    here.chain(direct).collect()
}

/// The ids of groups by their titles: an id means one group.
fn conversations(model: &Model, typed: &str) -> Vec<String> {
    let labels = model.rooms.values().map(|room| room.label.as_str());
    let groups = labels.filter(|label| label.to_lowercase().starts_with(typed));
    groups.filter_map(|label| label.rsplit(' ').next()).map(|id| format!("{id} ")).collect()
}

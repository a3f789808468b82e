//! Words of messages, as a search finds them.
//!
//! A text is folded: case, width and diacritics do not matter. It then falls into *words*, which
//! are runs of letters and digits, and *runs* of a script that writes no spaces between words. A
//! query finds a message that contains each of its words as the beginning of a word, and each of
//! its runs anywhere in a run. [`Query::finds`] is that rule. The terms of an index only select
//! messages for it: each message that a query finds has all terms that the query looks up.

use std::collections::BTreeSet;
use std::ops::Range;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::content::Content;
use crate::error::Refused;
use crate::event::Body;
use crate::limits;

/// Characters of a term. An index knows no more of a longer word; the rule does.
const TERM_CHARS: usize = 24;
/// Characters of a snippet, of which so many stand before the first place that was found.
const SNIPPET_CHARS: usize = 160;
const SNIPPET_BEFORE: usize = 40;

const NO_WORD: Refused = Refused {
    code: "no_word",
    text: "the query has no letter or digit to search for: give a word, or only a sender or a kind",
};
const TOO_MANY_WORDS: Refused =
    Refused { code: "too_many_words", text: "the query has more words than a search takes: leave some out" };
pub(crate) const REFUSALS: &[Refused] = &[NO_WORD, TOO_MANY_WORDS];

/// The words of a message that a search finds: its text, its caption, or its name.
pub fn text_of(body: &Body) -> String {
    match (body.as_text(), body.typed()) {
        (Some(text), _) => text.to_owned(),
        // They have no words of their sender.
        (None, Some(Content::Voice(_) | Content::Emoji(_) | Content::Custom(_)) | None) => String::new(),
        (None, Some(Content::Location(place))) => place.name,
        (None, Some(content)) => content.words(),
    }
}

/// A word or a run of a text, folded.
struct Unit {
    is_run: bool,
    folded: Vec<char>,
    /// The place in the text of each folded character, in characters.
    places: Vec<u32>,
}

fn units(text: &str) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::new();
    let mut goes_on = false;
    for (place, original) in (0..).zip(text.chars()) {
        // A mark belongs to the character before it and is folded away with it.
        if is_combining_mark(original) || is_joiner(original) {
            continue;
        }
        for c in folded(original) {
            if !c.is_alphanumeric() {
                goes_on = false;
                continue;
            }
            let is_run = is_unspaced(c);
            match units.last_mut().filter(|unit| goes_on && unit.is_run == is_run) {
                Some(unit) => {
                    unit.folded.push(c);
                    unit.places.push(place);
                }
                None => units.push(Unit { is_run, folded: vec![c], places: vec![place] }),
            }
            goes_on = true;
        }
    }
    units
}

/// One character without case, width and diacritics. Marks of Hangul and kana are letters of their
/// own there and stay.
fn folded(c: char) -> impl Iterator<Item = char> {
    let mut folded = Vec::with_capacity(2);
    for c in std::iter::once(c).nfkc().flat_map(char::to_lowercase) {
        match c {
            'ß' => folded.extend(['s', 's']),
            'æ' => folded.extend(['a', 'e']),
            'œ' => folded.extend(['o', 'e']),
            'ø' => folded.push('o'),
            'ł' => folded.push('l'),
            'đ' => folded.push('d'),
            'ı' => folded.push('i'),
            'ς' => folded.push('σ'),
            'ё' => folded.push('е'),
            _ if is_unspaced(c) => folded.push(c),
            _ => folded.extend(std::iter::once(c).nfd().filter(|c| !is_combining_mark(*c))),
        }
    }
    folded.into_iter()
}

fn is_joiner(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{fe00}'..='\u{fe0f}')
}

/// Letters of scripts that write words without spaces: Chinese, Japanese, Korean, Thai, Lao,
/// Burmese and Khmer.
fn is_unspaced(c: char) -> bool {
    matches!(c,
        '\u{e00}'..='\u{eff}'
        | '\u{1000}'..='\u{109f}'
        | '\u{1100}'..='\u{11ff}'
        | '\u{1780}'..='\u{17ff}'
        | '\u{3005}'..='\u{3007}'
        | '\u{3040}'..='\u{312f}'
        | '\u{3130}'..='\u{318f}'
        | '\u{31f0}'..='\u{31ff}'
        | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}'
        | '\u{ac00}'..='\u{d7ff}'
        | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{3ffff}'
    )
}

/// The terms of a text, for an index: each word, and each two neighbours of a run. The last
/// character of a run is a term of its own.
pub fn terms(text: &str) -> BTreeSet<String> {
    let mut terms = BTreeSet::new();
    for unit in units(text) {
        if unit.is_run {
            terms.extend((0..unit.folded.len()).map(|at| unit.folded[at..].iter().take(2).collect::<String>()));
        } else {
            terms.insert(term(&unit.folded));
        }
    }
    terms
}

fn term(word: &[char]) -> String {
    word.iter().take(TERM_CHARS).collect()
}

/// A look into the terms of an index.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lookup {
    Term(String),
    /// All terms that begin with it.
    Prefix(String),
}

/// The words of a query. Without any it finds every message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    words: BTreeSet<Vec<char>>,
    runs: BTreeSet<Vec<char>>,
}

impl Query {
    pub fn of(text: &str) -> Result<Query, Refused> {
        let mut query = Query::default();
        for unit in units(text) {
            let wanted = if unit.is_run { &mut query.runs } else { &mut query.words };
            wanted.insert(unit.folded);
        }
        match query.words.len() + query.runs.len() {
            0 if !text.is_empty() => Err(NO_WORD),
            limits::SEARCH_WORDS.. if query.words.len() + query.runs.len() > limits::SEARCH_WORDS => {
                Err(TOO_MANY_WORDS)
            }
            _ => Ok(query),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.words.is_empty() && self.runs.is_empty()
    }

    /// Each message that this query finds has a term for every one of these.
    pub fn lookups(&self) -> BTreeSet<Lookup> {
        let mut lookups: BTreeSet<Lookup> = self.words.iter().map(|word| Lookup::Prefix(term(word))).collect();
        for run in &self.runs {
            match run.len() {
                1 => lookups.insert(Lookup::Prefix(run.iter().collect())),
                _ => {
                    lookups.extend(run.windows(2).map(|two| Lookup::Term(two.iter().collect())));
                    true
                }
            };
        }
        lookups
    }

    /// The places of all words in the text, in characters, ascending and apart from each other.
    /// `None`: one of them is not there.
    pub fn finds(&self, text: &str) -> Option<Vec<Range<u32>>> {
        let units = units(text);
        let mut places = Vec::new();
        for word in &self.words {
            let found = units.iter().filter(|unit| !unit.is_run && unit.folded.starts_with(word));
            let before = places.len();
            places.extend(found.map(|unit| unit.range(0..word.len())));
            if places.len() == before {
                return None;
            }
        }
        for run in &self.runs {
            let before = places.len();
            for unit in units.iter().filter(|unit| unit.is_run) {
                let found = unit.folded.windows(run.len()).enumerate().filter(|(_, window)| window == run);
                places.extend(found.map(|(at, _)| unit.range(at..at + run.len())));
            }
            if places.len() == before {
                return None;
            }
        }
        places.sort_by_key(|range| (range.start, range.end));
        let mut apart: Vec<Range<u32>> = Vec::new();
        for range in places {
            match apart.last_mut().filter(|last| range.start <= last.end) {
                Some(last) => last.end = last.end.max(range.end),
                None => apart.push(range),
            }
        }
        Some(apart)
    }
}

impl Unit {
    fn range(&self, folded: Range<usize>) -> Range<u32> {
        self.places[folded.start]..self.places[folded.end - 1] + 1
    }
}

/// The part of a text around the first place, and the places in it. Line breaks stay.
pub fn snippet(text: &str, places: &[Range<u32>]) -> (String, Vec<Range<u32>>) {
    let first = places.first().map_or(0, |range| range.start as usize);
    let whole = text.chars().take(SNIPPET_CHARS + 1).count() <= SNIPPET_CHARS;
    let skipped = if whole { 0 } else { first.saturating_sub(SNIPPET_BEFORE) };
    let cut: String = text.chars().skip(skipped).take(SNIPPET_CHARS).collect();
    let (begin, end) = (skipped as u32, (skipped + SNIPPET_CHARS) as u32);
    let inside = places.iter().filter(|range| range.start < end);
    let inside = inside.map(|range| range.start - begin..range.end.min(end) - begin);
    (cut, inside.take(limits::SEARCH_PLACES).collect())
}

#[cfg(test)]
mod tests;

//! Names of users: which are allowed, and when two of them are one.
//!
//! A name has two forms. The text is shown. The [`NameKey`] is unique in the cluster: it is the
//! text in NFKC, case-folded, with each character that looks like another one replaced by that
//! other one (the skeleton of UTS #39). The slot of an account is the slot of its key, so a login
//! can compute it.
//!
//! ASCII letters and digits never replace each other (`rn` is not `m`, `1` is not `l`): the key of
//! an ASCII name is its lower case. Other characters are replaced by the ASCII characters they look
//! like.
//!
//! Accounts of versions before 0.2 have the plain lower case of their name as their key, which
//! differs for some names outside ASCII. [`NameKey::candidates`] lists the keys that an account of
//! a typed name may have. No new account gets such an old key, so a name that is free under all
//! candidates stays free under the old ones.

use std::fmt;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_security::mixed_script::AugmentedScriptSet;

use crate::id::{ConversationId, Slot};
use crate::limits;
use crate::text::is_default_ignorable;

/// Words that speak for the service or for all users, and words with a meaning in the clients.
/// Compared with the key without its `_`, `-` and `.`.
const RESERVED: &[&str] = &[
    "abuse",
    "admin",
    "administrator",
    "administrators",
    "admins",
    "all",
    "announcements",
    "anonymous",
    "anyone",
    "channel",
    "cluster",
    "deleted",
    "everybody",
    "everyone",
    "help",
    "helpdesk",
    "here",
    "mod",
    "moderation",
    "moderator",
    "moderators",
    "mods",
    "nobody",
    "noone",
    "null",
    "official",
    "operator",
    "operators",
    "owner",
    "postmaster",
    "root",
    "security",
    "server",
    "service",
    "staff",
    "superuser",
    "support",
    "sysadmin",
    "sysop",
    "system",
    "troupe",
    "undefined",
    "unknown",
    "webmaster",
];

/// Rounds of folding until a key is stable. Two suffice for every character of Unicode 17.
const ROUNDS: usize = 8;

/// The form of a name that must be unique in the cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NameKey(String);

impl NameKey {
    /// Maximal number of keys of one typed name.
    pub const CANDIDATES: usize = 5;

    /// The key of a new account of this name.
    pub fn of(text: &str) -> NameKey {
        NameKey(key(text))
    }

    /// A key from a row, a command or another node. Nodes before 0.2 sent names as typed.
    pub fn kept(text: &str) -> NameKey {
        NameKey(fold(text))
    }

    /// The keys under which the account of a typed name may be, the most exact first: one for an
    /// ASCII name, none for a text that is too long.
    pub fn candidates(text: &str) -> Vec<NameKey> {
        let mut keys: Vec<NameKey> = Vec::new();
        if text.is_empty() || text.len() > limits::USERNAME_MAX_BYTES {
            return keys;
        }
        let folded = |text: String| text.chars().nfkc().collect::<String>();
        let decomposed: String = fold(text).nfd().collect();
        for key in [fold(text), fold(&folded(text.to_owned())), folded(case_fold(text)), decomposed, key(text)] {
            if !keys.iter().any(|known| known.0 == key) {
                keys.push(NameKey(key));
            }
            if text.is_ascii() {
                break;
            }
        }
        keys
    }

    /// The slot of the account of this key.
    pub fn slot(&self) -> Slot {
        Slot::of(self.0.as_bytes())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A user's displayed name and its key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Username {
    text: String,
    key: NameKey,
}

impl Username {
    /// The name of a new account made by a user.
    pub fn new(text: &str) -> Option<Username> {
        Username::check(text).ok()
    }

    /// As [`new`](Username::new), with the reason of a refusal.
    pub fn check(text: &str) -> Result<Username, &'static str> {
        let name = Username::for_operator(text)?;
        if name.is_reserved() {
            return Err("this name speaks for the service: choose another");
        }
        Ok(name)
    }

    /// The name of an account made by the operator: reserved words are allowed.
    pub fn for_operator(text: &str) -> Result<Username, &'static str> {
        const LENGTH: &str = "a name has at least 2 letters or digits and at most 32 characters";
        if text.len() > limits::USERNAME_MAX_BYTES {
            return Err(LENGTH);
        }
        let text: String = text.nfkc().collect();
        check_characters(&text)?;
        let letters = text.chars().filter(|c| c.is_alphanumeric() && !is_combining_mark(*c)).count();
        if letters < limits::USERNAME_MIN_LETTERS || text.chars().count() > limits::USERNAME_MAX_CHARS {
            return Err(LENGTH);
        }
        check_scripts(&text)?;
        let key = NameKey::of(&text);
        if !text.is_ascii() {
            let shown = fold(&skeleton(&text));
            if shown.is_ascii() && shown != key.0 {
                return Err("in capital letters this name looks like one of another script: write it in small letters");
            }
        }
        if is_conversation(&key.0) {
            return Err("this name looks like the id of a conversation: choose another");
        }
        Ok(Username { text, key })
    }

    /// A name from a log or a row, accepted under the rules of its time. Without a key it is of a
    /// version before 0.2.
    pub fn kept(text: &str, key: Option<&str>) -> Username {
        Username { text: text.to_owned(), key: NameKey(key.map_or_else(|| fold(text), str::to_owned)) }
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn key(&self) -> &NameKey {
        &self.key
    }

    /// Whether the key is the one that every version derives from the text.
    pub fn has_plain_key(&self) -> bool {
        self.key.0 == fold(&self.text)
    }

    /// The slot of the user of this name.
    pub fn slot(&self) -> Slot {
        self.key.slot()
    }

    fn is_reserved(&self) -> bool {
        let bare = self.key.0.replace(['_', '-', '.'], "");
        RESERVED.contains(&bare.as_str())
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Whether two texts name one account.
pub fn same_name(a: &str, b: &str) -> bool {
    key(a) == key(b)
}

/// Lower case, character by character: for search in texts, and the key of names before 0.2.
pub fn fold(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// A name is letters and digits of any script, marks on letters, `_`, `-` and `.`, and begins with
/// a letter or digit.
fn check_characters(text: &str) -> Result<(), &'static str> {
    let mut before = None;
    let (mut marks, mut has_letter) = (0, false);
    for c in text.chars() {
        if is_default_ignorable(c) || !(c.is_alphanumeric() || is_combining_mark(c) || matches!(c, '_' | '-' | '.')) {
            return Err("a name has letters and digits of any script, '_', '-' and '.', and nothing invisible");
        }
        if is_combining_mark(c) {
            marks += 1;
            if marks > limits::USERNAME_MARKS
                || !before.is_some_and(|c: char| c.is_alphabetic() || is_combining_mark(c))
            {
                return Err("in a name each mark belongs to a letter, and a letter has at most 4 marks");
            }
        } else {
            if before.is_none() && !c.is_alphanumeric() {
                return Err("a name begins with a letter or digit");
            }
            marks = 0;
            has_letter |= c.is_alphabetic();
        }
        before = Some(c);
    }
    if has_letter { Ok(()) } else { Err("a name has at least one letter: a number is an id") }
}

/// One script, or Latin beside the scripts of Chinese, Japanese or Korean ("highly restrictive" in
/// UTS #39).
fn check_scripts(text: &str) -> Result<(), &'static str> {
    if !AugmentedScriptSet::for_str(text).is_empty() {
        return Ok(());
    }
    let other: String = text.chars().filter(|c| !c.is_ascii_alphabetic()).collect();
    let others = AugmentedScriptSet::for_str(&other);
    if others.hanb || others.jpan || others.kore {
        Ok(())
    } else {
        Err("this name mixes scripts whose letters look alike: write it in one script")
    }
}

/// `g49319` and `d1-2`, in any number of digits.
fn is_conversation(key: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    key.strip_prefix('g').is_some_and(digits)
        || key.strip_prefix('d').and_then(|rest| rest.split_once('-')).is_some_and(|(a, b)| digits(a) && digits(b))
        || key.parse::<ConversationId>().is_ok()
}

/// The key of a name. It is the key of itself.
fn key(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mut key = text.to_owned();
    for _ in 0..ROUNDS {
        let visible: String = key.nfkc().filter(|c| !is_default_ignorable(*c)).collect();
        let next = fold(&skeleton(&case_fold(&visible))).nfkc().collect();
        if next == key {
            break;
        }
        key = next;
    }
    key
}

/// Full case folding. Capitals first, so that all small forms of a capital are one: `ς` and `σ`,
/// `ß` and `ss`.
fn case_fold(text: &str) -> String {
    let small = text.chars().flat_map(char::to_lowercase);
    small.flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}

/// The skeleton of UTS #39 with ASCII left as it is.
fn skeleton(text: &str) -> String {
    let mut skeleton = String::new();
    let mut bytes = [0; 4];
    for c in text.nfd() {
        // The table covers the parts of a Korean syllable in isolation; within a syllable they do
        // not look alike.
        if c.is_ascii() || ('\u{1100}'..='\u{11ff}').contains(&c) {
            skeleton.push(c);
            continue;
        }
        let start = skeleton.len();
        skeleton.extend(unicode_security::skeleton(c.encode_utf8(&mut bytes)));
        // The table writes `m` as `rn`; here `m` is a letter of its own.
        if &skeleton[start..] == "rn" {
            skeleton.truncate(start);
            skeleton.push('m');
        }
    }
    skeleton.nfc().collect()
}

#[cfg(test)]
mod tests;

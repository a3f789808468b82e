//! The profile of a user, which it changes itself.

use xxhash_rust::xxh3::xxh3_64;

use super::{Outcome, Step};
use crate::command::{ChangeProfile, ProfileChange};
use crate::effect::Effect;
use crate::error::Rejection;
use crate::limits;
use crate::record::{Audience, Change, Profile};
use crate::reply::Reply;
use crate::state::Rows;
use crate::text::{is_prose, is_reference, is_title};

/// Refusals that need no state.
pub(super) fn check_profile(c: &ChangeProfile) -> Result<(), Rejection> {
    let ProfileChange { display_name, avatar, about, language, messages_from: _ } = &c.change;
    let wrong = |text: &'static str| Err(Rejection::BadRequest(text));
    if c.change == ProfileChange::default() {
        return wrong("a change of a profile names at least one of its values");
    }
    let given = |text: &Option<String>, fits: fn(&str) -> bool| {
        text.as_deref().is_none_or(|text| text.is_empty() || fits(text))
    };
    if !given(display_name, |name| name.chars().count() <= limits::DISPLAY_NAME_CHARS && is_title(name)) {
        return wrong("a display name has at most 64 characters, shows something and has no control characters");
    }
    if !given(avatar, is_reference) {
        return wrong("an avatar is a reference of at most 256 visible ASCII characters");
    }
    if !given(about, |about| about.len() <= limits::ABOUT_BYTES && is_prose(about)) {
        return wrong("a text about a user has at most 1024 bytes and no control characters but line ends");
    }
    if !given(language, is_language) {
        return wrong("a language is a tag like 'de' or 'zh-Hans'");
    }
    Ok(())
}

/// The form of a tag of BCP 47: subtags of one to eight ASCII letters and digits.
fn is_language(tag: &str) -> bool {
    let is_subtag = |tag: &str| (1..=8).contains(&tag.len()) && tag.bytes().all(|byte| byte.is_ascii_alphanumeric());
    tag.len() <= limits::LANGUAGE_BYTES && tag.split('-').all(is_subtag)
}

impl Step<'_> {
    pub(super) fn change_profile(&mut self, c: &ChangeProfile) -> Outcome {
        check_profile(c)?;
        let mut profile = self.state.get::<Profile>(&c.user).unwrap_or_default();
        let change = Change { request: c.request, digest: digest(&c.change) };
        if !repeats(&profile.changes, change)? {
            let ProfileChange { display_name, avatar, about, language, messages_from } = &c.change;
            profile.messages_from = messages_from.unwrap_or(profile.messages_from);
            let texts = [
                (&mut profile.display_name, display_name),
                (&mut profile.avatar, avatar),
                (&mut profile.about, about),
                (&mut profile.language, language),
            ];
            for (held, text) in texts {
                if let Some(text) = text {
                    held.clone_from(text);
                }
            }
            profile.version += 1;
            remember(&mut profile.changes, change);
            self.state.put(&c.user, &profile);
        }
        self.effects.push(Effect::ProfileChanged { user: c.user, profile: Box::new(profile) });
        Ok(Reply::Done)
    }
}

/// Whether this is a repeat of a remembered change. Another change under its id is refused.
pub(super) fn repeats(changes: &[Change], change: Change) -> Result<bool, Rejection> {
    match changes.iter().find(|held| held.request == change.request) {
        Some(held) if held.digest != change.digest => Err(Rejection::RequestReused),
        held => Ok(held.is_some()),
    }
}

pub(super) fn remember(changes: &mut Vec<Change>, change: Change) {
    changes.push(change);
    if changes.len() > limits::CHANGES_REMEMBERED {
        changes.remove(0);
    }
}

fn digest(change: &ProfileChange) -> u64 {
    let ProfileChange { display_name, avatar, about, language, messages_from } = change;
    let audience = messages_from.map(Audience::name);
    let texts = [display_name, avatar, about, language].map(Option::as_deref);
    digest_of(texts.into_iter().chain(audience.map(Some)))
}

/// Of texts, each present or not: no two lists of them have the same bytes.
pub(super) fn digest_of<'a>(texts: impl IntoIterator<Item = Option<&'a str>>) -> u64 {
    let mut bytes = Vec::new();
    for text in texts {
        let length = text.map_or(u64::MAX, |text| text.len() as u64);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(text.unwrap_or_default().as_bytes());
    }
    xxh3_64(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{ClientMessageId, UserId};

    fn checked(change: ProfileChange) -> bool {
        check_profile(&ChangeProfile { user: UserId(7), request: ClientMessageId([1; 16]), change }).is_ok()
    }

    #[test]
    fn texts_of_a_profile_are_bounded_and_steer_nothing() {
        let name = |name: &str| ProfileChange { display_name: Some(name.to_owned()), ..Default::default() };
        assert!(checked(name("Zoë Müller")) && checked(name("")) && checked(name(&"あ".repeat(64))));
        assert!(!checked(name(&"x".repeat(65))) && !checked(name("a\u{202e}b")) && !checked(name("\u{3164}")));
        let about = |about: &str| ProfileChange { about: Some(about.to_owned()), ..Default::default() };
        assert!(checked(about("one\ntwo")) && !checked(about("\x1b[2J")) && !checked(about(&"x".repeat(1025))));
        let avatar = |avatar: &str| ProfileChange { avatar: Some(avatar.to_owned()), ..Default::default() };
        assert!(checked(avatar("sha256:0a")) && !checked(avatar("a b")) && !checked(avatar(&"x".repeat(257))));
        assert!(!checked(ProfileChange::default()), "it changes nothing");
    }

    #[test]
    fn a_language_is_a_tag() {
        for tag in ["de", "zh-Hans", "sr-Latn-RS", "x-1"] {
            assert!(is_language(tag), "{tag}");
        }
        for tag in ["de_DE", "-", "de-", "ninechars", "ä", &"abcdefgh-".repeat(5)] {
            assert!(!is_language(tag), "{tag}");
        }
    }

    #[test]
    fn an_absent_text_is_no_empty_one() {
        assert_ne!(digest_of([Some("")]), digest_of([None]));
        assert_ne!(digest_of([Some("ab"), Some("")]), digest_of([Some("a"), Some("b")]));
    }
}

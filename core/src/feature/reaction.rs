//! Reactions: a member marks a message with an emoji, and may take the mark back.
//!
//! A user has each emoji at most once per message. Each change is an event of the log. One row per
//! message has the number of users of each emoji, and one row per user and message has that user's
//! own. So a page of history costs two scans, for any number of users that have reacted.

use prost::Message;
use unicode_normalization::char::is_combining_mark;

use super::Append;
use crate::error::{Refused, Rejection};
use crate::event::{Event, EventKind};
use crate::id::{ConversationId, Seq, UserId};
use crate::limits;
use crate::machine::Step;
use crate::planted::Bug;
use crate::record::table;
use crate::state::Rows;
use crate::text::{clean, is_default_ignorable};

const BAD_EMOJI: Refused = Refused {
    code: "bad_emoji",
    text: "a reaction is one emoji or other visible character, of at most 36 bytes: choose one",
};
const ALREADY_REACTED: Refused =
    Refused { code: "already_reacted", text: "you have this reaction on this message already: there is nothing to do" };
const NO_SUCH_REACTION: Refused = Refused {
    code: "no_such_reaction",
    text: "you do not have this reaction on this message: there is nothing to take back",
};
const TOO_MANY_REACTIONS: Refused = Refused {
    code: "too_many_reactions",
    text: "this message has its largest number of different reactions: use one of those that it has",
};
pub(super) const REFUSALS: &[Refused] = &[BAD_EMOJI, ALREADY_REACTED, NO_SUCH_REACTION, TOO_MANY_REACTIONS];

/// The reactions to a message, in the order of the first of each emoji. A message without any has
/// no row.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Reactions {
    #[prost(message, repeated, tag = "1")]
    pub counts: Vec<Count>,
}

#[derive(Clone, PartialEq, Eq, Message)]
pub struct Count {
    #[prost(string, tag = "1")]
    pub emoji: String,
    /// Users that have it, former members included. Never zero.
    #[prost(uint64, tag = "2")]
    pub users: u64,
}

/// The reactions of one user to a message. A user without any has no row.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct OwnReactions {
    #[prost(string, repeated, tag = "1")]
    pub emoji: Vec<String>,
}

table!(message Reactions, Conversations, Some(0x42), (ConversationId, Seq));
// A user's rows of one conversation stand together, in the order of its messages.
table!(message OwnReactions, Conversations, Some(0x43), (ConversationId, UserId, Seq));

pub(super) fn check(emoji: &str) -> Result<(), Rejection> {
    if is_reaction(emoji) { Ok(()) } else { Err(BAD_EMOJI.into()) }
}

/// Whether it is one visible character with its modifiers: one emoji, in any of the sequences of
/// UTS #51, or a letter outside ASCII with its marks. Text is no reaction.
pub(crate) fn is_reaction(emoji: &str) -> bool {
    const JOINER: char = '\u{200d}';
    const KEYCAP: char = '\u{20e3}';
    let is_flag = |c: char| ('\u{1f1e6}'..='\u{1f1ff}').contains(&c);
    let is_tag = |c: char| ('\u{e0020}'..='\u{e007f}').contains(&c);
    let is_tone = |c: char| ('\u{1f3fb}'..='\u{1f3ff}').contains(&c);
    let is_base = |c: char| {
        let is_plain = if c.is_ascii() { matches!(c, '0'..='9' | '#' | '*') } else { !c.is_control() };
        is_plain && !c.is_whitespace() && !is_default_ignorable(c) && !is_combining_mark(c)
    };
    if emoji.len() > limits::EMOJI_BYTES {
        return false;
    }
    let mut chars = emoji.chars().peekable();
    let Some(first) = chars.next().filter(|first| is_base(*first)) else { return false };
    if is_flag(first) {
        return chars.next().is_some_and(is_flag) && chars.next().is_none();
    }
    let mut last = first;
    while let Some(c) = chars.next() {
        let extends = match c {
            JOINER => last != JOINER && chars.peek().is_some(),
            '\u{fe0e}' | '\u{fe0f}' => true,
            c if is_tag(c) || is_tone(c) || is_combining_mark(c) => true,
            c => last == JOINER && !c.is_ascii() && is_base(c),
        };
        if !extends {
            return false;
        }
        last = c;
    }
    !first.is_ascii() || last == KEYCAP
}

pub(super) fn words(to: Seq, emoji: &str, removed: bool) -> String {
    match removed {
        false => format!("reacted with {} to {to}", clean(emoji)),
        true => format!("took back {} from {to}", clean(emoji)),
    }
}

impl Step<'_> {
    /// Nothing to do is a definite refusal, so that every place in the log is a change.
    pub(super) fn decide_react(
        &self,
        append: &Append,
        to: Seq,
        emoji: &str,
        remove: bool,
    ) -> Result<EventKind, Rejection> {
        let conversation = append.conversation;
        self.message_for(conversation, append.actor, to)?;
        let own = self.state.get::<OwnReactions>(&(conversation, append.actor, to)).unwrap_or_default();
        let has = own.emoji.iter().any(|own| own == emoji);
        match (remove, has) {
            (true, false) => return Err(NO_SUCH_REACTION.into()),
            (false, true) if !self.planted(Bug::ReactionTwice) => return Err(ALREADY_REACTED.into()),
            (false, _) => {
                let all = self.state.get::<Reactions>(&(conversation, to)).unwrap_or_default();
                let is_new = !all.counts.iter().any(|count| count.emoji == emoji);
                if is_new && all.counts.len() >= limits::REACTIONS_PER_MESSAGE {
                    return Err(TOO_MANY_REACTIONS.into());
                }
            }
            (true, true) => {}
        }
        Ok(EventKind::Reacted { to, emoji: emoji.to_owned(), removed: remove })
    }

    pub(super) fn project_reacted(
        &mut self,
        conversation: ConversationId,
        event: &Event,
        to: Seq,
        emoji: &str,
        removed: bool,
    ) {
        let (of_message, of_user) = ((conversation, to), (conversation, event.sender, to));
        let mut all = self.state.get::<Reactions>(&of_message).unwrap_or_default();
        let mut own = self.state.get::<OwnReactions>(&of_user).unwrap_or_default();
        if removed {
            own.emoji.retain(|own| own != emoji);
            all.counts
                .iter_mut()
                .filter(|count| count.emoji == emoji)
                .for_each(|count| count.users = count.users.saturating_sub(1));
            all.counts.retain(|count| count.users > 0);
        } else {
            own.emoji.push(emoji.to_owned());
            match all.counts.iter_mut().find(|count| count.emoji == emoji) {
                Some(count) => count.users += 1,
                None => all.counts.push(Count { emoji: emoji.to_owned(), users: 1 }),
            }
        }
        if all.counts.is_empty() {
            self.state.delete::<Reactions>(&of_message);
        } else {
            self.state.put(&of_message, &all);
        }
        if own.emoji.is_empty() {
            self.state.delete::<OwnReactions>(&of_user);
        } else {
            self.state.put(&of_user, &own);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_visible_character_is_a_reaction() {
        for emoji in [
            "👍",
            "❤",
            "❤\u{fe0f}",
            "👍🏽",
            "👩\u{200d}🚀",
            "👩🏽\u{200d}❤\u{fe0f}\u{200d}💋\u{200d}👨🏿",
            "🇩🇪",
            "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
            "1\u{fe0f}\u{20e3}",
            "#\u{20e3}",
            "好",
            "é",
            "e\u{301}".trim_start_matches('e'),
            "†",
        ] {
            let is_mark_alone = emoji == "\u{301}";
            assert_eq!(is_reaction(emoji), !is_mark_alone, "{emoji:?}");
        }
    }

    #[test]
    fn text_controls_and_invisible_characters_are_no_reactions() {
        for emoji in [
            "",
            " ",
            "a",
            "ok",
            "+1",
            "1",
            "1\u{fe0f}",
            "👍👍",
            "👍 ",
            "\n",
            "\u{7}",
            "\u{200d}",
            "\u{fe0f}",
            "👍\u{200d}",
            "👍\u{200d}\u{200d}👍",
            "👍\u{200d}a",
            "\u{202e}👍",
            "👍\u{202e}",
            "\u{3164}",
            "\u{a0}",
            "🇩",
            "🇩🇪🇩",
            "🇩👍",
            "好好",
        ] {
            assert!(!is_reaction(emoji), "{emoji:?}");
        }
        let longest = format!("❤{}", "\u{301}".repeat(16));
        assert!(longest.len() < limits::EMOJI_BYTES && is_reaction(&longest));
        assert!(!is_reaction(&format!("❤{}", "\u{301}".repeat(17))));
    }
}

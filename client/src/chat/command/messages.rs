//! Commands about one message, which they name by its number.

use troupe_core::Seq;
use troupe_core::content::Poll;

use super::Line;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::chat) enum Act {
    Reply(String),
    Edit(String),
    Recall,
    /// The members that have read it.
    Readers,
    Pin,
    Unpin,
    /// For these options of a poll, from 0.
    Vote(Vec<u32>),
    TakeVoteBack,
    ClosePoll,
    React {
        emoji: String,
        remove: bool,
    },
}

/// The verbs of this file, each with its usage.
const USAGE: &[(&str, &str)] = &[
    (":reply", ":reply <number> <text>"),
    (":edit", ":edit <number> <text>"),
    (":recall", ":recall <number>"),
    (":readers", ":readers <number>"),
    (":pin", ":pin <number>"),
    (":unpin", ":unpin <number>"),
    (":vote", ":vote <number> <option>.., with the options counted from 1"),
    (":unvote", ":unvote <number>"),
    (":close", ":close <number>"),
    (":react", ":react <number> <emoji>"),
    (":unreact", ":unreact <number> <emoji>"),
    (":poll", ":poll <question> | <option> | <option>.."),
];

/// `None`: a verb of another file.
pub(super) fn parse(verb: &str, rest: &str) -> Option<Line> {
    let (_, usage) = USAGE.iter().find(|(known, _)| *known == verb)?;
    let line = if verb == ":poll" { poll(rest).map(Line::Poll) } else { about(verb, rest) };
    Some(line.unwrap_or(Line::Usage(usage)))
}

fn about(verb: &str, rest: &str) -> Option<Line> {
    let (number, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let number: u64 = number.strip_prefix('#').unwrap_or(number).parse().ok().filter(|number| *number > 0)?;
    let act = match (verb, rest.trim()) {
        (":recall", "") => Act::Recall,
        (":readers", "") => Act::Readers,
        (":pin", "") => Act::Pin,
        (":unpin", "") => Act::Unpin,
        (":unvote", "") => Act::TakeVoteBack,
        (":close", "") => Act::ClosePoll,
        (_, "") => return None,
        (":reply", text) => Act::Reply(text.to_owned()),
        (":edit", text) => Act::Edit(text.to_owned()),
        (":vote", options) => Act::Vote(votes(options)?),
        (":react", emoji) => Act::React { emoji: emoji.to_owned(), remove: false },
        (":unreact", emoji) => Act::React { emoji: emoji.to_owned(), remove: true },
        _ => return None,
    };
    Some(Line::About { to: Seq(number), act })
}

fn votes(options: &str) -> Option<Vec<u32>> {
    options
        .split([' ', ','])
        .filter(|word| !word.is_empty())
        .map(|word| word.parse::<u32>().ok()?.checked_sub(1))
        .collect()
}

fn poll(rest: &str) -> Option<Poll> {
    let mut parts = rest.split('|').map(|part| part.trim().to_owned());
    let question = parts.next().filter(|question| !question.is_empty())?;
    let options: Vec<String> = parts.collect();
    let is_whole = options.len() >= 2 && options.iter().all(|option| !option.is_empty());
    is_whole.then(|| Poll { question, options, ..Poll::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_named_by_its_number() {
        let about = |act| Some(Line::About { to: Seq(12), act });
        assert_eq!(parse(":reply", "12 so  it is"), about(Act::Reply("so  it is".into())));
        assert_eq!(parse(":reply", "#12 7 of them"), about(Act::Reply("7 of them".into())));
        assert_eq!(parse(":edit", "12 better"), about(Act::Edit("better".into())));
        assert_eq!(parse(":recall", "12"), about(Act::Recall));
        assert_eq!(parse(":readers", "12"), about(Act::Readers));
        assert_eq!(parse(":vote", "12 2, 3"), about(Act::Vote(vec![1, 2])));
        assert_eq!(parse(":unreact", "12  ❤ "), about(Act::React { emoji: "❤".into(), remove: true }));
        assert_eq!(parse(":rename", "12"), None);
        for (verb, rest) in [
            (":reply", "12"),
            (":reply", "hello"),
            (":edit", "0 text"),
            (":recall", ""),
            (":recall", "12 now"),
            (":vote", "12 yes"),
            (":vote", "12 0"),
            (":poll", "Lunch?"),
            (":poll", "Lunch? | yes"),
            (":poll", "| yes | no"),
        ] {
            assert!(matches!(parse(verb, rest), Some(Line::Usage(_))), "{verb} {rest}");
        }
    }

    #[test]
    fn a_poll_is_a_question_with_options() {
        let Some(Line::Poll(poll)) = parse(":poll", "Lunch, now? | Yes| No, later ") else { panic!("a poll") };
        assert_eq!((poll.question.as_str(), poll.options), ("Lunch, now?", vec!["Yes".into(), "No, later".into()]));
    }
}

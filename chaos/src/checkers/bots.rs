//! Bots: a request that the scopes of a token do not have is refused, one that they have is not
//! refused for them, and a token that has ended opens nothing.

use std::collections::BTreeMap;

use super::{Kind, Promise, Violation};
use crate::history::{BotAct, BotAnswer, BotStep, History, Record};

#[derive(Default)]
struct Token {
    acts: Vec<BotAct>,
    /// When its owner learned of its end.
    ended: Option<u64>,
}

pub fn check(history: &History) -> Vec<Violation> {
    let mut tokens: BTreeMap<(u64, u64), Token> = BTreeMap::new();
    let mut violations = Vec::new();
    for record in &history.records {
        let Record::Bot { at, bot, token: number, step } = record else { continue };
        let token = tokens.entry((*bot, *number)).or_default();
        match step {
            BotStep::Given { read, send, manage } => {
                let scopes = [(read, BotAct::Read), (send, BotAct::Send), (manage, BotAct::Manage)];
                token.acts = scopes.into_iter().filter_map(|(given, act)| given.then_some(act)).collect();
                token.acts.push(BotAct::Enter);
            }
            BotStep::Ended => drop(token.ended.get_or_insert(*at)),
            BotStep::Answered { asked, act, answer } => {
                if let Some((kind, why)) = token.broken(*asked, *act, *answer) {
                    let text = format!("bot {bot}, token {number}: {act:?}, asked at {asked}, {why}");
                    violations.push(Violation { promise: Promise::Bots, kind, text });
                }
            }
        }
    }
    violations
}

impl Token {
    fn broken(&self, asked: u64, act: BotAct, answer: BotAnswer) -> Option<(Kind, &'static str)> {
        let (is_for, has_ended) = (self.acts.contains(&act), self.ended.is_some_and(|ended| ended < asked));
        match answer {
            BotAnswer::Passed if !is_for => Some((Kind::Phantom, "passed, and the token is not for it")),
            BotAnswer::Passed if has_ended => Some((Kind::Phantom, "passed, and the token had ended")),
            BotAnswer::NotForBots if is_for => Some((Kind::Lost, "was refused, and the token is for it")),
            // A late change of the owner may end a token before another one does.
            BotAnswer::Passed | BotAnswer::NotForBots | BotAnswer::Ended => None,
        }
    }
}

//! Tokens of bots, and what they were used for.

use troupe_chaos::history::{BotAct, BotAnswer, BotStep, Record};
use troupe_core::UserId;
use troupe_proto::wire::client::BotScopes;

use super::Evidence;

/// A bot and the number of its token.
pub type BotToken = (UserId, u64);

impl Evidence {
    pub fn bot_given(&self, token: BotToken, scopes: BotScopes) {
        let BotScopes { read, send, manage } = scopes;
        self.bot(token, BotStep::Given { read, send, manage });
    }

    /// The owner has learned that the token has ended.
    pub fn bot_ended(&self, token: BotToken) {
        self.bot(token, BotStep::Ended);
    }

    /// The answer to a request at that time, in microseconds.
    pub fn bot_answered(&self, token: BotToken, asked: u64, act: BotAct, answer: BotAnswer) {
        self.bot(token, BotStep::Answered { asked, act, answer });
    }

    fn bot(&self, (bot, token): BotToken, step: BotStep) {
        self.record(|at| Record::Bot { at, bot: bot.0, token, step });
    }
}

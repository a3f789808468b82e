//! `change_bot`: makes a bot of the caller, gives it another token, or ends it.

use troupe_core::command::{BotChange, ChangeBot};
use troupe_core::record::Bot;
use troupe_core::{Command, DeviceId, Rejection, UserId, machine};
use troupe_proto::client::{self, SessionToken};

use super::cost::{CHANGE, Cost};
use super::{Answered, Operation};
use crate::message::{Answer, Refusal, wire};
use crate::passwords::token_hash;
use crate::service::{Caller, Service};

impl Operation for wire::ChangeBot {
    /// The account of a bot stays for good.
    fn cost(&self) -> Cost {
        Cost::Units(CHANGE * 4)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let owner = caller.user();
        let request = client::client_message_id("change_bot.request", &self.request)?;
        let change = self.change.ok_or(Rejection::BadRequest("a change of a bot makes, rotates or ends one"))?;
        let secret: [u8; 32] = service.context.platform.rng.bytes();
        let token = token_hash(&secret);
        let (bot, change) = match change {
            wire::change_bot::Change::Create(wire::NewBot { name, scopes }) => {
                (None, BotChange::Create { name, token, scopes: number(scopes.unwrap_or_default()) })
            }
            wire::change_bot::Change::Rotate(bot) => (Some(UserId(bot)), BotChange::Rotate { bot: UserId(bot), token }),
            wire::change_bot::Change::End(bot) => (Some(UserId(bot)), BotChange::End { bot: UserId(bot) }),
        };
        let ends = matches!(change, BotChange::End { .. });
        let command = Command::from(ChangeBot { owner, request, change });
        machine::check(&command)?;
        let bot = match (service.commit(command).await?, bot) {
            (Answer::Registered(bot), _) => bot,
            (Answer::Done, Some(bot)) => bot,
            _ => return Err(Refusal::Unavailable),
        };
        if ends {
            return Ok(wire::Bot { user_id: bot.0, ..Default::default() });
        }
        let device = DeviceId::new(Bot::DEVICE).ok_or(Refusal::Unavailable)?;
        let token = SessionToken { user: bot, device, secret }.encode();
        let listed = service.ask_leader(owner.slot(), owner, wire::ListBots {}).await?;
        let found = listed.bots.into_iter().find(|listed| listed.user_id == bot.0);
        Ok(wire::Bot { token: token.into(), ..found.unwrap_or_default() })
    }
}

fn number(scopes: wire::BotScopes) -> u32 {
    let wire::BotScopes { read, send, manage } = scopes;
    [(read, Bot::READ), (send, Bot::SEND), (manage, Bot::MANAGE)]
        .into_iter()
        .filter_map(|(given, scope)| given.then_some(scope))
        .sum()
}

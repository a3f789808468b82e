//! `list_bots`: all bots of the caller.

use troupe_core::record::Bot;
use troupe_core::{UserId, limits};

use super::cost::{Cost, READ};
use super::{Answered, AtLeader, Leader, Operation, Plan};
use crate::message::{Refusal, wire};
use crate::service::{Caller, Service};

impl Operation for wire::ListBots {
    fn cost(&self) -> Cost {
        Cost::Units(READ * 2)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let user = caller.user();
        service.ask_leader(user.slot(), user, self).await
    }
}

impl AtLeader for wire::ListBots {
    fn plan(self, user: UserId, _: &Leader<'_>) -> Result<Plan<wire::Bots>, Refusal> {
        Ok(Plan::read(user, limits::BOTS_PER_USER, move |view| {
            let rows = view.page::<Bot>(&user, None, limits::BOTS_PER_USER)?;
            Ok(Ok(wire::Bots { bots: rows.into_iter().map(|((_, id), bot)| shown(id, bot)).collect() }))
        }))
    }
}

fn shown(id: UserId, bot: Bot) -> wire::Bot {
    let scopes = wire::BotScopes { read: bot.may(Bot::READ), send: bot.may(Bot::SEND), manage: bot.may(Bot::MANAGE) };
    wire::Bot {
        user_id: id.0,
        name: bot.name,
        scopes: Some(scopes),
        created_ms: bot.created.0,
        token_set_ms: bot.token_set.0,
        token: bytes::Bytes::new(),
    }
}

//! Commands around bots.

use bytes::Bytes;
use troupe_core::UserId;
use troupe_core::command::{BotChange, ChangeBot};
use troupe_core::form::DecodeError;

use crate::field;
use crate::wire::record as wire;
use crate::wire::record::change_bot::Change;

impl From<&ChangeBot> for wire::ChangeBot {
    fn from(c: &ChangeBot) -> Self {
        let change = match &c.change {
            BotChange::Create { name, token, scopes } => Change::Create(wire::CreateBot {
                name: name.clone(),
                token: Bytes::copy_from_slice(&token.0),
                scopes: *scopes,
            }),
            BotChange::Rotate { bot, token } => {
                Change::Rotate(wire::RotateBot { bot: bot.0, token: Bytes::copy_from_slice(&token.0) })
            }
            BotChange::End { bot } => Change::End(bot.0),
        };
        wire::ChangeBot { owner: c.owner.0, request: Bytes::copy_from_slice(&c.request.0), change: Some(change) }
    }
}

impl TryFrom<wire::ChangeBot> for ChangeBot {
    type Error = DecodeError;

    fn try_from(c: wire::ChangeBot) -> Result<Self, DecodeError> {
        Ok(ChangeBot {
            owner: UserId(c.owner),
            request: field::client_message_id("change_bot.request", &c.request)?,
            change: match field::required("change_bot.change", c.change)? {
                Change::Create(wire::CreateBot { name, token, scopes }) => {
                    BotChange::Create { name, token: field::token_hash("create_bot.token", &token)?, scopes }
                }
                Change::Rotate(wire::RotateBot { bot, token }) => {
                    BotChange::Rotate { bot: UserId(bot), token: field::token_hash("rotate_bot.token", &token)? }
                }
                Change::End(bot) => BotChange::End { bot: UserId(bot) },
            },
        })
    }
}

//! Bots of this user.

use bytes::Bytes;
use troupe_core::{ClientMessageId, UserId};
use troupe_proto::wire::client as wire;
use troupe_proto::wire::client::change_bot::Change;

use crate::client::Client;
use crate::connection::{Message, Request, unexpected};
use crate::error::Result;

impl Client {
    /// Makes a bot: an account without a password. Only the answer has its token, which serves like
    /// that of a session. A repeat is the same bot with another token.
    pub async fn create_bot(&self, name: &str, scopes: wire::BotScopes) -> Result<wire::Bot> {
        self.create_bot_as(ClientMessageId(self.shared.context.rng.bytes()), name, scopes).await
    }

    pub async fn create_bot_as(
        &self,
        request: ClientMessageId,
        name: &str,
        scopes: wire::BotScopes,
    ) -> Result<wire::Bot> {
        let new = wire::NewBot { name: name.to_owned(), scopes: Some(scopes) };
        self.change_bot(request, Change::Create(new)).await
    }

    /// Gives a bot another token. The one before ends at once.
    pub async fn rotate_bot(&self, bot: UserId) -> Result<wire::Bot> {
        self.change_bot(ClientMessageId(self.shared.context.rng.bytes()), Change::Rotate(bot.0)).await
    }

    /// Ends a bot. Its messages stay.
    pub async fn end_bot(&self, bot: UserId) -> Result<()> {
        self.change_bot(ClientMessageId(self.shared.context.rng.bytes()), Change::End(bot.0)).await.map(drop)
    }

    /// All bots of this user, without their tokens.
    pub async fn bots(&self) -> Result<Vec<wire::Bot>> {
        match self.call(Request::ListBots(wire::ListBots {})).await? {
            Message::Bots(list) => Ok(list.bots),
            other => Err(unexpected(&other)),
        }
    }

    async fn change_bot(&self, request: ClientMessageId, change: Change) -> Result<wire::Bot> {
        let request = Bytes::copy_from_slice(&request.0);
        match self.call(Request::ChangeBot(wire::ChangeBot { request, change: Some(change) })).await? {
            Message::Bot(bot) => Ok(bot),
            other => Err(unexpected(&other)),
        }
    }
}

//! Bots: accounts that a user owns, without a password.
//!
//! A bot's account is in the slot of its owner, and its name begins with the owner's, so no other
//! account has it. Its token is a session that does not expire.

use super::{Outcome, Step};
use crate::command::{BotChange, ChangeBot};
use crate::effect::Ending;
use crate::error::{Refused, Rejection};
use crate::id::{DeviceId, Timestamp, TokenHash, UserId};
use crate::limits;
use crate::name::Username;
use crate::record::{Bot, BotOwner, BotsMade, Known, Session, Standing, Status, User};
use crate::reply::Reply;
use crate::state::Rows;

const TOO_MANY_BOTS: Refused =
    Refused { code: "too_many_bots", text: "you have the largest number of bots: delete one, or use one of them" };
const BOT_EXISTS: Refused = Refused { code: "bot_exists", text: "you have a bot of this name: choose another name" };
const NO_SUCH_BOT: Refused = Refused { code: "no_such_bot", text: "you have no such bot: list your bots" };
pub const NOT_FOR_BOTS: Refused = Refused {
    code: "not_for_bots",
    text: "a bot cannot do this: its owner does it, or asks for a token with the scope",
};
pub const REFUSALS: &[Refused] = &[TOO_MANY_BOTS, BOT_EXISTS, NO_SUCH_BOT, NOT_FOR_BOTS];

/// In place of a hash: no password matches it.
pub const NO_PASSWORD: &str = "bot";

/// Refusals that need no state.
pub(super) fn check_bot(c: &ChangeBot) -> Result<(), Rejection> {
    super::somebody(c.owner)?;
    let BotChange::Create { name, scopes, .. } = &c.change else { return Ok(()) };
    Username::check(name).map_err(Rejection::BadRequest)?;
    if *scopes == 0 || *scopes & !Bot::ALL != 0 {
        return Err(Rejection::BadRequest("a token has one or more of the scopes read, send and manage"));
    }
    Ok(())
}

impl Step<'_> {
    pub(super) fn change_bot(&mut self, c: &ChangeBot) -> Outcome {
        check_bot(c)?;
        let owner = self.state.get::<User>(&c.owner).ok_or(Rejection::NoSuchUser)?;
        match owner.standing.status {
            Status::Active => {}
            Status::Disabled => return Err(Rejection::AccountDisabled),
            Status::Deleted => return Err(Rejection::NoSuchUser),
        }
        if self.state.get::<BotOwner>(&c.owner).is_some() {
            return Err(NOT_FOR_BOTS.into());
        }
        match &c.change {
            BotChange::Create { token, .. } => {
                let bot = self.create_bot(&owner, c)?;
                self.set_token(bot, *token);
                Ok(Reply::Registered { user: bot })
            }
            BotChange::Rotate { bot, token } => {
                let mut row = self.state.get::<Bot>(&(c.owner, *bot)).ok_or(NO_SUCH_BOT)?;
                let account = self.state.get::<User>(bot).ok_or(NO_SUCH_BOT)?;
                if account.standing.status != Status::Active {
                    return Err(Rejection::AccountDisabled);
                }
                row.token_set = self.now;
                self.state.put(&(c.owner, *bot), &row);
                self.set_token(*bot, *token);
                Ok(Reply::Done)
            }
            BotChange::End { bot } => {
                self.state.get::<Bot>(&(c.owner, *bot)).ok_or(NO_SUCH_BOT)?;
                self.end_bot(c.owner, *bot, Ending::Deleted);
                Ok(Reply::Done)
            }
        }
    }

    fn create_bot(&mut self, owner: &User, c: &ChangeBot) -> Result<UserId, Rejection> {
        let BotChange::Create { name, scopes, .. } = &c.change else { return Err(NO_SUCH_BOT.into()) };
        let held = self.state.page::<Bot>(&c.owner, None, limits::BOTS_PER_USER);
        for ((_, bot), row) in &held {
            if row.request == c.request {
                let same = (&row.name, row.scopes) == (name, *scopes);
                return if same { Ok(*bot) } else { Err(Rejection::RequestReused) };
            }
            if row.name == *name {
                return Err(BOT_EXISTS.into());
            }
        }
        let BotsMade(made) = self.state.get(&c.owner).unwrap_or(BotsMade(0));
        if held.len() >= limits::BOTS_PER_USER || made >= limits::BOTS_MADE {
            return Err(TOO_MANY_BOTS.into());
        }
        let id = UserId(self.mint(c.owner.slot())?);
        let user = User {
            id,
            name: format!("{}/{name}", owner.name),
            password_hash: NO_PASSWORD.to_owned(),
            created: self.now,
            request: c.request,
            standing: Standing::default(),
        };
        let (name, scopes, request) = (name.clone(), *scopes, c.request);
        let row = Bot { name, scopes, created: self.now, token_set: self.now, request };
        self.state.put(&id, &user);
        self.state.put(&(c.owner, id), &row);
        self.state.put(&id, &BotOwner(c.owner));
        // The owner is no stranger: it adds its bot to groups at once.
        self.state.put(&(id, c.owner), &Known);
        self.state.put(&c.owner, &BotsMade(made + 1));
        Ok(id)
    }

    /// The token before it ends, as a login of the same device ends the one before.
    fn set_token(&mut self, bot: UserId, token: TokenHash) {
        self.end_token(bot, Ending::Replaced);
        let Some(device) = DeviceId::new(Bot::DEVICE) else { return };
        let session = Session { device: device.clone(), token, created: self.now, used: Timestamp(0) };
        self.state.put(&(bot, device), &session);
    }

    fn end_token(&mut self, bot: UserId, why: Ending) {
        for (_, session) in self.state.page::<Session>(&bot, None, limits::SESSIONS_PER_USER) {
            self.end_session(bot, &session, why);
        }
    }

    fn end_bot(&mut self, owner: UserId, bot: UserId, why: Ending) {
        self.end_token(bot, why);
        if let Some(mut account) = self.state.get::<User>(&bot) {
            account.standing.status = Status::Deleted;
            self.state.put(&bot, &account);
        }
        self.state.delete::<Bot>(&(owner, bot));
    }

    /// The owner's account changed: its bots end with it, or lose their tokens while it is
    /// disabled. A bot that an administrator deletes is off its owner's list.
    pub(super) fn bots_follow(&mut self, user: UserId, why: Ending) {
        if let (Some(BotOwner(owner)), Ending::Deleted) = (self.state.get(&user), why) {
            self.state.delete::<Bot>(&(owner, user));
        }
        for ((_, bot), _) in self.state.page::<Bot>(&user, None, limits::BOTS_PER_USER) {
            match why {
                Ending::Deleted => self.end_bot(user, bot, why),
                Ending::Disabled => self.end_token(bot, why),
                _ => {}
            }
        }
    }

    /// Its session does not expire, and no password opens another one.
    pub(super) fn is_bot(&self, user: UserId) -> bool {
        self.state.get::<BotOwner>(&user).is_some()
    }
}

//! The messages that a user has saved.

use xxhash_rust::xxh3::xxh3_64;

use super::profile::{remember, repeats};
use super::{Outcome, Step, somebody};
use crate::command::ChangeFavourite;
use crate::effect::Effect;
use crate::error::{Refused, Rejection};
use crate::id::Seq;
use crate::limits;
use crate::planted::Bug;
use crate::record::{Change, Favourite, FavouriteBook, FavouriteOf};
use crate::reply::Reply;
use crate::state::Rows;

const TOO_MANY_FAVOURITES: Refused =
    Refused { code: "too_many_favourites", text: "you have saved as many messages as one may: remove some of them" };
pub const REFUSALS: &[Refused] = &[TOO_MANY_FAVOURITES];

/// Refusals that need no state.
pub(super) fn check_favourite(c: &ChangeFavourite) -> Result<(), Rejection> {
    somebody(c.user)?;
    match c.seq {
        Seq::ZERO => Err(Rejection::BadRequest("a favourite is a message: name its seq")),
        _ => Ok(()),
    }
}

impl Step<'_> {
    pub(super) fn change_favourite(&mut self, c: &ChangeFavourite) -> Outcome {
        check_favourite(c)?;
        let mut book = self.state.get::<FavouriteBook>(&c.user).unwrap_or_default();
        let change = Change { request: c.request, digest: digest(c) };
        let of = (c.user, c.conversation, c.seq);
        if !repeats(&book.changes, change)? {
            match (self.state.get::<FavouriteOf>(&of), c.removed) {
                (Some(FavouriteOf(number)), true) => {
                    self.state.delete::<FavouriteOf>(&of);
                    self.state.delete::<Favourite>(&(c.user, number));
                    book.count = book.count.saturating_sub(1);
                    book.version += 1;
                }
                (None, false) if book.count as usize >= limits::FAVOURITES => return Err(TOO_MANY_FAVOURITES.into()),
                (None, false) => {
                    book.last += 1;
                    book.count += 1;
                    book.version += 1;
                    if !self.planted(Bug::FavouriteLost) {
                        let saved = Favourite { conversation: c.conversation, seq: c.seq, saved: self.now };
                        self.state.put(&(c.user, book.last), &saved);
                        self.state.put(&of, &FavouriteOf(book.last));
                    }
                }
                (Some(_), false) | (None, true) => {}
            }
            remember(&mut book.changes, change);
            self.state.put(&c.user, &book);
        }
        let ChangeFavourite { user, conversation, seq, .. } = *c;
        // Of the present, also for a late repeat.
        let removed = self.state.get::<FavouriteOf>(&of).is_none();
        self.effects.push(Effect::FavouriteChanged { user, conversation, seq, removed, version: book.version });
        Ok(Reply::Done)
    }
}

/// Two different changes have different bytes.
fn digest(c: &ChangeFavourite) -> u64 {
    xxh3_64(format!("{} {} {}", c.conversation, c.seq.0, c.removed).as_bytes())
}

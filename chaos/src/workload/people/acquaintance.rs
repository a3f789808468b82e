//! Acquaintances: users that ask each other for contacts, answer, end them and block each other,
//! and write to each other all the while.

use tokio::time::timeout;
use troupe_client::Error;
use troupe_core::{Body, ConversationId, UserId, command};

use super::{ATTEMPTS, PATIENCE, Person};
use crate::checkers::{Kind, Promise};
use crate::history::{ContactAct, Outcome, Record};

impl Person {
    pub(super) async fn meet(&self, other: UserId) {
        match self.draw(12) {
            0..3 => self.act(other, ContactAct::Ask).await,
            3 => self.act(other, ContactAct::Accept).await,
            4 => self.act(other, ContactAct::End).await,
            5 => self.act(other, ContactAct::Block).await,
            6 | 7 => self.act(other, ContactAct::Unblock).await,
            _ => {
                let Some(conversation) = ConversationId::direct(self.user, other) else { return };
                let id = self.id();
                self.send(conversation, id, Body::text(&id.to_string()), None);
            }
        }
    }

    /// One act under one id, repeated until there is an answer, and sometimes with one.
    async fn act(&self, other: UserId, act: ContactAct) {
        let (request, asked) = (self.id(), self.common.recorder.now());
        let (device, user) = (self.device, self.user.0);
        let tell = |outcome| {
            self.record(|at| Record::Contact { at, asked, device, user, other: other.0, act, outcome });
        };
        tell(Outcome::Asked);
        let change = match act {
            ContactAct::Ask => command::ContactAct::Ask { text: "hello".to_owned() },
            ContactAct::Accept => command::ContactAct::Accept,
            ContactAct::End => command::ContactAct::End,
            ContactAct::Block => command::ContactAct::Block,
            ContactAct::Unblock => command::ContactAct::Unblock,
        };
        let (mut is_done, mut is_in_doubt) = (false, false);
        for _ in 0..ATTEMPTS {
            match timeout(PATIENCE, self.client.change_contact_as(request, other, change.clone())).await {
                Ok(Ok(())) => {
                    if !is_done {
                        tell(Outcome::Done);
                    }
                    is_done = true;
                    if self.draw(4) > 0 {
                        return;
                    }
                }
                Ok(Err(Error::Rejected { text, .. })) => {
                    if is_done {
                        let text = format!("{act:?} of user {user} on {other} was done, and then refused: {text}");
                        self.wrong(Promise::Contacts, Kind::Lost, text);
                    } else if !is_in_doubt {
                        // An attempt without an answer may still arrive.
                        tell(Outcome::Refused);
                    }
                    return;
                }
                Ok(Err(_)) | Err(_) => is_in_doubt = true,
            }
        }
    }
}

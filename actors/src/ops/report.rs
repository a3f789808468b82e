//! `report`: files a message or a user for the administrators. The caller must see the message; the
//! report keeps its beginning, because administrators do not see the conversation.

use troupe_core::command::FileReport;
use troupe_core::record::Report;
use troupe_core::{
    Command, ConversationId, Event, EventKind, Intent, Rejection, Seq, Timestamp, UserId, limits, machine,
};
use troupe_proto::client;

use super::cost::{CHANGE, Cost, READ};
use super::create_group::exist;
use super::{Answered, Operation};
use crate::message::{Refusal, wire};
use crate::service::{Caller, Service};

const NO_SUCH_MESSAGE: &str = "no_such_message";

impl Operation for wire::Report {
    fn cost(&self) -> Cost {
        Cost::Units(CHANGE + READ * 5)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let request = client::client_message_id("report.request", &self.request)?;
        let (about, conversation, excerpt) = match self.conversation.as_str() {
            "" => {
                let about = client::user("report.user_id", self.user_id)?;
                exist(&service, caller.user(), &[about]).await?;
                (about, ConversationId::Everyone, String::new())
            }
            text => {
                let conversation = client::conversation("report.conversation", text)?;
                let (sender, excerpt) = seen(&service, &caller, text, self.seq).await?;
                (sender, conversation, excerpt)
            }
        };
        let report = Report {
            by: caller.user(),
            about,
            conversation,
            seq: if self.conversation.is_empty() { Seq::ZERO } else { Seq(self.seq) },
            excerpt,
            reason: self.reason,
            created: Timestamp(0),
            request,
        };
        let command = Command::from(FileReport { report });
        machine::check(&command)?;
        service.commit_done(command).await
    }
}

/// The sender and the beginning of a message that the caller sees.
async fn seen(service: &Service, caller: &Caller, conversation: &str, seq: u64) -> Result<(UserId, String), Refusal> {
    let before = seq.checked_sub(1).ok_or_else(no_such_message)?;
    let fetch = wire::Fetch { conversation: conversation.to_owned(), seq: before, backward: false, limit: 1 };
    let page = match service.perform(caller, fetch).await {
        Err(refusal) if refusal.is_ahead() => return Err(no_such_message()),
        page => page?,
    };
    let event = page.events.into_iter().next().and_then(|event| Event::try_from(event).ok());
    match event {
        Some(Event { seq: found, sender, kind: EventKind::Message(body), .. }) if found.0 == seq => {
            Ok((sender, cut(body.as_text().unwrap_or_default())))
        }
        _ => Err(no_such_message()),
    }
}

pub(super) fn no_such_message() -> Refusal {
    let refused = Intent::refusals().find(|refused| refused.code == NO_SUCH_MESSAGE);
    refused.map_or(Refusal::Unavailable, |refused| Rejection::Of(refused).into())
}

/// At a character boundary.
fn cut(text: &str) -> String {
    let mut end = text.len().min(limits::REPORT_EXCERPT_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

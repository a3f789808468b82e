//! The references of a message, beside its text or body.

use serde::Serialize;
use troupe_core::Body;
use troupe_core::content::Context;
use utoipa::ToSchema;

use crate::ids::{Id, users};
use crate::problem::Problem;
use crate::query::seq;

/// The references of a message, beside its text or body.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct Refers {
    /// The seq of the message that this one answers.
    #[serde(skip_serializing_if = "is_zero")]
    #[schema(required = false)]
    pub reply_to: u64,
    /// The seq of the first message of its thread.
    #[serde(skip_serializing_if = "is_zero")]
    #[schema(required = false)]
    pub thread: u64,
    /// Users that the message mentions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub mentions: Vec<Id>,
    #[serde(skip_serializing_if = "is_false")]
    #[schema(required = false)]
    pub mentions_everyone: bool,
    /// The content vanishes so many milliseconds after the time of the message.
    #[serde(skip_serializing_if = "is_zero")]
    #[schema(required = false)]
    pub expires_in_ms: u64,
    /// The message grows by pieces until its end.
    #[serde(skip_serializing_if = "is_false")]
    #[schema(required = false)]
    pub stream: bool,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn is_false(flag: &bool) -> bool {
    !flag
}

impl Refers {
    pub fn context(self) -> Result<Option<Box<Context>>, Problem> {
        let context = Context {
            reply_to: seq("reply_to", self.reply_to)?,
            thread: seq("thread", self.thread)?,
            mentions: users(&self.mentions)?,
            mentions_everyone: self.mentions_everyone,
            expires_in_ms: self.expires_in_ms,
            stream: self.stream,
        };
        Ok(Some(Box::new(context)).filter(|context| **context != Context::default()))
    }
}

impl From<&Body> for Refers {
    fn from(body: &Body) -> Refers {
        body.context.as_deref().map(Refers::from).unwrap_or_default()
    }
}

impl From<&Context> for Refers {
    fn from(context: &Context) -> Refers {
        let Context { reply_to, thread, ref mentions, mentions_everyone, expires_in_ms, stream } = *context;
        let mentions = mentions.iter().copied().map(Id).collect();
        Refers { reply_to, thread, mentions, mentions_everyone, expires_in_ms, stream }
    }
}

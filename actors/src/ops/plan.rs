//! The work of a leader for an operation.

use std::ops::Range;

use troupe_core::UserId;
use troupe_store::engine::EngineError;
use troupe_store::rows::View;

use super::list_online::Names;
use crate::context::{Asker, NodeContext};
use crate::message::Refusal;
use crate::presence::Presence;
use crate::protocol::Cursor;

/// The state of a shard's actor that rows do not have.
pub(crate) struct Leader<'a> {
    pub context: &'a NodeContext,
    pub slots: Range<u16>,
    pub presence: &'a Presence,
    pub names: &'a Names,
}

/// The work of a leader for an operation.
pub(crate) enum Plan<A> {
    /// Reads applied state behind a barrier.
    Read(Reading<A>),
    /// Moves a cursor; the conversation's actor answers.
    Move(Cursor),
}

pub(crate) struct Reading<A> {
    pub asker: Asker,
    pub work: Work<A>,
    /// Adds presence to the answer just before it is sent.
    pub complete: Option<fn(&mut A, &Presence)>,
}

type Work<A> = Box<dyn FnOnce(&View) -> Found<A> + Send>;

/// The result of a read of applied state.
pub(crate) type Found<A> = Result<Result<A, Refusal>, EngineError>;

impl<A> Plan<A> {
    /// `rows`: about how many rows the read touches. Users take turns by that.
    pub fn read(user: UserId, rows: usize, work: impl FnOnce(&View) -> Found<A> + Send + 'static) -> Plan<A> {
        let asker = Asker::user(user, rows);
        Plan::Read(Reading { asker, work: Box::new(work), complete: None })
    }

    /// A read for an administrator, which takes no turn.
    pub fn read_for_admins(work: impl FnOnce(&View) -> Found<A> + Send + 'static) -> Plan<A> {
        Plan::Read(Reading { asker: Asker::Node, work: Box::new(work), complete: None })
    }

    pub fn completed(self, complete: fn(&mut A, &Presence)) -> Plan<A> {
        match self {
            Plan::Read(reading) => Plan::Read(Reading { complete: Some(complete), ..reading }),
            other => other,
        }
    }
}

//! Signals: passed on without a place in the log.

use troupe_core::planted::Bug;
use troupe_core::{Seq, Signal};

use super::{ShardState, standing};
use crate::message::{Answer, Outcome, Push, Refusal};

impl ShardState {
    /// Passes a signal on to the nodes with listeners. No entity is woken for it.
    pub(super) fn signal(&self, signal: Signal) -> Outcome {
        let view = self.context.view();
        let head = || view.conversation(signal.conversation).ok().flatten().map_or(Seq::ZERO, |row| row.head);
        let passes = match standing::passes(&view, &signal) {
            Ok(Err(_)) if self.context.platform.planted(Bug::SignalUnchecked) => Ok(Ok(head())),
            other => other,
        };
        match passes {
            Ok(Ok(at)) => {
                let nodes = self.interest.get(&signal.conversation).into_iter().flatten().copied();
                self.context.router.push_all(nodes, self.shard, &Push::Signal(Signal { at, ..signal }));
                Ok(Answer::Done)
            }
            Ok(Err(why)) => Err(why.into()),
            Err(error) => {
                tracing::error!(%error, "applied state cannot be read");
                Err(Refusal::NotOwner { hint: None })
            }
        }
    }
}

//! The commands of one entity, in order: one proposal is in flight, and the rest waits for the
//! next.
//!
//! One proposal at a time keeps the order of arrival, and commands that gather meanwhile share an
//! entry.

use std::collections::VecDeque;

use troupe_core::{Command, limits};
use troupe_proto::record::command_bytes;

/// Commands, each with its waiter.
#[derive(Debug)]
pub struct Proposals<T> {
    /// With the bytes that each takes in an entry.
    waiting: VecDeque<(Command, usize, T)>,
    under_way: bool,
}

impl<T> Default for Proposals<T> {
    fn default() -> Proposals<T> {
        Proposals { waiting: VecDeque::new(), under_way: false }
    }
}

impl<T> Proposals<T> {
    /// The caller holds a permit for each command, which bounds this queue.
    pub fn push(&mut self, command: Command, waiter: T) {
        let bytes = command_bytes(&command);
        self.waiting.push_back((command, bytes, waiter));
    }

    /// Whether the only waiting command is the one just pushed, and no proposal is in flight: its
    /// pusher begins the next proposal.
    pub fn begins(&self) -> bool {
        !self.under_way && self.waiting.len() == 1
    }

    /// The next batch; `None` while a proposal is in flight.
    pub fn take_batch(&mut self) -> Option<(Vec<Command>, Vec<T>)> {
        if self.under_way || self.waiting.is_empty() {
            return None;
        }
        self.under_way = true;
        let mut bytes = 0;
        let fits = |(_, more, _): &&(Command, usize, T)| {
            bytes += more;
            bytes <= limits::BATCH_BYTES
        };
        // A command that fits no entry goes alone and is refused alone.
        let count = self.waiting.iter().take(limits::BATCH_COMMANDS).take_while(fits).count().max(1);
        Some(self.waiting.drain(..count).map(|(command, _, waiter)| (command, waiter)).unzip())
    }

    pub fn finished(&mut self) {
        self.under_way = false;
    }

    /// The waiters of commands that were never proposed.
    pub fn abandon(&mut self) -> Vec<T> {
        self.waiting.drain(..).map(|(_, _, waiter)| waiter).collect()
    }
}

#[cfg(test)]
mod tests {
    use troupe_core::{Append, Body, ClientMessageId, ConversationId, GroupId, Intent, UserId};

    use super::*;

    fn send(bytes: usize) -> Command {
        append(
            ConversationId::Everyone,
            Intent::Message(Body { kind: Body::TEXT, content: vec![b'x'; bytes].into(), context: None }),
        )
    }

    fn append(conversation: ConversationId, intent: Intent) -> Command {
        let (actor, client_message_id) = (UserId(1), ClientMessageId::default());
        Command::Append(Append { conversation, actor, client_message_id, after: None, intent })
    }

    #[test]
    fn long_names_count_as_what_they_are() {
        let rename = || append(ConversationId::Group(GroupId(1)), Intent::Rename { name: "n".repeat(79 * 1024) });
        let mut proposals = Proposals::default();
        (0..64).for_each(|i| proposals.push(rename(), i));
        let (commands, _) = proposals.take_batch().expect("a batch");
        let bytes: usize = commands.iter().map(command_bytes).sum();
        assert!(commands.len() == 3 && bytes <= limits::BATCH_BYTES, "{} commands of {bytes} bytes", commands.len());
    }

    #[test]
    fn one_at_a_time_and_the_rest_together_in_order() {
        let mut proposals = Proposals::default();
        proposals.push(send(1), 1);
        assert_eq!(proposals.take_batch().expect("the first").1, [1]);
        proposals.push(send(1), 2);
        proposals.push(send(1), 3);
        assert!(proposals.take_batch().is_none());
        proposals.finished();
        assert_eq!(proposals.take_batch().expect("the rest").1, [2, 3]);
        proposals.finished();
        assert!(proposals.take_batch().is_none() && proposals.abandon().is_empty());
    }

    #[test]
    fn a_batch_ends_at_its_count_and_at_its_bytes_but_holds_at_least_one() {
        let mut proposals = Proposals::default();
        (0..limits::BATCH_COMMANDS + 1).for_each(|i| proposals.push(send(1), i));
        assert_eq!(proposals.take_batch().expect("a full batch").1.len(), limits::BATCH_COMMANDS);

        let mut proposals = Proposals::default();
        proposals.push(send(limits::BATCH_BYTES + 1), 0);
        proposals.push(send(limits::BATCH_BYTES / 2), 1);
        proposals.push(send(limits::BATCH_BYTES / 2), 2);
        for expected in [vec![0], vec![1], vec![2]] {
            assert_eq!(proposals.take_batch().expect("a batch").1, expected);
            proposals.finished();
        }
    }
}

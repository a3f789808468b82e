//! The one place where the content of a message is erased: by a recall, or because its time is
//! over.
//!
//! The rows of the message and of its edits are rewritten without content, in the same commit as
//! the event that says so. Their envelopes stay, so the chain and all seqs stay valid.

use super::edit::Edits;
use crate::event::{Event, EventKind};
use crate::id::{ConversationId, Seq};
use crate::machine::Step;
use crate::record::{Conversation, Work};
use crate::state::Rows;

impl Step<'_> {
    pub(super) fn erase_message(&mut self, conversation: ConversationId, row: &mut Conversation, message: Seq) {
        self.forget_of_message(conversation, row, message);
        let edits = self.state.get::<Edits>(&(conversation, message)).unwrap_or_default();
        self.state.delete::<Edits>(&(conversation, message));
        for seq in std::iter::once(message).chain(edits.seqs.into_iter().map(Seq)) {
            let Some(event) = self.state.get::<Event>(&(conversation, seq)) else { continue };
            self.release_files(conversation, &event);
            if let EventKind::Message(body) = &event.kind {
                self.unlist_file(conversation, seq, body);
                self.drop_mentions(conversation, seq, body);
            }
            if let Some(at) = event.vanishes().filter(|_| seq == message) {
                self.unplan(at, Work::Vanish { conversation, message });
            }
            if let Some(event) = event.erased() {
                self.state.put(&(conversation, seq), &event);
            }
        }
    }

    /// The pin of the message, its votes, and the pieces of an open stream go with it.
    pub(super) fn forget_of_message(&mut self, conversation: ConversationId, row: &mut Conversation, message: Seq) {
        self.forget_pin(conversation, row, message);
        self.drop_poll(conversation, message);
        self.close_stream(conversation, message);
    }
}

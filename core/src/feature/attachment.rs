//! Files that messages refer to.
//!
//! A message, an edit and a scheduled message refer only to files that are whole in the same
//! conversation, and that their sender may read. Each keeps its files: an event until its content
//! is erased, and a scheduled message until its row is gone or cancelled. An import has been judged
//! where it was decided, and may refer to a file that did not come with it.

use super::Append;
use crate::error::{Refused, Rejection};
use crate::event::{Body, Content, Event, EventKind};
use crate::file::FileHash;
use crate::id::{ConversationId, Seq, UserId};
use crate::level::Level;
use crate::machine::Step;
use crate::planted::Bug;
use crate::record::{File, FileMessage, Member};
use crate::state::Rows;

const MISSING_FILE: Refused = Refused {
    code: "missing_file",
    text: "the body refers to a file that is not whole in this conversation, or hidden from you: upload it here first",
};
pub(super) const REFUSALS: &[Refused] = &[MISSING_FILE];

impl Body {
    /// The files that it refers to.
    pub fn files(&self) -> Vec<FileHash> {
        let content = self.typed();
        let hashes = content.iter().flat_map(Content::files);
        hashes.filter_map(|hash| hash[..].try_into().ok().map(FileHash)).collect()
    }
}

/// The files that an event refers to.
fn files_of(event: &Event) -> Vec<FileHash> {
    match &event.kind {
        EventKind::Message(body) | EventKind::Edited { body, .. } => body.files(),
        _ => Vec::new(),
    }
}

impl Step<'_> {
    /// The sender may read each file of the body.
    pub(super) fn check_files(&self, append: &Append, body: &Body) -> Result<(), Rejection> {
        if self.level < Level::SECOND || self.imports() || self.planted(Bug::MissingFileSent) {
            return Ok(());
        }
        let is_there = |file: FileHash| self.reads_file(append.conversation, append.actor, file);
        if body.files().into_iter().all(is_there) { Ok(()) } else { Err(MISSING_FILE.into()) }
    }

    /// The rule of reading, see `show_file` among the operations.
    // Invariant: private. A file that the user may not read is like a missing one.
    fn reads_file(&self, conversation: ConversationId, user: UserId, name: FileHash) -> bool {
        let since = match conversation {
            ConversationId::Group(_) => self.state.get::<Member>(&(conversation, user)).map(|member| member.since),
            ConversationId::Everyone | ConversationId::Direct { .. } => Some(Seq::ZERO),
        };
        let file = self.state.get::<File>(&(conversation, name));
        file.zip(since).is_some_and(|(file, since)| file.is_shown_to(user, since))
    }

    /// The files of a message, and of an edit, last as long as its content does.
    pub(super) fn refer_to_files(&mut self, conversation: ConversationId, event: &Event) {
        for file in files_of(event) {
            self.change_file(conversation, file, |file| {
                file.references = file.references.saturating_add(1);
                file.seen_at = event.seq;
            });
        }
    }

    /// The content of this event is erased.
    pub(super) fn release_files(&mut self, conversation: ConversationId, event: &Event) {
        for file in files_of(event) {
            // The event has counted only where it came behind the file.
            self.change_file(conversation, file, |file| {
                let counted = u64::from(event.seq > file.from);
                file.references = file.references.saturating_sub(counted);
            });
        }
    }

    /// A message that is a file is on the list of its conversation. An edit keeps the kind, so it
    /// stays there until its content is erased.
    pub(super) fn list_file(&mut self, conversation: ConversationId, seq: Seq, body: &Body) {
        if Content::is_file(body.kind) {
            self.state.put(&(conversation, seq), &FileMessage(body.kind.into()));
        }
    }

    pub(super) fn unlist_file(&mut self, conversation: ConversationId, seq: Seq, body: &Body) {
        if Content::is_file(body.kind) {
            self.state.delete::<FileMessage>(&(conversation, seq));
        }
    }

    /// A scheduled message keeps its files, and shows them to no one.
    pub(super) fn hold_files(&mut self, conversation: ConversationId, body: &Body) {
        for file in body.files() {
            self.change_file(conversation, file, |file| file.held = file.held.saturating_add(1));
        }
    }

    pub(super) fn let_files_go(&mut self, conversation: ConversationId, body: &Body) {
        for file in body.files() {
            self.change_file(conversation, file, |file| file.held = file.held.saturating_sub(1));
        }
    }
}

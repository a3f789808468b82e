//! The files on the disks.

use std::collections::{BTreeMap, BTreeSet};

use troupe_chaos::history::{Conversation, FileName};
use troupe_core::file::chunks_of;
use troupe_core::record::{Chunk, File};
use troupe_core::{ConversationId, EventKind, FileHash, Seq};
use troupe_store::rows::View;

use crate::evidence::Seen;

/// More rows than a simulation creates.
const EVERYTHING: usize = 1 << 30;

/// Of the conversations that this disk has: each file, and the name of the bytes that are there.
pub fn rows(seen: &Seen, view: &View) -> BTreeMap<Conversation, BTreeMap<FileName, FileName>> {
    let has = |conversation: &&ConversationId| view.conversation(**conversation).ok().flatten().is_some();
    let here = seen.files.iter().filter(has);
    here.map(|conversation| (conversation.to_string(), files(view, *conversation))).collect()
}

/// Of the same conversations: the files that events refer to.
pub fn references(seen: &Seen, view: &View) -> BTreeMap<Conversation, BTreeSet<FileName>> {
    let of = |conversation: &ConversationId| {
        let events = view.events(*conversation, Seq(0), EVERYTHING, EVERYTHING).expect("a memory engine is readable");
        let files = events.iter().flat_map(|event| match &event.kind {
            EventKind::Message(body) | EventKind::Edited { body, .. } => body.files(),
            _ => Vec::new(),
        });
        (conversation.to_string(), files.map(|file| file.to_string()).collect())
    };
    seen.files.iter().map(of).collect()
}

fn files(view: &View, conversation: ConversationId) -> BTreeMap<FileName, FileName> {
    let rows = view.page::<File>(&conversation, None, EVERYTHING).expect("a memory engine is readable");
    let name = |((_, name), file): ((ConversationId, FileHash), File)| {
        let kept = bytes(view, conversation, &file).as_deref().and_then(FileHash::of_file);
        (name.to_string(), kept.map_or_else(|| "nothing".to_owned(), |kept| kept.to_string()))
    };
    rows.into_iter().map(name).collect()
}

fn bytes(view: &View, conversation: ConversationId, file: &File) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for place in 0..chunks_of(file.size) {
        let Chunk(chunk) = view.get(&(conversation, file.number, place)).ok().flatten()?;
        bytes.extend(chunk);
    }
    Some(bytes)
}

//! The files on the disks.

use std::collections::BTreeMap;

use troupe_chaos::history::{Conversation, FileName};
use troupe_core::file::chunks_of;
use troupe_core::record::{Chunk, File};
use troupe_core::{ConversationId, FileHash};
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

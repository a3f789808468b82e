//! The words of a story about files.
//!
//! ```text
//! upload anna team u1 "cat.png" 70000 [of x 70000]   announces a file, of 70000 times x
//! upload anna team u1 "cat.png" 70000 until 61000    with room that is reserved until then
//! chunk anna team u1 65536 4464 x                  4464 times x, at this offset
//! cancel-upload anna team u1
//! keep-preview team x 70000 of p 9      9 times p, of the file of 70000 times x
//! show files team · show uploads team anna · show chunks team · show previews team
//! show listed team      the messages on the list of files, by seq and kind
//! ```

use troupe_core::command::{CancelUpload, CreateUpload, KeepPreview, WriteChunk};
use troupe_core::record::{Chunk, File, FileMessage, FileUsage, Preview, Upload};
use troupe_core::{ClientMessageId, Command, ConversationId, FileHash, Rows, Seq, Timestamp, UserId, media};

use crate::script::{id, number};
use crate::show;
use crate::world::World;

pub fn knows(verb: &str) -> bool {
    matches!(verb, "upload" | "chunk" | "cancel-upload" | "keep-preview")
}

pub fn run(world: &mut World, verb: &str, rest: &[&str]) -> Result<Vec<String>, String> {
    let command = match (verb, rest) {
        ("keep-preview", [conversation, letter, length, "of", of, bytes]) => Command::from(KeepPreview {
            conversation: world.conversation(conversation)?,
            file: FileHash::of_file(&letters(letter, length)?).ok_or("a file without bytes")?,
            content: letters(of, bytes)?.into(),
        }),
        (verb, [user, conversation, upload, rest @ ..]) => {
            let (conversation, owner, upload) = (world.conversation(conversation)?, world.user(user)?, id(upload)?);
            match (verb, rest) {
                ("upload", [name, size, expected @ ..]) => Command::from(CreateUpload {
                    conversation,
                    owner,
                    upload,
                    name: (*name).to_owned(),
                    claimed: "image/png".to_owned(),
                    size: number(size)?,
                    expected: match expected {
                        ["of", letter, length] => FileHash::of_file(&letters(letter, length)?),
                        _ => None,
                    },
                    reserved_until: match expected {
                        ["until", at] => Timestamp(number(at)?),
                        _ => Timestamp(u64::MAX),
                    },
                }),
                ("chunk", [offset, length, letter]) => {
                    let (offset, bytes) = (number(offset)?, letters(letter, length)?);
                    let media_type = if offset == 0 { media::sniff(&bytes).to_owned() } else { String::new() };
                    Command::from(WriteChunk { conversation, owner, upload, offset, bytes: bytes.into(), media_type })
                }
                ("cancel-upload", []) => Command::CancelUpload(CancelUpload { conversation, owner, upload }),
                _ => return Err("no such words about files".to_owned()),
            }
        }
        _ => return Err("no such words about files".to_owned()),
    };
    Ok(world.apply(&command, None))
}

pub fn letters(letter: &str, length: &str) -> Result<Vec<u8>, String> {
    Ok(letter.repeat(number(length)? as usize).into_bytes())
}

pub fn shown(world: &World, words: &[&str]) -> Option<Result<Vec<String>, String>> {
    let conversation = |word: &str| world.conversation(word);
    Some(match words {
        ["files", of] => conversation(of).map(|of| files(world, of)),
        ["uploads", of, user] => conversation(of).and_then(|of| Ok(uploads(world, of, world.user(user)?))),
        ["previews", of] => conversation(of).map(|of| previews(world, of)),
        ["listed", of] => conversation(of).map(|of| listed(world, of)),
        ["chunks", of] => conversation(of).map(|of| chunks(world, of)),
        _ => return None,
    })
}

fn files(world: &World, conversation: ConversationId) -> Vec<String> {
    let row = |((_, hash), file): &((ConversationId, FileHash), File)| {
        let (name, by) = (&file.name, show::name(world, file.by));
        let (size, of, expires) = (file.size, &file.media_type, file.expires);
        let at = file.number;
        let needed = match (file.references, file.held) {
            (0, 0) => String::new(),
            (references, held) => format!(", needed by {references} events and {held} scheduled"),
        };
        format!("{} {name} by {by}: {size} of {of} in {at}, until {expires}{needed}", &hash.to_string()[..8])
    };
    let used = |((_, user), usage): &((ConversationId, UserId), FileUsage)| {
        let whose = if user.0 == 0 { "all".to_owned() } else { show::name(world, *user) };
        format!("{whose}: {} bytes, {} open", usage.bytes, usage.open)
    };
    let files = world.state.page::<File>(&conversation, None, usize::MAX);
    let usage = world.state.page::<FileUsage>(&conversation, None, usize::MAX);
    files.iter().map(row).chain(usage.iter().map(used)).collect()
}

fn uploads(world: &World, conversation: ConversationId, user: UserId) -> Vec<String> {
    let row = |(_, upload): &((ConversationId, UserId, ClientMessageId), Upload)| {
        format!("{}: {} of {}", upload.name, upload.received, upload.size)
    };
    world.state.page::<Upload>(&(conversation, user), None, usize::MAX).iter().map(row).collect()
}

fn previews(world: &World, conversation: ConversationId) -> Vec<String> {
    let row = |((_, file), Preview(bytes)): &((ConversationId, FileHash), Preview)| {
        format!("{}: {} bytes", &file.to_string()[..8], bytes.len())
    };
    world.state.page::<Preview>(&conversation, None, usize::MAX).iter().map(row).collect()
}

fn listed(world: &World, conversation: ConversationId) -> Vec<String> {
    let row = |((_, seq), FileMessage(kind)): &((ConversationId, Seq), FileMessage)| format!("{seq}: kind {kind}");
    world.state.page::<FileMessage>(&conversation, None, usize::MAX).iter().map(row).collect()
}

fn chunks(world: &World, conversation: ConversationId) -> Vec<String> {
    let row = |((_, number, place), chunk): &((ConversationId, u64, u64), Chunk)| {
        format!("{number}/{place}: {} bytes", chunk.0.len())
    };
    world.state.page::<Chunk>(&conversation, None, usize::MAX).iter().map(row).collect()
}

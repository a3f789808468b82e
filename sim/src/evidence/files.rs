//! Uploads and downloads, as devices saw them.

use troupe_chaos::history::{DeviceNumber, Record};
use troupe_core::{ConversationId, FileHash};

use super::Evidence;

impl Evidence {
    /// An upload before its first attempt, or with the answer to its last byte.
    pub fn upload(&self, device: DeviceNumber, conversation: ConversationId, file: FileHash, done: bool) {
        let (place, file) = (conversation.to_string(), file.to_string());
        self.record(|at| Record::Upload { at, device, conversation: place, file, done });
        self.seen.lock().files.insert(conversation);
    }

    /// A message that refers to a file of this conversation, before its first attempt.
    pub fn referring(&self, conversation: ConversationId) {
        self.seen.lock().files.insert(conversation);
    }

    /// `received`: the name of the bytes; none, if there is no such file.
    pub fn download(
        &self,
        device: DeviceNumber,
        conversation: ConversationId,
        file: FileHash,
        received: Option<FileHash>,
    ) {
        let (conversation, file) = (conversation.to_string(), file.to_string());
        let received = received.map(|name| name.to_string());
        self.record(|at| Record::Download { at, device, conversation, file, received });
    }
}

//! A device that uploads files: it repeats chunks, cancels some uploads, often uploads the same
//! file again, reads files back at once and later, and sends messages that refer to files: to its
//! own, and to one that no device has uploaded.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use troupe_client::{Client, Error, UploadState};
use troupe_core::content::{Attachment, File};
use troupe_core::event::Content;
use troupe_core::{Body, ClientMessageId, ConversationId, FileHash, limits};
use troupe_runtime::Rng;

use super::account::Account;
use super::device::settled;
use super::{Phase, WorkloadContext};

/// A request without an answer may or may not have been applied.
const PATIENCE: Duration = Duration::from_secs(5);
/// Maximum pause between two uploads.
const PAUSE_MS: u64 = 600;
/// Different files. Few, so that one is uploaded again.
const CONTENTS: u64 = 6;
/// Attempts to finish an upload.
const ATTEMPTS: u64 = 12;
/// Turns of which one sends a message, and messages of which one refers to a missing file.
const SEND: u64 = 2;
const MISSING: u64 = 4;
/// Seed of the stream of these messages, independent of all other draws.
const MESSAGES: u64 = 0x6669_6c65_2073_656e;
/// Refusals in a group that the user has left.
const MISSING_FILE: &str = "missing_file";
const EXPECTED: [&str; 3] = ["not_member", "group_disbanded", "upgrade_pending"];

pub async fn live(workload: Arc<WorkloadContext>, number: u32, user: usize) {
    workload.everybody().await;
    let account = Account::new(workload.clone(), number, user, "sharer");
    let client = account.start();
    let rng = account.platform.rng.clone();
    let messages = Rng::from_seed(workload.plan.seed ^ MESSAGES);
    let mut sharer = Sharer { workload: workload.clone(), number, client, rng, messages, whole: Vec::new() };
    let phase = workload.phase.subscribe();
    while *phase.borrow() == Phase::Talking {
        sleep(Duration::from_millis(sharer.rng.range(0, PAUSE_MS))).await;
        sharer.share().await;
        sharer.mention();
    }
    // The device stays connected and receives events.
    std::future::pending().await
}

struct Sharer {
    workload: Arc<WorkloadContext>,
    number: u32,
    client: Client,
    rng: Arc<Rng>,
    messages: Rng,
    /// Acknowledged files.
    whole: Vec<(ConversationId, FileHash)>,
}

/// Bytes that follow from the number of a content. Some fill several chunks.
fn content(number: u64) -> Vec<u8> {
    let length = [1, 700, limits::CHUNK_BYTES, limits::CHUNK_BYTES + 1, 2 * limits::CHUNK_BYTES + 900];
    let length = length[number as usize % length.len()];
    (0..length).map(|at| (at as u64 * 31 + number * 17 + (at / limits::CHUNK_BYTES) as u64) as u8).collect()
}

impl Sharer {
    /// One upload, and a look at a file.
    async fn share(&mut self) {
        let group = *self.workload.group.borrow();
        let conversation = group.filter(|_| self.rng.range(0, 2) == 0).unwrap_or(ConversationId::Everyone);
        let bytes = content(self.rng.range(0, CONTENTS));
        let Some(file) = FileHash::of_file(&bytes) else { return };
        self.workload.evidence.upload(self.number, conversation, file, false);
        if self.upload(conversation, file, &bytes).await {
            self.workload.evidence.upload(self.number, conversation, file, true);
            self.whole.push((conversation, file));
            self.read(conversation, file).await;
        }
        if let Some((conversation, file)) = self.whole.get(self.rng.range(0, self.whole.len().max(1) as u64) as usize) {
            self.read(*conversation, *file).await;
        }
    }

    /// Sometimes a message that refers to a file. One that no device has uploaded is refused.
    fn mention(&self) {
        if self.messages.range(0, SEND) > 0 {
            return;
        }
        let is_missing = self.messages.range(0, MISSING) == 0;
        let missing = FileHash::of_file(&content(CONTENTS)).map(|file| (ConversationId::Everyone, file));
        let at = self.messages.range(0, self.whole.len().max(1) as u64) as usize;
        let named = if is_missing { missing } else { self.whole.get(at).copied() };
        let (Some((conversation, file)), Some(user)) = (named, self.client.user()) else { return };
        let id = ClientMessageId(self.messages.bytes());
        let (evidence, name) = (&self.workload.evidence, format!("{user}/{id}"));
        evidence.invoked(self.number, user, conversation, &name);
        evidence.referring(conversation);
        let hash = file.0.to_vec().into();
        let file = Attachment { hash, name: "shared".into(), size: 1, media_type: "text/plain".into() };
        let body = Body::from(Content::from(File { file: Some(file), caption: id.to_string() }));
        let Ok(sent) = self.client.send_as(conversation, id, body) else { return };
        let (workload, number) = (self.workload.clone(), self.number);
        tokio::spawn(async move {
            let outcome = sent.await;
            let code = outcome.as_ref().err().and_then(Error::code);
            match code.map(|code| code == MISSING_FILE) {
                Some(true) if is_missing => workload.evidence.rejected(number, conversation, &name, MISSING_FILE),
                Some(true) => workload.evidence.wrong(format!("{name} refers to a whole file, and was refused")),
                _ => settled(&workload, number, conversation, name, outcome),
            }
        });
    }

    /// Whether it is acknowledged as this file.
    async fn upload(&self, conversation: ConversationId, file: FileHash, bytes: &[u8]) -> bool {
        let id = ClientMessageId(self.rng.bytes());
        let cancels = self.rng.range(0, 5) == 0;
        let mut state: Option<UploadState> = None;
        for _ in 0..ATTEMPTS {
            let answer = match &state {
                None => self.said(self.client.begin_upload(id, conversation, "shared", bytes)).await,
                Some(state) => {
                    // A chunk that is there is written again.
                    let again = state.received > 0 && self.rng.range(0, 3) == 0;
                    let offset = if again { self.earlier(state.received) } else { state.received };
                    self.said(self.client.continue_upload(id, conversation, offset, bytes)).await
                }
            };
            match answer {
                Ok(Some(now)) => {
                    if state.as_ref().is_some_and(|before| now.received < before.received) {
                        let text = format!("upload {id} went back from {state:?} to {now:?}");
                        self.workload.evidence.wrong(text);
                    }
                    if now.file.is_some_and(|named| named != file) {
                        self.workload.evidence.wrong(format!("upload {id} of {file} became {now:?}"));
                    }
                    if now.file.is_some() {
                        return true;
                    }
                    state = Some(now);
                }
                // Without an answer it is asked again.
                Ok(None) => {}
                Err(()) => return false,
            }
            if cancels && state.is_some() {
                let _ = timeout(PATIENCE, self.client.cancel_upload(id, conversation)).await;
                return false;
            }
        }
        false
    }

    /// The beginning of a chunk before this place.
    fn earlier(&self, received: u64) -> u64 {
        let chunk = limits::CHUNK_BYTES as u64;
        self.rng.range(0, received.div_ceil(chunk)) * chunk
    }

    /// `Err`: it was refused, as may be.
    async fn said<T>(&self, asked: impl Future<Output = Result<T, Error>>) -> Result<Option<T>, ()> {
        match timeout(PATIENCE, asked).await {
            Ok(Ok(answer)) => Ok(Some(answer)),
            Ok(Err(Error::Rejected { code, text })) => {
                if !EXPECTED.contains(&&*code) {
                    self.workload.evidence.wrong(format!("an upload of device {} was refused: {text}", self.number));
                }
                Err(())
            }
            Ok(Err(_)) | Err(_) => Ok(None),
        }
    }

    /// Reads a file. No answer shows nothing.
    async fn read(&self, conversation: ConversationId, file: FileHash) {
        let Ok(read) = timeout(PATIENCE, self.bytes(conversation, file)).await else { return };
        let evidence = &self.workload.evidence;
        match read {
            Ok(bytes) => evidence.download(self.number, conversation, file, FileHash::of_file(&bytes)),
            Err(Error::Rejected { code, .. }) if code == "no_such_file" => {
                evidence.download(self.number, conversation, file, None);
            }
            Err(Error::Rejected { code, text }) if !EXPECTED.contains(&&*code) => {
                evidence.wrong(format!("{file} was refused: {text}"));
            }
            Err(_) => {}
        }
    }

    /// Not by the SDK's own way, which compares the name.
    async fn bytes(&self, conversation: ConversationId, file: FileHash) -> Result<Vec<u8>, Error> {
        let size = self.client.file(conversation, file).await?.size as usize;
        let mut bytes = Vec::new();
        while bytes.len() < size {
            let part = self.client.read_file(conversation, file, bytes.len() as u64).await?;
            if part.is_empty() {
                break;
            }
            bytes.extend_from_slice(&part);
        }
        Ok(bytes)
    }
}

//! The files of a `wkdb` bundle: its manifest, and the rows of each kind.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::input::{self, Lines};
use crate::report::Report;
use crate::{Error, Result};

/// Bytes of a line: the payload of a message is no larger than a message here, in base64, or it is
/// dropped.
const LINE_BYTES: usize = 4 * 1024 * 1024;
const MANIFEST_BYTES: u64 = 16 * 1024 * 1024;

#[derive(Deserialize)]
pub struct Manifest {
    pub format: String,
    pub version: u32,
    pub files: Vec<FileEntry>,
}

#[derive(Deserialize)]
pub struct FileEntry {
    pub path: String,
    pub kind: String,
    pub rows: u64,
    pub sha256: String,
}

#[derive(Deserialize)]
pub struct Uid {
    pub uid: String,
}

#[derive(Deserialize)]
pub struct Channel {
    pub channel_id: String,
    pub channel_type: i64,
    #[serde(default)]
    pub ban: i64,
    #[serde(default)]
    pub disband: i64,
}

#[derive(Deserialize)]
pub struct Subscriber {
    pub channel_id: String,
    pub channel_type: i64,
    pub uid: String,
}

#[derive(Deserialize)]
pub struct Membership {
    pub uid: String,
    pub channel_id: String,
    pub channel_type: i64,
    pub read_seq: Number,
    #[serde(default)]
    pub deleted_to_seq: Number,
    #[serde(default)]
    pub tombstone: bool,
    #[serde(default)]
    pub updated_at_ms: i64,
}

#[derive(Deserialize)]
pub struct MessageChannel {
    pub channel_key: String,
    pub channel_id: String,
    pub channel_type: i64,
}

#[derive(Deserialize)]
pub struct Message {
    pub channel_key: String,
    pub message_seq: Number,
    pub from_uid: String,
    pub server_timestamp_ms: i64,
    pub payload_b64: String,
}

/// A number of 64 bits, which is a JSON number or a string of digits.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(try_from = "serde_json::Value")]
pub struct Number(pub u64);

impl TryFrom<serde_json::Value> for Number {
    type Error = String;

    fn try_from(value: serde_json::Value) -> std::result::Result<Number, String> {
        let number = value.as_u64().or_else(|| value.as_str().and_then(|text| text.parse().ok()));
        number.map(Number).ok_or_else(|| format!("{value} is no number of 64 bits"))
    }
}

/// A channel as its id and its type.
pub type ChannelId = (String, i64);

#[derive(Default)]
pub struct Gathered {
    pub uids: BTreeSet<String>,
    pub gone: BTreeSet<ChannelId>,
    pub subscribers: BTreeMap<ChannelId, BTreeSet<String>>,
    pub read: BTreeMap<ChannelId, Vec<(u64, String)>>,
    /// When the memberships of a channel changed last, for groups without messages.
    pub changed: BTreeMap<ChannelId, u64>,
    pub keys: BTreeMap<String, ChannelId>,
    pub messages: Vec<FileEntry>,
}

pub fn manifest(root: &Path) -> Result<Manifest> {
    let path = root.join("manifest.json");
    let shown = path.display().to_string();
    let text = input::read(&path, MANIFEST_BYTES)?;
    let manifest: Manifest =
        serde_json::from_slice(&text).map_err(|error| Error::invalid(&shown, error.to_string()))?;
    if (manifest.format.as_str(), manifest.version) != ("wkdb-import-bundle", 1) {
        let why =
            format!("this is {:?} of version {}, not a wkdb bundle of version 1", manifest.format, manifest.version);
        return Err(Error::invalid(shown, why));
    }
    Ok(manifest)
}

/// The path of a file within the bundle.
fn within(root: &Path, entry: &FileEntry) -> Result<PathBuf> {
    let is_plain = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains(['\\', '\0']);
    if !entry.path.split('/').all(is_plain) {
        return Err(Error::invalid(root.display().to_string(), format!("{:?} is no path within it", entry.path)));
    }
    Ok(root.join(&entry.path))
}

/// Reads the rows of a file, and compares it with its checksum.
pub fn each<T: DeserializeOwned>(
    root: &Path,
    entry: &FileEntry,
    mut row: impl FnMut(T, &str) -> Result<()>,
) -> Result<()> {
    let mut lines = Lines::open(&within(root, entry)?, LINE_BYTES)?;
    let mut rows = 0;
    while let Some(text) = lines.next_line()? {
        if text.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        rows += 1;
        let read = serde_json::from_slice(text);
        let place = lines.place();
        row(read.map_err(|error: serde_json::Error| Error::invalid(&place, error.to_string()))?, &place)?;
    }
    let (_, _, sha256) = lines.sum();
    if (rows, &sha256) != (entry.rows, &entry.sha256) {
        return Err(Error::invalid(&entry.path, "this file is not the one of the manifest: export it again"));
    }
    Ok(())
}

impl Gathered {
    pub fn gather(&mut self, root: &Path, entry: FileEntry, report: &mut Report) -> Result<()> {
        match entry.kind.as_str() {
            "meta.users" | "meta.devices" => {
                let is_devices = entry.kind == "meta.devices";
                each::<Uid>(root, &entry, |row, _| {
                    if is_devices {
                        report.drop("devices and their tokens", &row.uid);
                    }
                    self.uids.insert(row.uid);
                    Ok(())
                })
            }
            "meta.channels" => each::<Channel>(root, &entry, |row, _| {
                if row.disband != 0 {
                    report.drop("channels that were disbanded", &row.channel_id);
                    self.gone.insert((row.channel_id, row.channel_type));
                } else if row.ban != 0 {
                    report.change("channels that were banned, and are not here", &row.channel_id);
                }
                Ok(())
            }),
            "meta.subscribers" => each::<Subscriber>(root, &entry, |row, _| {
                self.uids.insert(row.uid.clone());
                self.subscribers.entry((row.channel_id, row.channel_type)).or_default().insert(row.uid);
                Ok(())
            }),
            "meta.user_channel_memberships" => each::<Membership>(root, &entry, |row, _| {
                let channel = (row.channel_id, row.channel_type);
                if let Ok(at) = u64::try_from(row.updated_at_ms) {
                    let last = self.changed.entry(channel.clone()).or_default();
                    *last = at.max(*last);
                }
                if row.deleted_to_seq.0 > 0 {
                    report.drop("histories that a user had cleared, which show again", &row.uid);
                }
                if !row.tombstone && row.read_seq.0 > 0 {
                    self.read.entry(channel).or_default().push((row.read_seq.0, row.uid));
                }
                Ok(())
            }),
            "message.channels" => each::<MessageChannel>(root, &entry, |row, _| {
                self.keys.insert(row.channel_key, (row.channel_id, row.channel_type));
                Ok(())
            }),
            "message.messages" => {
                self.messages.push(entry);
                Ok(())
            }
            // Projections of what the other files have, and bindings of command channels.
            "meta.channel_latest" | "meta.user_cmd_channel_memberships" | "meta.person_directory_tasks" => Ok(()),
            other => {
                report.drop("files of a kind that is not known", other);
                Ok(())
            }
        }
    }
}

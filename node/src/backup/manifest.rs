//! The content of a backup's directory: `manifest.json`, written last, so that a backup without one
//! is incomplete.

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use troupe_core::ShardId;
use troupe_raft::backup::file::Content;
use troupe_runtime::private;
use troupe_store::rows::Digest;

pub const FILE: &str = "manifest.json";
/// Raised when an older version could no longer restore it.
pub const FORMAT: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
pub struct Manifest {
    pub format: u32,
    /// Of this backup: 16 bytes in hexadecimal.
    pub id: String,
    /// Of the cluster it was taken from.
    pub cluster_id: String,
    /// Version that wrote it.
    pub troupe: String,
    /// Wall clock at its beginning, milliseconds since 1970.
    pub taken_ms: u64,
    pub rows: u64,
    /// Sum over the hashes of all rows: 16 bytes in hexadecimal.
    pub digest: String,
    pub shards: Vec<Shard>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Shard {
    pub file: String,
    pub shard: u32,
    pub first_slot: u16,
    /// Exclusive.
    pub end_slot: u16,
    /// Raft index up to which everything is in it.
    pub applied: u64,
    /// A time of the leader's clock that is not before any entry in it; 0 if it was taken from a
    /// node of an earlier version.
    #[serde(default)]
    pub until_ms: u64,
    pub rows: u64,
    pub bytes: u64,
    pub sha256: String,
}

impl Shard {
    pub fn new(
        file: String,
        shard: ShardId,
        slots: (u16, u16),
        applied: u64,
        until_ms: u64,
        content: &Content,
    ) -> Shard {
        Shard {
            file,
            shard: shard.0,
            first_slot: slots.0,
            end_slot: slots.1,
            applied,
            until_ms,
            rows: content.digest.rows,
            bytes: content.bytes,
            sha256: hex(&content.sha256),
        }
    }

    pub fn holds(&self, content: &Content) -> bool {
        self.bytes == content.bytes && self.rows == content.digest.rows && self.sha256 == hex(&content.sha256)
    }
}

impl Manifest {
    pub fn read(directory: &Path) -> Result<Manifest> {
        let path = directory.join(FILE);
        let text = fs::read_to_string(&path).with_context(|| {
            format!("{}: no backup here, or one that was never finished: take it again", path.display())
        })?;
        Manifest::parse(&text, &path.display().to_string())
    }

    /// `from`: where the text is, for people.
    pub fn parse(text: &str, from: &str) -> Result<Manifest> {
        let manifest: Manifest = serde_json::from_str(text).with_context(|| format!("{from} is damaged"))?;
        ensure!(
            manifest.format <= FORMAT,
            "{from} has format {}, and this version reads up to {FORMAT}: use the version that wrote it ({}) or a later one",
            manifest.format,
            manifest.troupe
        );
        // A name leads nowhere else.
        let is_plain = |name: &str| {
            name.starts_with("shard-") && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        ensure!(
            manifest.shards.iter().all(|shard| is_plain(&shard.file)),
            "{from} is damaged: it names a file elsewhere"
        );
        Ok(manifest)
    }

    pub fn write(&self, directory: &Path) -> Result<()> {
        let new = directory.join(format!("{FILE}.new"));
        let mut file = private::create(&new)?;
        file.write_all(serde_json::to_string_pretty(self)?.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, directory.join(FILE))?;
        fs::File::open(directory)?.sync_all()?;
        Ok(())
    }

    /// Whether rows are those that were saved.
    pub fn compare(&self, found: Digest) -> Result<()> {
        let digest = hex(&found.sum.to_be_bytes());
        ensure!(
            found.rows == self.rows && digest == self.digest,
            "{} rows with digest {digest}, but {} with {} were saved",
            found.rows,
            self.rows,
            self.digest
        );
        Ok(())
    }

    /// The earliest time that a rewind reaches: later than every entry in it.
    pub fn until_ms(&self) -> Result<u64> {
        let known = self.shards.iter().all(|shard| shard.until_ms > 0);
        ensure!(
            known,
            "this backup does not say until when its shards are: take a new one, with all nodes of this version"
        );
        Ok(self.shards.iter().map(|shard| shard.until_ms).max().unwrap_or_default())
    }

    /// Of all files of shards.
    pub fn bytes(&self) -> u64 {
        self.shards.iter().map(|shard| shard.bytes).sum()
    }

    pub fn backup_id(&self) -> Result<[u8; 16]> {
        id_in(&self.id).context("the manifest's id is damaged")
    }

    /// The id of the cluster it was taken from.
    pub fn origin(&self) -> Result<[u8; 16]> {
        id_in(&self.cluster_id).context("the manifest's cluster id is damaged")
    }
}

fn id_in(text: &str) -> Option<[u8; 16]> {
    let byte = |at| text.get(at..at + 2).and_then(|byte| u8::from_str_radix(byte, 16).ok());
    let bytes: Option<Vec<u8>> = (0..text.len()).step_by(2).map(byte).collect();
    bytes?.try_into().ok()
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
impl Manifest {
    /// Of a backup without rows.
    pub fn sample() -> Manifest {
        Manifest {
            format: FORMAT,
            id: hex(&[0xab; 16]),
            cluster_id: hex(&[1; 16]),
            troupe: "0.1.0".into(),
            taken_ms: 5,
            rows: 0,
            digest: hex(&[0; 16]),
            shards: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_what_it_wrote_and_refuses_what_it_cannot_know() {
        let dir = tempfile::tempdir().unwrap();
        let missing = format!("{:#}", Manifest::read(dir.path()).unwrap_err());
        assert!(missing.contains("never finished"), "{missing}");
        let mut manifest = Manifest::sample();
        manifest.write(dir.path()).unwrap();
        assert_eq!(Manifest::read(dir.path()).unwrap().backup_id().unwrap(), [0xab; 16]);
        manifest.format += 1;
        manifest.write(dir.path()).unwrap();
        assert!(Manifest::read(dir.path()).is_err());
        let mut text = serde_json::to_value(Manifest::sample()).unwrap();
        text["shards"] = serde_json::json!([{ "file": "../token", "shard": 0, "first_slot": 0, "end_slot": 1,
            "applied": 1, "rows": 0, "bytes": 0, "sha256": "" }]);
        let elsewhere = Manifest::parse(&text.to_string(), "here").unwrap_err();
        assert!(elsewhere.to_string().contains("a file elsewhere"), "{elsewhere}");
        for id in ["", "ab", "zz", "äöü"] {
            manifest.id = id.to_owned();
            assert!(manifest.backup_id().is_err(), "{id}");
        }
    }
}

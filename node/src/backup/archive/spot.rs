//! The archive of one backup: its folder within a directory or a bucket.
//!
//! `archive/shard-NNNN/FIRST-LAST.log` are the segments of a shard, and `archive/archive.json` says
//! how far they are. A segment is complete as soon as it has its name; the state is replaced behind
//! it, so a command that is interrupted leaves segments that the next one continues.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use troupe_raft::backup::segment::Span;
use troupe_runtime::private;

use crate::backup::bucket::Backups;
use crate::backup::manifest::Manifest;
use crate::backup::scratch::Scratch;

pub const FOLDER: &str = "archive";
const STATE: &str = "archive.json";
const LOCK: &str = ".lock";
const PART: &str = "part";
/// Raised when an older version could no longer replay it.
const FORMAT: u32 = 1;

/// How far an archive is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    pub format: u32,
    /// The id of the backup that it continues.
    pub backup: String,
    pub shards: Vec<Reach>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reach {
    pub shard: u32,
    /// The Raft index behind the last entry.
    pub next: u64,
    /// Everything that was acknowledged before this time of the leader's clock is before `next`.
    pub until_ms: u64,
}

impl State {
    /// Of an archive that begins.
    pub fn new(manifest: &Manifest) -> State {
        State { format: FORMAT, backup: manifest.id.clone(), shards: Vec::new() }
    }

    fn parse(bytes: &[u8], shown: &str, manifest: &Manifest) -> Result<State> {
        let state: State = serde_json::from_slice(bytes).with_context(|| format!("{shown} is damaged"))?;
        ensure!(state.format <= FORMAT, "{shown} is of a later version: use that version");
        ensure!(state.backup == manifest.id, "{shown} continues another backup: remove it, and take a new backup");
        Ok(state)
    }

    pub fn of(&self, shard: u32) -> Option<&Reach> {
        self.shards.iter().find(|reach| reach.shard == shard)
    }

    /// The newest time that every shard reaches.
    pub fn until_ms(&self, manifest: &Manifest) -> Option<u64> {
        let reaches: Option<Vec<u64>> =
            manifest.shards.iter().map(|shard| Some(self.of(shard.shard)?.until_ms)).collect();
        reaches?.into_iter().min()
    }

    pub fn note(&mut self, shard: u32, next: u64, until_ms: u64) {
        match self.shards.iter_mut().find(|reach| reach.shard == shard) {
            // A later leader's clock may be behind.
            Some(reach) => *reach = Reach { shard, next, until_ms: until_ms.max(reach.until_ms) },
            None => self.shards.push(Reach { shard, next, until_ms }),
        }
    }
}

pub enum Spot<'a> {
    /// The folder of the archive, and its lock.
    Folder(PathBuf, Option<File>),
    /// The name of the backup. Segments are written into the scratch directory first.
    Bucket(&'a Backups, String, Scratch),
}

fn folder_of(shard: u32) -> String {
    format!("shard-{shard:04}")
}

impl<'a> Spot<'a> {
    pub fn of_directory(directory: &Path) -> Spot<'static> {
        Spot::Folder(directory.join(FOLDER), None)
    }

    pub fn of_bucket(backups: &'a Backups, name: &str) -> Result<Spot<'a>> {
        Ok(Spot::Bucket(backups, name.to_owned(), Scratch::new()?))
    }

    /// Before anything is written to a folder: one command at a time does. Of two that write to a
    /// bucket, both write the same entries.
    pub fn lock(&mut self) -> Result<()> {
        let Spot::Folder(folder, held) = self else { return Ok(()) };
        private::create_dir(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let lock = private::create(&folder.join(LOCK)).context("the archive cannot be locked")?;
        ensure!(lock.try_lock().is_ok(), "another command writes the archive {}", folder.display());
        *held = Some(lock);
        Ok(())
    }

    /// `None`: there is no archive.
    pub async fn state(&self, manifest: &Manifest) -> Result<Option<State>> {
        let (bytes, shown) = match self {
            Spot::Folder(folder, _) => {
                let path = folder.join(STATE);
                let bytes = match fs::read(&path) {
                    Ok(bytes) => Some(bytes),
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
                    Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
                };
                (bytes, path.display().to_string())
            }
            Spot::Bucket(backups, name, _) => {
                let bytes = backups.get_bytes(name, &format!("{FOLDER}/{STATE}")).await?;
                (bytes, format!("{}/{FOLDER}/{STATE}", backups.shown(name)))
            }
        };
        bytes.map(|bytes| State::parse(&bytes, &shown, manifest)).transpose()
    }

    /// Replaces the state.
    pub async fn note(&self, state: &State) -> Result<()> {
        let bytes = serde_json::to_vec_pretty(state)?;
        match self {
            Spot::Folder(folder, _) => {
                let new = folder.join(format!("{STATE}.new"));
                let mut file = private::create(&new)?;
                file.write_all(&bytes)?;
                file.sync_all()?;
                fs::rename(&new, folder.join(STATE))?;
                Ok(File::open(folder)?.sync_all()?)
            }
            Spot::Bucket(backups, name, _) => backups.put_bytes(name, &format!("{FOLDER}/{STATE}"), bytes).await,
        }
    }

    /// The segments of a shard, in order.
    pub async fn segments(&self, shard: u32) -> Result<Vec<Span>> {
        let of = folder_of(shard);
        let names = match self {
            Spot::Folder(folder, _) => match fs::read_dir(folder.join(&of)) {
                Ok(entries) => {
                    let name = |entry: std::io::Result<fs::DirEntry>| -> Result<String> {
                        Ok(entry?.file_name().to_string_lossy().into_owned())
                    };
                    entries.map(name).collect::<Result<Vec<String>>>()?
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
                Err(error) => return Err(error).with_context(|| format!("cannot read {}", folder.display())),
            },
            Spot::Bucket(backups, name, _) => backups.names(name, &format!("{FOLDER}/{of}")).await?,
        };
        let mut spans: Vec<Span> = names.iter().filter_map(|name| Span::of_name(name)).collect();
        spans.sort_unstable();
        Ok(spans)
    }

    /// The file of a segment before it has its name.
    pub fn part(&self, shard: u32) -> Result<PathBuf> {
        match self {
            Spot::Folder(folder, _) => {
                let folder = folder.join(folder_of(shard));
                private::create_dir(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
                Ok(folder.join(PART))
            }
            Spot::Bucket(_, _, scratch) => Ok(scratch.0.join(PART)),
        }
    }

    /// Gives a segment its name, after its file is synced.
    pub async fn add(&self, shard: u32, part: &Path, span: Span) -> Result<()> {
        match self {
            Spot::Folder(folder, _) => {
                let folder = folder.join(folder_of(shard));
                fs::rename(part, folder.join(span.to_string()))?;
                Ok(File::open(folder)?.sync_all()?)
            }
            Spot::Bucket(backups, name, _) => {
                backups.put_file(name, &format!("{FOLDER}/{}/{span}", folder_of(shard)), part).await
            }
        }
    }

    /// A segment as a file of this machine.
    pub async fn fetch(&self, shard: u32, span: Span) -> Result<PathBuf> {
        match self {
            Spot::Folder(folder, _) => Ok(folder.join(folder_of(shard)).join(span.to_string())),
            Spot::Bucket(backups, name, scratch) => {
                let path = scratch.0.join(PART);
                backups.get_file(name, &format!("{FOLDER}/{}/{span}", folder_of(shard)), &path).await?;
                Ok(path)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_state_is_of_its_backup_and_goes_on() {
        let folder = tempfile::tempdir().expect("a folder");
        let manifest = Manifest::sample();
        let mut spot = Spot::of_directory(folder.path());
        spot.lock().expect("the first");
        let other = Spot::of_directory(folder.path()).lock().expect_err("another command has it").to_string();
        assert!(other.contains("another command"), "{other}");
        assert_eq!(spot.state(&manifest).await.expect("nothing"), None);
        let mut state = State::new(&manifest);
        state.note(3, 10, 1_000);
        state.note(3, 12, 900);
        spot.note(&state).await.expect("written");
        let read = Spot::of_directory(folder.path()).state(&manifest).await.expect("read");
        assert_eq!(read.as_ref().and_then(|state| state.of(3)), Some(&Reach { shard: 3, next: 12, until_ms: 1_000 }));
        let another = Manifest { id: "00".repeat(16), ..Manifest::sample() };
        let refused = spot.state(&another).await.expect_err("of another backup").to_string();
        assert!(refused.contains("continues another backup"), "{refused}");
        fs::write(folder.path().join(FOLDER).join(STATE), b"{").expect("written");
        assert!(spot.state(&manifest).await.is_err_and(|error| error.to_string().contains("is damaged")));
    }

    #[tokio::test]
    async fn only_named_segments_count() {
        let folder = tempfile::tempdir().expect("a folder");
        let spot = Spot::of_directory(folder.path());
        assert!(spot.segments(2).await.expect("none").is_empty());
        for (first, last) in [(9, 20), (5, 8)] {
            let part = spot.part(2).expect("a folder");
            fs::write(&part, b"content").expect("written");
            spot.add(2, &part, Span { first, last }).await.expect("named");
        }
        fs::write(spot.part(2).expect("a folder"), b"an interrupted one").expect("written");
        let segments = spot.segments(2).await.expect("read");
        assert_eq!(segments, [Span { first: 5, last: 8 }, Span { first: 9, last: 20 }]);
        let path = spot.fetch(2, segments[0]).await.expect("there");
        assert_eq!(fs::read(path).expect("a file"), b"content");
    }
}

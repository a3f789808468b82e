//! `troupe backup`, `troupe backup verify`, `troupe restore`: a cluster's content as a directory,
//! and back.
//!
//! A backup is taken while the cluster serves. Each shard is whole and consistent at one applied
//! index, and holds everything that was acknowledged before the backup began; shards are taken one
//! after another, so what spans two of them (a group and its entry in a member's list) may be of
//! different moments, as it may be in the cluster itself, and mends itself in the same way.
//! [`manifest`] says what is in the directory. It is portable: a restore asks only for slots, so
//! that the new cluster may have another number of nodes and shards.

mod keep;
mod manifest;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Subcommand};
use tokio::runtime::Handle;
use tokio::task::block_in_place;
use troupe_core::{SLOTS, limits};
use troupe_raft::backup::client::Client;
use troupe_raft::backup::{ShardRange, file};
use troupe_raft::transport::port::Security;
use troupe_runtime::{Platform, Rng, private};
use troupe_store::engine::{Durability, Engine};
use troupe_store::rocks::Rocks;
use troupe_store::rows::{Digest, Part, Row, Transaction, digest_range};

use crate::arguments::Access;
use manifest::{Manifest, Shard, hex};

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Backup {
    #[command(subcommand)]
    pub verb: Option<BackupVerb>,
    /// An empty directory, or one that does not exist yet
    pub directory: Option<PathBuf>,
    #[command(flatten)]
    pub access: Access,
}

#[derive(Subcommand)]
pub enum BackupVerb {
    /// Read a backup through, restore it into a scratch directory, and compare
    Verify { directory: PathBuf },
    /// Take a backup into a folder of backups, verify it, and remove old ones
    Keep(Box<keep::Keep>),
}

#[derive(Args)]
pub struct Restore {
    pub directory: PathBuf,
    #[command(flatten)]
    pub access: Access,
}

/// Bytes of rows in one part of a restore: one Raft entry, which is never larger than
/// `limits::ENTRY_BYTES`.
const PART_BYTES: usize = 256 * 1024;
/// Bytes of a row besides its key and its value, and of a part besides its rows, at most.
const ROW_ENVELOPE: usize = 32;
const PART_ENVELOPE: usize = 256;
const _: () = assert!(PART_BYTES + PART_ENVELOPE <= limits::ENTRY_BYTES);

pub async fn run(args: Backup) -> Result<()> {
    match (args.verb, args.directory) {
        (Some(BackupVerb::Verify { directory }), _) => block_in_place(|| verify(&directory)),
        (Some(BackupVerb::Keep(keep)), _) => keep::run(&keep).await,
        (None, Some(directory)) => take(&directory, &args.access).await,
        (None, None) => bail!("say where the backup is to go: troupe backup <directory>"),
    }
}

fn client(access: &Access) -> Result<Client> {
    let security = match (access.insecure, access.held_token()?) {
        (true, token) => Security::Insecure(token),
        (false, Some(token)) => Security::Token(token),
        (false, None) => bail!(
            "a backup holds everything, so the cluster asks for its join token: --token-file <file> (see troupe token show), or \
             --insecure for a cluster without TLS"
        ),
    };
    let seeds = access.cluster.split(',').map(|address| address.trim().to_owned()).collect();
    Ok(Client::new(&Platform::production(), security, seeds)?)
}

async fn take(directory: &Path, access: &Access) -> Result<()> {
    let mut client = client(access)?;
    let taken_ms = Platform::production().clock.now().0;
    let plan = client.plan().await.context("cannot ask the cluster")?;
    create_empty(directory)?;
    let mut shards = Vec::new();
    let mut digest = Digest::default();
    for ShardRange { shard, slots, .. } in plan.places.clone() {
        let name = format!("shard-{:04}", shard.0);
        let path = directory.join(&name);
        let mut writer = None;
        let begun = &mut writer;
        let saved = {
            // A break makes the rows come again from the first one, into a new file.
            let cell = std::cell::RefCell::new(begun);
            let begin = || {
                **cell.borrow_mut() = Some(file::Writer::create(&path)?);
                Ok(())
            };
            let write = |rows| match cell.borrow_mut().as_mut() {
                Some(writer) => writer.take(rows),
                None => Err(std::io::Error::other("rows before the beginning")),
            };
            client.save(shard, begin, write).await?
        };
        let content = writer.context("nothing was saved")?.finish()?;
        digest.join(content.digest);
        println!(
            "shard {:>3}: {:>9} rows, {:>12} bytes, at index {}",
            shard.0, saved.rows, content.bytes, saved.applied
        );
        shards.push(Shard::new(name, shard, slots, saved.applied, &content));
    }
    let manifest = Manifest {
        format: manifest::FORMAT,
        id: hex(&Rng::from_os().bytes::<16>()),
        cluster_id: hex(&plan.cluster_id),
        troupe: env!("CARGO_PKG_VERSION").to_owned(),
        taken_ms,
        rows: digest.rows,
        digest: hex(&digest.sum.to_be_bytes()),
        shards,
    };
    manifest.write(directory)?;
    println!(
        "{}: {} rows of {} shards, digest {}",
        directory.display(),
        digest.rows,
        manifest.shards.len(),
        manifest.digest
    );
    Ok(())
}

fn create_empty(directory: &Path) -> Result<()> {
    private::create_dir(directory).with_context(|| format!("cannot create {}", directory.display()))?;
    let mut entries = fs::read_dir(directory)?;
    ensure!(entries.next().is_none(), "{} is not empty: each backup wants a directory of its own", directory.display());
    private::tighten(directory)?;
    Ok(())
}

/// A backup holds every message and every password's hash. One that was written by an earlier
/// version could be read by all users.
fn close(directory: &Path) {
    match private::tighten(directory) {
        Ok(0) => {}
        Ok(changed) => {
            eprintln!("{changed} files of this backup could be read by other users; now only by their owner")
        }
        Err(error) => eprintln!("warning: {}: {error}; other users may read this backup", directory.display()),
    }
}

/// Every file is what the manifest says, and restoring it gives the state that the manifest says.
fn verify(directory: &Path) -> Result<()> {
    let manifest = Manifest::read(directory)?;
    close(directory);
    let scratch = Scratch::new()?;
    let engine = Rocks::open(&scratch.0)?;
    let mut parts = Parts::new(&manifest.backup_id()?, vec![(0, SLOTS)]);
    for shard in &manifest.shards {
        read(directory, shard, |rows| put(&engine, parts.add(rows)?))?;
        println!("{}: {} rows, good", shard.file, shard.rows);
    }
    put(&engine, parts.finish())?;
    let found = digest_range(&engine, (0, SLOTS))?;
    manifest
        .compare(found)
        .context("restored in a scratch directory it is not what was saved: this backup is damaged")?;
    println!("restored in a scratch directory: {} rows, digest {}, as saved", found.rows, manifest.digest);
    Ok(())
}

fn put(engine: &Rocks, parts: Vec<(usize, Part)>) -> Result<()> {
    for (_, part) in parts {
        let mut transaction = Transaction::new(Arc::new(engine.clone()));
        transaction.restore((0, SLOTS), &part)??;
        engine.write(transaction.into_batch()?, Durability::Buffered)?;
    }
    Ok(())
}

fn read(directory: &Path, shard: &Shard, mut take: impl FnMut(Vec<Row>) -> Result<()>) -> Result<()> {
    let path = directory.join(&shard.file);
    let mut failed = None;
    let content = file::read(&path, |rows| {
        take(rows).map_err(|error| {
            failed = Some(error);
            std::io::Error::other("stopped")
        })
    });
    if let Some(error) = failed {
        return Err(error);
    }
    let content = content.with_context(|| format!("{} is damaged", path.display()))?;
    ensure!(shard.holds(&content), "{} is damaged: it is not the file that the manifest names", path.display());
    Ok(())
}

pub async fn restore(args: Restore) -> Result<()> {
    let manifest = Manifest::read(&args.directory)?;
    close(&args.directory);
    // Before anything is sent: half a restore is worth nothing.
    for shard in &manifest.shards {
        read(&args.directory, shard, |_| Ok(()))?;
    }
    let mut client = client(&args.access)?;
    let plan = client.plan().await.context("cannot ask the cluster")?;
    let places = plan.places;
    let mut parts = Parts::new(&manifest.backup_id()?, places.iter().map(|place| place.slots).collect());
    for shard in &manifest.shards {
        // Sent from within the reading, so that no more than a block is in memory.
        let send = Handle::current();
        read(&args.directory, shard, |rows| {
            for (place, part) in parts.add(rows)? {
                block_in_place(|| send.block_on(client.restore(places[place].shard, &part)))?;
            }
            Ok(())
        })?;
        println!("{}: {} rows", shard.file, shard.rows);
    }
    for (place, part) in parts.finish() {
        client.restore(places[place].shard, &part).await?;
    }
    let mut found = Digest::default();
    for place in &places {
        found.join(client.digest(place.shard).await?);
    }
    manifest
        .compare(found)
        .context("everything was taken, but the cluster holds something else now: was it used meanwhile?")?;
    // Only now: a restore that was refused must not make devices believe in another history.
    let history = troupe_raft::backup::history(&manifest.backup_id()?, &plan.cluster_id);
    client.adopt(history, manifest.origin()?).await?;
    println!("restored: {} rows in {} shards, digest {}, as saved", found.rows, places.len(), manifest.digest);
    Ok(())
}

/// Cuts rows into parts for the shards that they belong to.
struct Parts {
    backup: [u8; 16],
    targets: Vec<Target>,
}

struct Target {
    /// The second is exclusive.
    slots: (u16, u16),
    number: u64,
    rows: Vec<Row>,
    bytes: usize,
}

impl Target {
    fn part(&mut self, backup: [u8; 16], last: bool) -> Part {
        let rows = std::mem::take(&mut self.rows);
        let part = Part { backup, number: self.number, last, notes_heads: true, rows };
        self.number += 1;
        self.bytes = 0;
        part
    }
}

impl Parts {
    fn new(backup: &[u8; 16], slots: Vec<(u16, u16)>) -> Parts {
        let target = |slots| Target { slots, number: 0, rows: Vec::new(), bytes: 0 };
        Parts { backup: *backup, targets: slots.into_iter().map(target).collect() }
    }

    /// The parts that are full now, each with the place of its target.
    fn add(&mut self, rows: Vec<Row>) -> Result<Vec<(usize, Part)>> {
        let mut full = Vec::new();
        for row in rows {
            let slot = row.key.first_chunk::<2>().map(|slot| u16::from_be_bytes(*slot));
            let place = slot.and_then(|slot| {
                self.targets.iter().position(|target| (target.slots.0..target.slots.1).contains(&slot))
            });
            let place = place.context("a row of the backup belongs to no slot: it is damaged")?;
            let target = &mut self.targets[place];
            let more = row.key.len() + row.value.len() + ROW_ENVELOPE;
            if !target.rows.is_empty() && target.bytes + more + PART_ENVELOPE > limits::ENTRY_BYTES {
                full.push((place, target.part(self.backup, false)));
            }
            target.bytes += more;
            target.rows.push(row);
            if target.bytes >= PART_BYTES {
                full.push((place, target.part(self.backup, false)));
            }
        }
        Ok(full)
    }

    /// The rest; every target gets a last part, so that it knows the end.
    fn finish(mut self) -> Vec<(usize, Part)> {
        let backup = self.backup;
        self.targets.iter_mut().enumerate().map(|(place, target)| (place, target.part(backup, true))).collect()
    }
}

/// Removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Scratch> {
        let name = format!("troupe-verify-{}", hex(&Rng::from_os().bytes::<8>()));
        let path = std::env::temp_dir().join(name);
        private::create_dir(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Scratch(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::warn!(%error, directory = %self.0.display(), "cannot be removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use troupe_store::engine::Family;

    use super::*;

    #[test]
    fn rows_go_to_the_shard_of_their_slot_in_parts_that_end() {
        let row = |slot: u16, bytes: usize| Row {
            family: Family::Events,
            key: slot.to_be_bytes().to_vec(),
            value: vec![0; bytes],
        };
        let mut parts = Parts::new(&[1; 16], vec![(0, 10), (10, SLOTS)]);
        assert!(parts.add(vec![row(3, 10), row(12, 10)]).unwrap().is_empty());
        let full = parts.add(vec![row(9, PART_BYTES), row(10, 5)]).unwrap();
        assert_eq!(full.len(), 1);
        assert_eq!((full[0].0, full[0].1.number, full[0].1.last, full[0].1.rows.len()), (0, 0, false, 2));
        assert!(parts.add(vec![row(SLOTS, 1)]).is_err());
        let rest = parts.finish();
        let shape: Vec<_> =
            rest.iter().map(|(place, part)| (*place, part.number, part.last, part.rows.len())).collect();
        assert_eq!(shape, [(0, 1, true, 0), (1, 0, true, 2)]);
    }
}

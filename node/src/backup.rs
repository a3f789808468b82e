//! `troupe backup`, `troupe backup verify`, `troupe restore`: a cluster's content as a directory,
//! and back.
//!
//! A backup is taken while the cluster serves. Each shard is whole and consistent at one applied
//! index, and holds everything that was acknowledged before the backup began; shards are taken one
//! after another, so what spans two of them (a group and its entry in a member's list) may be of
//! different moments, as it may be in the cluster itself, and mends itself in the same way.
//! [`manifest`] says what is in the directory. It is portable: a restore asks only for slots, so
//! that the new cluster may have another number of nodes and shards.
//!
//! A backup in a bucket ([`bucket`]) has the same files. It is taken into a scratch directory and
//! read from one, so everything else knows directories alone.
//!
//! An [`archive`] beside a backup has the later entries of the shards' logs. [`rewind`] makes a
//! backup of a point in time of both.

mod archive;
mod bucket;
mod keep;
mod list;
mod manifest;
mod parts;
mod place;
mod rewind;
mod scratch;
mod time;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Subcommand};
use serde_json::json;
use tokio::runtime::Handle;
use tokio::task::block_in_place;
use troupe_core::SLOTS;
use troupe_raft::backup::client::Client;
use troupe_raft::backup::{ShardRange, file};
use troupe_raft::transport::port::Security;
use troupe_runtime::{Platform, Rng, private};
use troupe_store::engine::{Durability, Engine};
use troupe_store::rocks::Rocks;
use troupe_store::rows::{Digest, Part, Row, Transaction, digest_range};

use crate::arguments::{Access, Output};
use bucket::Backups;
use manifest::{Manifest, Shard, hex};
use parts::Parts;
use place::{Objects, Place};
use scratch::Scratch;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Backup {
    #[command(subcommand)]
    pub verb: Option<BackupVerb>,
    /// An empty directory, or one that does not exist yet; or s3://BUCKET/NAME
    pub directory: Option<Place>,
    #[command(flatten)]
    pub access: Access,
    #[command(flatten)]
    pub objects: Objects,
    #[arg(short, long, value_enum, default_value = "table")]
    pub output: Output,
}

#[derive(Subcommand)]
pub enum BackupVerb {
    /// Read a backup through, restore it into a scratch directory, and compare
    Verify {
        /// A directory, or s3://BUCKET/NAME
        directory: Place,
        #[command(flatten)]
        objects: Objects,
        #[arg(short, long, value_enum, default_value = "table")]
        output: Output,
    },
    /// Take a backup into a folder of backups, verify it, and remove old ones
    Keep(Box<keep::Keep>),
    /// Archive the log entries behind a backup beside it, for restores to any later time
    Archive(Box<archive::Archive>),
    /// Make a backup of an earlier time, from a backup and its archive
    Rewind(Box<rewind::Rewind>),
    /// The complete backups in a folder of backups, the newest first
    List {
        /// A folder, or s3://BUCKET/FOLDER
        folder: Place,
        #[command(flatten)]
        objects: Objects,
        #[arg(short, long, value_enum, default_value = "table")]
        output: Output,
    },
}

#[derive(Args)]
pub struct Restore {
    /// A directory, or s3://BUCKET/NAME
    pub directory: Place,
    #[command(flatten)]
    pub access: Access,
    #[command(flatten)]
    pub objects: Objects,
    #[arg(short, long, value_enum, default_value = "table")]
    pub output: Output,
}

pub async fn run(args: Backup) -> Result<()> {
    match (args.verb, args.directory) {
        (Some(BackupVerb::Verify { directory, objects, output }), _) => {
            let local = Local::of(&directory, &objects, output).await?;
            let manifest = block_in_place(|| verify(local.path(), output))?;
            let (rows, digest) = (manifest.rows, &manifest.digest);
            let line = || format!("restored in a scratch directory: {rows} rows, digest {digest}, as saved\n");
            output.print(|| list::described(&directory.to_string(), &manifest), line);
            Ok(())
        }
        (Some(BackupVerb::Keep(keep)), _) => keep::run(&keep).await,
        (Some(BackupVerb::Archive(archive)), _) => archive::run(&archive).await,
        (Some(BackupVerb::Rewind(rewind)), _) => rewind::run(&rewind).await,
        (Some(BackupVerb::List { folder, objects, output }), _) => list::run(&folder, &objects, output).await,
        (None, Some(directory)) => {
            let manifest = match &directory {
                Place::Folder(folder) => take(folder, &args.access, args.output).await?,
                Place::Bucket { bucket, path } => {
                    let (backups, name) = Backups::of_one(&args.objects, bucket, path)?;
                    backups.expect_nothing(&name).await?;
                    let scratch = Scratch::new()?;
                    let manifest = take(&scratch.0, &args.access, args.output).await?;
                    backups.put(&name, &scratch.0, &manifest, args.output).await?;
                    manifest
                }
            };
            let shown = directory.to_string();
            args.output.print(|| list::described(&shown, &manifest), || list::taken(&shown, &manifest));
            Ok(())
        }
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

async fn take(directory: &Path, access: &Access, output: Output) -> Result<Manifest> {
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
        output.say(&format!(
            "shard {:>3}: {:>9} rows, {:>12} bytes, at index {}",
            shard.0, saved.rows, content.bytes, saved.applied
        ));
        shards.push(Shard::new(name, shard, slots, saved.applied, saved.now_ms, &content));
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
    Ok(manifest)
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
fn verify(directory: &Path, output: Output) -> Result<Manifest> {
    let manifest = Manifest::read(directory)?;
    close(directory);
    let scratch = Scratch::new()?;
    let engine = Rocks::open(&scratch.0)?;
    let mut parts = Parts::new(&manifest.backup_id()?, vec![(0, SLOTS)]);
    for shard in &manifest.shards {
        read(directory, shard, |rows| put(&engine, parts.add(rows)?))?;
        output.say(&format!("{}: {} rows, good", shard.file, shard.rows));
    }
    put(&engine, parts.finish())?;
    let found = digest_range(&engine, (0, SLOTS))?;
    manifest
        .compare(found)
        .context("restored in a scratch directory it is not what was saved: this backup is damaged")?;
    Ok(manifest)
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

/// A backup as a directory of this machine, where it may be for as long as the command runs.
enum Local {
    Kept(PathBuf),
    Fetched(Scratch),
}

impl Local {
    async fn of(place: &Place, objects: &Objects, output: Output) -> Result<Local> {
        match place {
            Place::Folder(folder) => Ok(Local::Kept(folder.clone())),
            Place::Bucket { bucket, path } => {
                let (backups, name) = Backups::of_one(objects, bucket, path)?;
                let scratch = Scratch::new()?;
                backups.fetch(&name, &scratch.0, output).await?;
                Ok(Local::Fetched(scratch))
            }
        }
    }

    fn path(&self) -> &Path {
        match self {
            Local::Kept(path) | Local::Fetched(Scratch(path)) => path,
        }
    }
}

pub async fn restore(args: Restore) -> Result<()> {
    let local = Local::of(&args.directory, &args.objects, args.output).await?;
    let directory = local.path();
    let manifest = Manifest::read(directory)?;
    close(directory);
    // Before anything is sent: half a restore is worth nothing.
    for shard in &manifest.shards {
        read(directory, shard, |_| Ok(()))?;
    }
    let mut client = client(&args.access)?;
    let plan = client.plan().await.context("cannot ask the cluster")?;
    let places = plan.places;
    let mut parts = Parts::new(&manifest.backup_id()?, places.iter().map(|place| place.slots).collect());
    for shard in &manifest.shards {
        // Sent from within the reading, so that no more than a block is in memory.
        let send = Handle::current();
        read(directory, shard, |rows| {
            for (place, part) in parts.add(rows)? {
                block_in_place(|| send.block_on(client.restore(places[place].shard, &part)))?;
            }
            Ok(())
        })?;
        args.output.say(&format!("{}: {} rows", shard.file, shard.rows));
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
    let (rows, shards, digest) = (found.rows, places.len(), &manifest.digest);
    args.output.print(
        || json!({ "backup": manifest.id, "rows": rows, "shards": shards, "digest": digest }),
        || format!("restored: {rows} rows in {shards} shards, digest {digest}, as saved\n"),
    );
    Ok(())
}

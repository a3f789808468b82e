//! `troupe backup rewind`: a backup of an earlier time, made of a backup and the archive behind it.
//!
//! The rows of each shard go into a scratch directory, and the archived entries up to the time are
//! applied to them as a node applies them. The result is a backup like any other, with an id of its
//! own: `verify` and `restore` take it, and devices learn that the later messages are gone.

use std::fs;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde_json::json;
use tokio::task::block_in_place;
use troupe_core::{ShardId, ShardMap, Timestamp};
use troupe_raft::backup::file;
use troupe_raft::backup::replay::{Replay, Replayed};
use troupe_raft::backup::segment::{self, Source, Span};
use troupe_runtime::Rng;
use troupe_store::engine::{Batch, Durability, Engine, Family, Reader};
use troupe_store::rocks::Rocks;
use troupe_store::rows::{Digest, Row, slot_range};

use super::archive::reached;
use super::archive::spot::{FOLDER, Spot, State};
use super::bucket::Backups;
use super::manifest::{self, Manifest, Shard, hex};
use super::place::{Objects, Place};
use super::scratch::Scratch;
use super::{Local, close, create_empty, list, read, time};
use crate::arguments::Output;

/// Rows read at once.
const PAGE: usize = 256;

#[derive(Args)]
pub struct Rewind {
    /// A backup with an archive: a directory, or s3://BUCKET/NAME
    pub directory: Place,
    /// The time in UTC, as 2026-11-30T20:45:17Z, or in milliseconds since 1970: nothing later is in
    /// the result
    #[arg(long, value_name = "TIME", value_parser = time::time)]
    pub to: u64,
    /// An empty directory for the result, or one that does not exist yet
    #[arg(long, value_name = "DIRECTORY")]
    pub into: PathBuf,
    #[command(flatten)]
    pub objects: Objects,
    #[arg(short, long, value_enum, default_value = "table")]
    pub output: Output,
}

pub async fn run(args: &Rewind) -> Result<()> {
    let local = Local::of(&args.directory, &args.objects, args.output).await?;
    let manifest = Manifest::read(local.path())?;
    close(local.path());
    let backups;
    let spot = match &args.directory {
        Place::Folder(folder) => Spot::of_directory(folder),
        Place::Bucket { bucket, path } => {
            let (of_one, name) = Backups::of_one(&args.objects, bucket, path)?;
            backups = of_one;
            Spot::of_bucket(&backups, &name)?
        }
    };
    let state = spot.state(&manifest).await?;
    let state = state
        .with_context(|| format!("{}/{FOLDER}: no archive here: troupe backup archive makes it", args.directory))?;
    check(args.to, &manifest, &state)?;
    create_empty(&args.into)?;
    let made = rewound(args, local.path(), &manifest, &spot, &state).await;
    if made.is_err() {
        // Incomplete, and never restored; the directory was empty before.
        let _ = fs::remove_dir_all(&args.into);
    }
    let (made, entries) = made?;
    let shown = args.into.display().to_string();
    args.output.print(
        || {
            let mut described = list::described(&shown, &made);
            described["to_ms"] = json!(args.to);
            described["entries"] = json!(entries);
            described
        },
        || format!("{entries} later entries up to {}\n{}", time::shown(args.to), list::taken(&shown, &made)),
    );
    Ok(())
}

/// Whether the backup and its archive reach this time.
fn check(to: u64, manifest: &Manifest, state: &State) -> Result<()> {
    let earliest = manifest.until_ms()?;
    ensure!(
        to >= earliest,
        "{} is before the end of this backup: it reaches {} and later; choose an earlier one (troupe backup list)",
        time::shown(to),
        time::shown(earliest)
    );
    let Some(newest) = state.until_ms(manifest) else {
        bail!("the archive does not have every shard yet: run troupe backup archive again")
    };
    ensure!(
        to <= newest,
        "{} is after the end of the archive: it reaches {} and earlier; run troupe backup archive again",
        time::shown(to),
        time::shown(newest)
    );
    Ok(())
}

async fn rewound(
    args: &Rewind,
    directory: &Path,
    manifest: &Manifest,
    spot: &Spot<'_>,
    state: &State,
) -> Result<(Manifest, u64)> {
    let map = ShardMap { count: manifest.shards.len() as u32 };
    let scratch = Scratch::new()?;
    let engine: Arc<dyn Engine> = Arc::new(Rocks::open(&scratch.0)?);
    let (mut shards, mut digest, mut entries) = (Vec::new(), Digest::default(), 0);
    for shard in &manifest.shards {
        let slots = (shard.first_slot, shard.end_slot);
        ensure!(map.slots(ShardId(shard.shard)) == slots, "{} is damaged: its slots are of another shard", shard.file);
        block_in_place(|| read(directory, shard, |rows| put(&*engine, rows)))?;
        let replayed = replay(args.to, map, manifest, shard, spot, state, &engine).await?;
        entries += replayed.entries;
        let content = block_in_place(|| written(&args.into.join(&shard.file), &engine, slots))?;
        digest.join(content.digest);
        args.output.say(&format!("{}: {} later entries, {} rows", shard.file, replayed.entries, content.digest.rows));
        let (name, shard) = (shard.file.clone(), ShardId(shard.shard));
        shards.push(Shard::new(name, shard, slots, replayed.applied, args.to, &content));
    }
    let made = Manifest {
        format: manifest::FORMAT,
        id: hex(&Rng::from_os().bytes::<16>()),
        cluster_id: manifest.cluster_id.clone(),
        troupe: env!("CARGO_PKG_VERSION").to_owned(),
        taken_ms: args.to,
        rows: digest.rows,
        digest: hex(&digest.sum.to_be_bytes()),
        shards,
    };
    made.write(&args.into)?;
    Ok((made, entries))
}

/// Applies the archived entries of a shard up to the time.
async fn replay(
    to: u64,
    map: ShardMap,
    manifest: &Manifest,
    shard: &Shard,
    spot: &Spot<'_>,
    state: &State,
    engine: &Arc<dyn Engine>,
) -> Result<Replayed> {
    let source = Source { cluster_id: manifest.origin()?, shard: ShardId(shard.shard) };
    let mut replay = Replay::new(engine.clone(), source.shard, map, shard.applied, Timestamp(to));
    let segments = spot.segments(shard.shard).await?;
    for span in &segments {
        if replay.has_ended() {
            break;
        }
        if span.last < replay.next() {
            continue;
        }
        reached(&[*span], replay.next(), shard)?;
        let path = spot.fetch(shard.shard, *span).await?;
        let applied = block_in_place(|| take(&path, source, *span, &mut replay));
        applied.with_context(|| format!("{FOLDER}/{}/{span}", shard.file))?;
    }
    let next = state.of(shard.shard).map_or(0, |reach| reach.next);
    ensure!(
        replay.has_ended() || replay.next() >= next,
        "the archive of {} has a gap: entries {} to {} are missing; choose an earlier time, or another backup",
        shard.file,
        replay.next(),
        next - 1
    );
    Ok(block_in_place(|| replay.finish())?)
}

/// Tells a damaged segment from entries that cannot be applied.
fn take(path: &Path, source: Source, span: Span, replay: &mut Replay) -> Result<()> {
    let mut failed = None;
    let read = segment::read(path, source, span, |entries| {
        replay.take(entries).map_err(|error| {
            failed = Some(error);
            std::io::Error::other("stopped")
        })
    });
    match failed {
        Some(error) => Err(error.into()),
        None => read.context("is damaged: choose another backup, or a time before this segment"),
    }
}

fn put(engine: &dyn Engine, rows: Vec<Row>) -> Result<()> {
    let mut batch = Batch::default();
    rows.into_iter().for_each(|row| batch.put(row.family, row.key, row.value));
    Ok(engine.write(batch, Durability::Buffered)?)
}

/// All rows of these slots as a file of a backup.
fn written(path: &Path, reader: &dyn Reader, slots: (u16, u16)) -> Result<file::Content> {
    let (from, to) = slot_range(slots.0, slots.1);
    let mut writer = file::Writer::create(path)?;
    for family in Family::OF_SLOTS {
        let mut begin = Bound::Included(from.clone());
        loop {
            let page = reader.scan(family, (begin, Bound::Excluded(to.clone())), false, PAGE)?;
            let Some((last, _)) = page.last() else { break };
            begin = Bound::Excluded(last.clone());
            writer.take(page.into_iter().map(|(key, value)| Row { family, key, value }).collect())?;
        }
    }
    Ok(writer.finish()?)
}

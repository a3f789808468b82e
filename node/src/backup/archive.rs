//! `troupe backup archive`: the entries of the shards' logs behind a backup, as files beside it.
//!
//! Each pass asks the leader of each shard for the committed entries behind those that it has, and
//! notes until when that is everything ([`spot::State`]). A shard that fails does not keep the
//! others: logs hold entries for a while only, and one that is purged before it is archived is a
//! gap that only a new backup closes.
//!
//! In a folder of kept backups the newest one is continued, and the one before it up to the time at
//! which the newest begins, so that every time between is within one of them.

pub mod spot;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use clap::Args;
use serde_json::json;
use troupe_core::ShardId;
use troupe_raft::backup::client::Client;
use troupe_raft::backup::segment::{Source, Span, Writer};

use super::bucket::Backups;
use super::manifest::{self, Manifest, Shard, hex};
use super::place::{Objects, Place};
use super::{list, time};
use crate::accounts::duration;
use crate::arguments::{Access, Output};
use spot::{Spot, State};

/// Plain bytes of entries after which a segment ends.
const SEGMENT_BYTES: u64 = 64 * 1024 * 1024;
/// Backups of a folder that are continued, if need be.
const CONTINUED: usize = 2;

#[derive(Args)]
pub struct Archive {
    /// A backup, or a folder of kept backups, whose newest one is continued; or s3://BUCKET/PATH
    pub place: Place,
    /// Go on, with a pass in each such time: 10s, 1m; without it there is one pass
    #[arg(long, value_parser = duration)]
    pub every: Option<Duration>,
    #[command(flatten)]
    pub access: Access,
    #[command(flatten)]
    pub objects: Objects,
    /// As JSON, one line for each pass
    #[arg(short, long, value_enum, default_value = "table")]
    pub output: Output,
}

/// A backup to continue.
struct Held<'a> {
    shown: String,
    spot: Spot<'a>,
    manifest: Manifest,
}

/// The result of one pass over one backup.
struct Passed {
    state: State,
    entries: u64,
    failed: Option<anyhow::Error>,
}

pub async fn run(archive: &Archive) -> Result<()> {
    let Some(every) = archive.every else { return once(archive).await };
    ensure!(!every.is_zero(), "--every wants a time above 0");
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = once(archive).await {
            eprintln!("{}", crate::exit::line(&error));
        }
    }
}

async fn once(archive: &Archive) -> Result<()> {
    match &archive.place {
        Place::Folder(path) => {
            let is_one = path.join(manifest::FILE).exists();
            let found = if is_one { vec![(path.clone(), Manifest::read(path)?)] } else { list::complete(path)? };
            let held = |(path, manifest): (PathBuf, Manifest)| Held {
                shown: path.display().to_string(),
                spot: Spot::of_directory(&path),
                manifest,
            };
            pass(archive, found.into_iter().take(CONTINUED).map(held).collect()).await
        }
        Place::Bucket { bucket, path } => {
            let (mut backups, mut found) = (Backups::of_folder(&archive.objects, bucket, path)?, Vec::new());
            // A path without a name is a folder in any case.
            if let Ok((of_one, name)) = Backups::of_one(&archive.objects, bucket, path)
                && let Some(manifest) = of_one.manifest(&name).await?
            {
                (backups, found) = (of_one, vec![(name, manifest)]);
            }
            if found.is_empty() {
                let listed = backups.list().await?.into_iter();
                found = listed.filter_map(|(name, manifest)| Some((name, manifest?))).collect();
            }
            let mut held = Vec::new();
            for (name, manifest) in found.into_iter().take(CONTINUED) {
                held.push(Held { shown: backups.shown(&name), spot: Spot::of_bucket(&backups, &name)?, manifest });
            }
            pass(archive, held).await
        }
    }
}

/// `found` begins with the newest.
async fn pass(archive: &Archive, found: Vec<Held<'_>>) -> Result<()> {
    let mut found = found.into_iter();
    let Some(newest) = found.next() else {
        bail!("{}: no complete backup to continue: take one first (troupe backup keep)", archive.place)
    };
    let begins = newest.manifest.until_ms()?;
    let mut client = super::client(&archive.access)?;
    let cluster_id = client.plan().await.context("cannot ask the cluster")?.cluster_id;
    let mut failed = None;
    // First, because its log is older; one that was never archived has no use for it.
    if let Some(before) = found.next().filter(|before| before.manifest.cluster_id == newest.manifest.cluster_id)
        && let Some(state) = before.spot.state(&before.manifest).await?
        && state.until_ms(&before.manifest).is_none_or(|until| until < begins)
    {
        failed = extended(archive, &mut client, cluster_id, before).await.err();
    }
    extended(archive, &mut client, cluster_id, newest).await?;
    failed.map_or(Ok(()), Err)
}

/// One pass over one backup, and a line about what it reached.
async fn extended(archive: &Archive, client: &mut Client, cluster_id: [u8; 16], mut held: Held<'_>) -> Result<()> {
    let Passed { state, entries, failed } = extend(client, cluster_id, &mut held).await?;
    let until = state.until_ms(&held.manifest);
    if failed.is_none() || archive.output == Output::Table {
        let complete =
            until.map_or("not complete yet".to_owned(), |until| format!("complete until {}", time::shown(until)));
        archive.output.print_line(
            || json!({ "path": held.shown, "id": held.manifest.id, "entries": entries, "until_ms": until }),
            || format!("{}: {entries} entries archived, {complete}\n", held.shown),
        );
    }
    failed.map_or(Ok(()), Err)
}

/// One pass over all shards of a backup.
async fn extend(client: &mut Client, cluster_id: [u8; 16], held: &mut Held<'_>) -> Result<Passed> {
    let Held { shown, spot, manifest } = held;
    ensure!(
        manifest.cluster_id == hex(&cluster_id),
        "{shown} is of the cluster {}, and this is {}: take a backup of this one",
        manifest.cluster_id,
        hex(&cluster_id)
    );
    manifest.until_ms()?;
    spot.lock()?;
    let mut state = spot.state(manifest).await?.unwrap_or_else(|| State::new(manifest));
    let (mut entries, mut failed) = (0, None);
    for shard in &manifest.shards {
        let source = Source { cluster_id, shard: ShardId(shard.shard) };
        match extend_shard(client, spot, source, shard).await {
            Ok((next, until_ms, count)) => {
                state.note(shard.shard, next, until_ms);
                entries += count;
            }
            Err(error) if failed.is_none() => {
                failed = Some(error.context(format!("{shown}: the archive stays behind")))
            }
            Err(_) => {}
        }
    }
    spot.note(&state).await?;
    Ok(Passed { state, entries, failed })
}

/// The index behind the last entry now, until when that is everything, and the number of new ones.
async fn extend_shard(client: &mut Client, spot: &Spot<'_>, source: Source, shard: &Shard) -> Result<(u64, u64, u64)> {
    let begin = reached(&spot.segments(shard.shard).await?, shard.applied + 1, shard)?;
    // Entries that are committed meanwhile are for the next pass, or a busy shard would keep this
    // one.
    let first = client.entries(source.shard, begin).await?;
    let (end, until_ms) = (first.end, first.now_ms);
    let (mut next, mut more) = (begin, first.entries);
    while next < end {
        let part = spot.part(shard.shard)?;
        let mut writer = Writer::create(&part, source, next)?;
        while next < end && writer.bytes() < SEGMENT_BYTES {
            if more.is_empty() {
                more = client.entries(source.shard, next).await?.entries;
            }
            next += more.len() as u64;
            writer.take(std::mem::take(&mut more))?;
        }
        if let Some(span) = writer.finish()? {
            spot.add(shard.shard, &part, span).await?;
        }
    }
    Ok((next, until_ms, next - begin))
}

/// The index behind the last of these segments, which begin at `next` or before.
pub fn reached(segments: &[Span], next: u64, shard: &Shard) -> Result<u64> {
    Span::reach(segments, next).map_err(|Span { first, last }| {
        anyhow!("the archive of {} has a gap: entries {first} to {last} are missing: take a new backup", shard.file)
    })
}

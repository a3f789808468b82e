//! Kept backups in a bucket. One is taken and verified in a scratch directory, and its manifest is
//! sent last.

use anyhow::Result;
use tokio::task::block_in_place;

use super::{DAY_MS, Keep, Round, is_name, name, remove_surplus};
use crate::backup::bucket::Backups;
use crate::backup::scratch::Scratch;
use crate::backup::{take, verify};

pub async fn once(keep: &Keep, backups: &Backups, now: u64) -> Result<Round> {
    let name = free_name(backups, now).await?;
    let scratch = Scratch::new()?;
    take(&scratch.0, &keep.access, keep.output).await?;
    let manifest = block_in_place(|| verify(&scratch.0, keep.output))?;
    backups.put(&name, &scratch.0, &manifest, keep.output).await?;
    drop(scratch);
    let shown = backups.shown(&name);
    keep.output.say(&format!("{shown}: verified and sent"));
    let removed = clean(keep, backups, now).await?;
    Ok(Round { shown, manifest, removed })
}

/// That of this moment, or of the next second that no backup has.
async fn free_name(backups: &Backups, mut now: u64) -> Result<String> {
    while !backups.is_free(&name(now)).await? {
        now += 1_000;
    }
    Ok(name(now))
}

/// The surplus of complete backups, and incomplete ones. No lock keeps another machine from a
/// bucket, so an incomplete one may be that of a running command, and stays for a day.
async fn clean(keep: &Keep, backups: &Backups, now: u64) -> Result<Vec<String>> {
    let stale = name(now.saturating_sub(DAY_MS));
    let mut taken = Vec::new();
    for (name, manifest) in backups.list().await? {
        match manifest {
            Some(manifest) => taken.push((manifest.taken_ms, name)),
            None if is_name(&name) && name < stale => backups.remove(&name).await?,
            None => {}
        }
    }
    remove_surplus(taken, keep.retention, async |name: &String| {
        backups.remove(name).await?;
        Ok(backups.shown(name))
    })
    .await
}

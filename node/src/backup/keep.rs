//! `troupe backup keep`: a folder of backups that are verified, and of which the old ones go.
//!
//! A backup is taken under the name of its time with `.part` behind, verified, and only then gets
//! its name. Old ones are deleted behind that, so a failure never leaves fewer good backups than
//! before. Only what has a readable manifest counts and is deleted.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use tokio::task::block_in_place;
use troupe_runtime::{Platform, private};

use super::{take, verify};
use crate::accounts::{duration, moment};
use crate::arguments::Access;
use crate::backup::manifest::Manifest;

#[derive(Args)]
pub struct Keep {
    /// The folder of all backups; each has a folder of its own in it
    pub folder: PathBuf,
    #[command(flatten)]
    pub retention: Retention,
    /// Go on, with a backup in each such time: 6h, 1d; without it one is taken
    #[arg(long, value_parser = duration)]
    pub every: Option<Duration>,
    #[command(flatten)]
    pub access: Access,
}

/// The backups that stay: the union of the three.
#[derive(Args, Clone, Copy, Debug)]
pub struct Retention {
    /// The newest ones
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    pub last: u32,
    /// The newest one of each of so many days (UTC)
    #[arg(long, default_value_t = 0)]
    pub daily: u32,
    /// The newest one of each of so many weeks, which begin on Mondays
    #[arg(long, default_value_t = 0)]
    pub weekly: u32,
}

const PART: &str = ".part";
const LOCK: &str = ".lock";
const DAY_MS: u64 = 24 * 3600 * 1000;
/// The first of January 1970 was a Thursday.
const DAYS_BEFORE: u64 = 3;

pub async fn run(keep: &Keep) -> Result<()> {
    private::create_dir(&keep.folder).with_context(|| format!("cannot create {}", keep.folder.display()))?;
    let lock = private::create(&keep.folder.join(LOCK)).context("the folder of the backups cannot be locked")?;
    ensure!(lock.try_lock().is_ok(), "another command keeps backups in {}", keep.folder.display());
    let Some(every) = keep.every else { return once(keep).await };
    ensure!(!every.is_zero(), "--every wants a time above 0");
    let mut ticks = tokio::time::interval(every);
    // A backup that takes longer than that is not followed by two at once.
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = once(keep).await {
            eprintln!("{}", crate::exit::line(&error));
        }
    }
}

async fn once(keep: &Keep) -> Result<()> {
    let folder = &keep.folder;
    remove_parts(folder)?;
    let name = name(Platform::production().clock.now().0);
    let (part, whole) = (folder.join(format!("{name}{PART}")), folder.join(&name));
    let made = async {
        take(&part, &keep.access).await?;
        block_in_place(|| verify(&part))
    };
    if let Err(error) = made.await {
        // The incomplete one is worth nothing; if this fails, the next command removes it.
        let _ = fs::remove_dir_all(&part);
        return Err(error);
    }
    fs::rename(&part, &whole).with_context(|| format!("cannot name {}", whole.display()))?;
    File::open(folder)?.sync_all()?;
    println!("{}: verified", whole.display());
    remove_surplus(folder, keep.retention)
}

/// As `2026-11-30T20-45-17Z`: no two within a second, and none that a shell has to quote.
fn name(ms: u64) -> String {
    moment(ms).replace(' ', "T").replace(':', "-") + "Z"
}

/// Backups that an earlier command did not finish. The lock keeps those of a running one.
fn remove_parts(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == &PART[1..]) && path.is_dir() {
            fs::remove_dir_all(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

fn remove_surplus(folder: &Path, retention: Retention) -> Result<()> {
    let mut taken = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if let Ok(manifest) = Manifest::read(&path) {
            taken.push((manifest.taken_ms, path));
        }
    }
    let stay = staying(taken.iter().map(|(ms, _)| *ms).collect(), retention);
    let mut failed = None;
    for (_, path) in taken.iter().filter(|(ms, _)| !stay.contains(ms)) {
        match fs::remove_dir_all(path) {
            Ok(()) => println!("{}: removed", path.display()),
            Err(error) => failed = Some((path, error)),
        }
    }
    match failed {
        Some((path, error)) => bail!("cannot remove {}: {error}", path.display()),
        None => Ok(()),
    }
}

/// The times of those that stay.
fn staying(mut taken: Vec<u64>, Retention { last, daily, weekly }: Retention) -> BTreeSet<u64> {
    taken.sort_unstable_by(|a, b| b.cmp(a));
    let mut stay: BTreeSet<u64> = taken.iter().copied().take(last as usize).collect();
    let day = |ms: u64| ms / DAY_MS;
    let week = |ms: u64| (ms / DAY_MS + DAYS_BEFORE) / 7;
    stay.extend(newest_of_each(&taken, daily, day));
    stay.extend(newest_of_each(&taken, weekly, week));
    stay
}

/// Of the newest `count` periods that have one. `taken` begins with the newest.
fn newest_of_each(taken: &[u64], count: u32, period: impl Fn(u64) -> u64) -> Vec<u64> {
    let mut seen = BTreeSet::new();
    taken.iter().copied().filter(|ms| seen.insert(period(*ms))).take(count as usize).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = DAY_MS / 24;

    fn kept(taken: &[u64], last: u32, daily: u32, weekly: u32) -> Vec<u64> {
        staying(taken.to_vec(), Retention { last, daily, weekly }).into_iter().collect()
    }

    #[test]
    fn the_newest_stay_and_one_of_each_day_and_week() {
        let days: Vec<u64> = (0..30).map(|day| day * DAY_MS + HOUR).collect();
        assert_eq!(kept(&days, 2, 0, 0), days[28..]);
        let twice: Vec<u64> = (0..10).flat_map(|day| [day * DAY_MS, day * DAY_MS + HOUR]).collect();
        assert_eq!(kept(&twice, 1, 3, 0), [7 * DAY_MS + HOUR, 8 * DAY_MS + HOUR, 9 * DAY_MS + HOUR]);
        // Day 4 is the first Monday: a week ends on the days 3, 10, 17 and 24.
        assert_eq!(kept(&days, 1, 0, 3), [17, 24, 29].map(|day| day * DAY_MS + HOUR));
        assert_eq!(kept(&[5, 9], 7, 7, 7), [5, 9]);
        assert_eq!(kept(&[], 7, 0, 0), [0; 0]);
    }

    #[test]
    fn a_name_is_a_time_and_sorts_as_one() {
        assert_eq!(name(1_700_000_000_123), "2023-11-14T22-13-20Z");
        assert!(name(0) < name(1_700_000_000_123));
    }

    #[test]
    fn only_backups_are_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        for other in ["notes", "2020-01-01T00-00-00Z", "x.part"] {
            fs::create_dir(folder.path().join(other)).expect("made");
        }
        remove_parts(folder.path()).expect("removed");
        remove_surplus(folder.path(), Retention { last: 1, daily: 0, weekly: 0 }).expect("nothing to do");
        let mut left: Vec<_> =
            fs::read_dir(folder.path()).expect("there").flatten().map(|entry| entry.file_name()).collect();
        left.sort();
        assert_eq!(left, ["2020-01-01T00-00-00Z", "notes"]);
    }
}

//! `troupe backup keep`: backups that are verified, and of which the old ones go.
//!
//! [`folder`] keeps them in a folder of this machine, [`bucket`] in a bucket. In both a backup
//! counts when it has a readable manifest, and old ones are removed behind a new one, so a failure
//! never leaves fewer good backups than before.

mod bucket;
mod folder;

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use clap::Args;
use serde_json::json;
use troupe_runtime::Platform;

use super::list;
use super::manifest::Manifest;
use super::place::{Objects, Place};
use crate::accounts::{duration, moment};
use crate::arguments::{Access, Output};

#[derive(Args)]
pub struct Keep {
    /// The folder of all backups, or s3://BUCKET/FOLDER; each has a folder of its own in it
    pub folder: Place,
    #[command(flatten)]
    pub retention: Retention,
    /// Go on, with a backup in each such time: 6h, 1d; without it one is taken
    #[arg(long, value_parser = duration)]
    pub every: Option<Duration>,
    #[command(flatten)]
    pub access: Access,
    #[command(flatten)]
    pub objects: Objects,
    /// As JSON, one line for each backup that was taken
    #[arg(short, long, value_enum, default_value = "table")]
    pub output: Output,
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

const DAY_MS: u64 = 24 * 3600 * 1000;
/// The first of January 1970 was a Thursday.
const DAYS_BEFORE: u64 = 3;

enum Target {
    Folder(folder::Folder),
    Bucket(Box<super::bucket::Backups>),
}

/// The result of one round.
struct Round {
    shown: String,
    manifest: Manifest,
    removed: Vec<String>,
}

pub async fn run(keep: &Keep) -> Result<()> {
    let target = match &keep.folder {
        Place::Folder(folder) => Target::Folder(folder::Folder::open(folder)?),
        Place::Bucket { bucket, path } => {
            Target::Bucket(Box::new(super::bucket::Backups::of_folder(&keep.objects, bucket, path)?))
        }
    };
    let Some(every) = keep.every else { return once(keep, &target).await };
    ensure!(!every.is_zero(), "--every wants a time above 0");
    let mut ticks = tokio::time::interval(every);
    // A backup that takes longer than that is not followed by two at once.
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = once(keep, &target).await {
            eprintln!("{}", crate::exit::line(&error));
        }
    }
}

async fn once(keep: &Keep, target: &Target) -> Result<()> {
    let now = Platform::production().clock.now().0;
    let Round { shown, manifest, removed } = match target {
        Target::Folder(folder) => folder::once(keep, folder, now).await?,
        Target::Bucket(backups) => bucket::once(keep, backups, now).await?,
    };
    keep.output.print_line(
        || json!({ "backup": list::described(&shown, &manifest), "removed": removed }),
        || removed.iter().map(|path| format!("{path}: removed\n")).collect(),
    );
    Ok(())
}

/// As `2026-11-30T20-45-17Z`: no two within a second, and none that a shell has to quote.
fn name(ms: u64) -> String {
    moment(ms).replace(' ', "T").replace(':', "-") + "Z"
}

/// Whether this is a name that [`name`] gives.
fn is_name(text: &str) -> bool {
    const SHAPE: &str = "0000-00-00T00-00-00Z";
    let fits = |(shape, given): (u8, u8)| if shape == b'0' { given.is_ascii_digit() } else { given == shape };
    text.len() == SHAPE.len() && SHAPE.bytes().zip(text.bytes()).all(fits)
}

/// All that do not stay, each removed by `remove`. One that cannot be removed keeps no other.
async fn remove_surplus<T>(
    taken: Vec<(u64, T)>,
    retention: Retention,
    mut remove: impl AsyncFnMut(&T) -> Result<String>,
) -> Result<Vec<String>> {
    let stay = staying(taken.iter().map(|(ms, _)| *ms).collect(), retention);
    let (mut removed, mut failed) = (Vec::new(), None);
    for (_, one) in taken.iter().filter(|(ms, _)| !stay.contains(ms)) {
        match remove(one).await {
            Ok(shown) => removed.push(shown),
            Err(error) => failed = Some(error),
        }
    }
    match failed {
        Some(error) => bail!("the new backup is complete, but an old one stays: {error:#}"),
        None => Ok(removed),
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
        assert!(is_name(&name(0)));
        for other in ["", "monday", "2023-11-14T22-13-20Z/", "2023-11-14T22:13:20Z", "2023-11-14T22-13-20"] {
            assert!(!is_name(other), "{other}");
        }
    }

    #[tokio::test]
    async fn one_that_cannot_be_removed_keeps_no_other() {
        let one = Retention { last: 1, daily: 0, weekly: 0 };
        let mut asked = Vec::new();
        let failed = remove_surplus(vec![(3, "c"), (2, "b"), (1, "a")], one, async |name: &&str| {
            asked.push(*name);
            if *name == "b" { bail!("b is held") } else { Ok((*name).to_owned()) }
        });
        let failed = failed.await.expect_err("one stays");
        assert_eq!(failed.to_string(), "the new backup is complete, but an old one stays: b is held");
        assert_eq!(asked, ["b", "a"]);
    }
}

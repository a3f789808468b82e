//! Mutation testing: every planted bug is detected, because a harness that finds nothing proves
//! nothing. Bugs of RocksDB need real processes (`chaos/src/mutants.rs`).
//!
//! The table holds seeds that are known to detect a bug. A bug that neither its known seed nor the
//! following seeds detect is a hole in the harness, and fails the run.

use std::ops::Range;

use anyhow::Result;
use troupe_chaos::mutants::Row;
use troupe_core::plant::Plant;

use crate::report::Report;
use crate::runner::{self, Run};

/// For each bug a seed that detects it, found by `--blind`. Runs change with the code; an outdated
/// entry only costs time.
const KNOWN: [(Plant, u64); 42] = [
    (Plant::AckBeforeCommit, 0),
    (Plant::AckBeforeFsync, 2),
    (Plant::ForgetDedupOnRestart, 0),
    (Plant::DedupWithoutSender, 1),
    (Plant::IgnoreFanOutGap, 1),
    (Plant::IgnoreAfter, 1),
    (Plant::ReapplyOnReplay, 0),
    (Plant::DedupWindow, 1),
    (Plant::TimeGoesBack, 0),
    (Plant::CursorGoesBack, 1),
    (Plant::RemovedMaySend, 1),
    (Plant::RemovedStaysMember, 1),
    (Plant::AddedSeesAll, 1),
    (Plant::VoteNotWritten, 0),
    (Plant::TruncateSkipped, 1),
    (Plant::AppliedBeforeRows, 0),
    (Plant::SnapshotWithoutDedup, 2),
    (Plant::SnapshotHalfInstalled, 2),
    (Plant::StaleRead, 0),
    (Plant::RecentWithoutSender, 1),
    (Plant::LostPushUnnoticed, 0),
    (Plant::RemovedStillFannedOut, 1),
    (Plant::HubStaysWithOldLeader, 1),
    (Plant::SubscribeWithoutHead, 1),
    (Plant::PageSkipsOne, 1),
    (Plant::WrongShard, 5),
    (Plant::OutboxSettledUnheard, 5),
    (Plant::SdkFreshIds, 1),
    (Plant::SdkTrustsPushes, 0),
    (Plant::SdkCursorEarly, 2),
    (Plant::SdkGivesUp, 2),
    (Plant::SdkWithoutAfter, 1),
    (Plant::PutBackUnnoticed, 6),
    (Plant::MoveWithoutVote, 6),
    (Plant::GoneReplicaKept, 6),
    (Plant::UnreadCountsOwn, 16),
    (Plant::OwnClockTrusted, 24),
    (Plant::InvitationEntersUnasked, 12),
    (Plant::InvitationLost, 12),
    (Plant::EndedSessionResumes, 12),
    (Plant::ActNotRecorded, 16),
    (Plant::InviteUsedTwice, 12),
];

pub struct Detection {
    /// Seeds after the known one, from zero on.
    pub tries: u64,
    pub jobs: usize,
    pub only: Option<Plant>,
    /// Ignores the known seeds, to count how many a detection takes.
    pub blind: bool,
}

/// Plants each bug, and runs seeds until one detects it.
pub fn detect(detection: &Detection, mut each: impl FnMut(&Row)) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (plant, seed) in KNOWN.into_iter().filter(|(plant, _)| detection.only.is_none_or(|only| only == *plant)) {
        let first = (!detection.blind).then_some(seed..seed + 1);
        let row = caught(plant, first.into_iter().chain(std::iter::once(0..detection.tries)), detection.jobs)?;
        each(&row);
        rows.push(row);
    }
    Ok(rows)
}

fn caught(plant: Plant, ranges: impl IntoIterator<Item = Range<u64>>, jobs: usize) -> Result<Row> {
    let mut row = Row::of(plant);
    let (mut tried, begin) = (0, runner::started());
    for seeds in ranges.into_iter().filter(|seeds| !seeds.is_empty()) {
        let run = Run { seeds, jobs, plant: Some(plant), until_caught: true, progress: false };
        let mut first: Option<Report> = None;
        let summary = runner::run(&run, |report| {
            // A process without a report has shown nothing.
            let shown = !report.violations.is_empty() && !report.trace.is_empty();
            if shown && first.is_none() {
                first = Some(report.clone());
            }
        })?;
        tried += summary.seeds;
        if let Some(report) = first {
            row.caught_by = Some("simulation");
            row.seeds = Some(tried);
            row.seed = Some(report.seed);
            row.shown_as = report.violations.first().cloned();
            break;
        }
    }
    row.took(begin());
    Ok(row)
}

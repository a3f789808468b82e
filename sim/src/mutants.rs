//! Mutation testing: every planted bug is detected, because a harness that finds nothing proves
//! nothing. Bugs of RocksDB need real processes (`chaos/src/mutants.rs`).
//!
//! The table holds seeds that are known to detect a bug. A bug that neither its known seed nor the
//! following seeds detect is a hole in the harness, and fails the run.

use std::ops::Range;

use anyhow::Result;
use troupe_chaos::mutants::Row;
use troupe_core::planted::Bug;

use crate::report::Report;
use crate::runner::{self, Run};

/// For each bug a seed that detects it, found by `--blind`. Runs change with the code; an outdated
/// entry only costs time.
const KNOWN: [(Bug, u64); 84] = [
    (Bug::AckBeforeCommit, 0),
    (Bug::AckBeforeFsync, 3),
    (Bug::ForgetDedupOnRestart, 0),
    (Bug::DedupWithoutSender, 1),
    (Bug::IgnoreFanOutGap, 1),
    (Bug::IgnoreAfter, 1),
    (Bug::ReapplyOnReplay, 0),
    (Bug::DedupWindow, 0),
    (Bug::TimeGoesBack, 0),
    (Bug::CursorGoesBack, 2),
    (Bug::RemovedMaySend, 1),
    (Bug::RemovedStaysMember, 1),
    (Bug::AddedSeesAll, 1),
    (Bug::VoteNotWritten, 0),
    (Bug::TruncateSkipped, 1),
    (Bug::AppliedBeforeRows, 0),
    (Bug::SnapshotWithoutDedup, 2),
    (Bug::SnapshotHalfInstalled, 2),
    (Bug::StaleRead, 1),
    (Bug::RecentWithoutSender, 1),
    (Bug::LostPushUnnoticed, 0),
    (Bug::RemovedStillFannedOut, 1),
    (Bug::HubStaysWithOldLeader, 1),
    (Bug::SubscribeWithoutHead, 1),
    (Bug::PageSkipsOne, 1),
    (Bug::WrongShard, 5),
    (Bug::OutboxSettledUnheard, 5),
    (Bug::SdkFreshIds, 1),
    (Bug::SdkTrustsPushes, 0),
    (Bug::SdkCursorEarly, 2),
    (Bug::SdkGivesUp, 0),
    (Bug::SdkWithoutAfter, 1),
    (Bug::PutBackUnnoticed, 6),
    (Bug::MoveWithoutVote, 6),
    (Bug::GoneReplicaKept, 6),
    (Bug::UnreadCountsOwn, 16),
    (Bug::OwnClockTrusted, 24),
    (Bug::InvitationEntersUnasked, 12),
    (Bug::InvitationLost, 12),
    (Bug::EndedSessionResumes, 12),
    (Bug::ActNotRecorded, 16),
    (Bug::InviteUsedTwice, 12),
    (Bug::ReactionTwice, 3),
    (Bug::ReusedKeyAnswered, 7),
    (Bug::ImportUncompared, 7),
    (Bug::MuteIgnored, 63),
    (Bug::SlowModeIgnored, 52),
    (Bug::BannedReturns, 19),
    (Bug::LinkUsedTwice, 19),
    (Bug::CancelIgnored, 9),
    (Bug::DueForgotten, 22),
    (Bug::BlockNotSent, 13),
    (Bug::ContactOneSided, 3),
    (Bug::CallTwoWinners, 3),
    (Bug::SignalUnchecked, 10),
    (Bug::SameFileCollected, 10),
    (Bug::MissingFileSent, 10),
    (Bug::RoomNotFreed, 10),
    (Bug::EditByAnother, 8),
    (Bug::RecallKeepsContent, 28),
    (Bug::HookCursorEarly, 34),
    (Bug::HookSkipsOne, 14),
    (Bug::BeforeHookSkipped, 14),
    (Bug::PresenceShown, 3),
    (Bug::WatchUnchecked, 3),
    (Bug::StaleChangeWins, 46),
    (Bug::ClearedHistoryShown, 46),
    (Bug::DeletedShown, 46),
    (Bug::FavouriteLost, 46),
    (Bug::SearchShowsHidden, 29),
    (Bug::SearchForgets, 29),
    (Bug::AskLetsIn, 15),
    (Bug::PinOutlivesRecall, 130),
    (Bug::NewcomersHaveRead, 107),
    (Bug::VanishingKept, 14),
    (Bug::VoteTwice, 156),
    (Bug::ForwardFreshIds, 16),
    (Bug::PieceTwice, 20),
    (Bug::BotScopeIgnored, 14),
    (Bug::ApartMembersMeet, 23),
    (Bug::AuditorMayWrite, 18),
    (Bug::LoginNotRecorded, 18),
    (Bug::GroupListSkipsOne, 18),
    (Bug::SubscriptionKept, 25),
];

pub struct Detection {
    /// Seeds after the known one, from zero on.
    pub tries: u64,
    pub jobs: usize,
    pub only: Option<Bug>,
    /// Ignores the known seeds, to count how many a detection takes.
    pub blind: bool,
}

/// Plants each bug, and runs seeds until one detects it.
pub fn detect(detection: &Detection, mut each: impl FnMut(&Row)) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (bug, seed) in KNOWN.into_iter().filter(|(bug, _)| detection.only.is_none_or(|only| only == *bug)) {
        let first = (!detection.blind).then_some(seed..seed + 1);
        let row = caught(bug, first.into_iter().chain(std::iter::once(0..detection.tries)), detection.jobs)?;
        each(&row);
        rows.push(row);
    }
    Ok(rows)
}

fn caught(bug: Bug, ranges: impl IntoIterator<Item = Range<u64>>, jobs: usize) -> Result<Row> {
    let mut row = Row::of(bug);
    let (mut tried, begin) = (0, runner::started());
    for seeds in ranges.into_iter().filter(|seeds| !seeds.is_empty()) {
        let run = Run { seeds, jobs, bug: Some(bug), until_caught: true, progress: false };
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

//! Implements openraft's storage traits for the log.

use std::fmt::Debug;
use std::io;
use std::ops::{Bound, RangeBounds};

use futures::Stream;
use openraft::OptionalSend;
use openraft::storage::{IOFlushed, LogState, RaftLogReader, RaftLogStorage};
use troupe_core::planted::Bug;
use troupe_runtime::trace::Stage;
use troupe_store::engine::{Family, Op};
use troupe_store::key::What;

use super::{LogStore, READ_BYTES, log_key, meta_key};
use crate::codec;
use crate::log::flusher::Write;
use crate::log::hops;
use crate::types::{Entry, LogId, Types, Vote};

fn bounds(range: &impl RangeBounds<u64>) -> (u64, u64) {
    let from = match range.start_bound() {
        Bound::Included(&index) => index,
        Bound::Excluded(&index) => index + 1,
        Bound::Unbounded => 0,
    };
    let to = match range.end_bound() {
        Bound::Included(&index) => index + 1,
        Bound::Excluded(&index) => index,
        Bound::Unbounded => u64::MAX,
    };
    (from, to)
}

impl RaftLogReader<Types> for LogStore {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> io::Result<Vec<Entry>> {
        let (from, to) = bounds(&range);
        self.read(from, to, usize::MAX).await
    }

    async fn read_vote(&mut self) -> io::Result<Option<Vote>> {
        Ok(self.log.lock().vote)
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> io::Result<Vec<Entry>> {
        self.read(start, end, READ_BYTES).await
    }

    /// In steps of bounded size: a replica that catches up applies more than fits into memory.
    async fn entries_stream<RB>(&mut self, range: RB) -> impl Stream<Item = io::Result<Entry>> + OptionalSend
    where
        RB: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        let (from, to) = bounds(&range);
        let begin: (LogStore, u64) = (self.clone(), from);
        let steps = futures::stream::try_unfold(begin, move |(log, next)| async move {
            let entries = if next < to { log.read(next, to, READ_BYTES).await? } else { Vec::new() };
            let Some(last) = entries.last().map(|entry: &Entry| entry.log_id.index) else {
                return Ok::<_, io::Error>(None);
            };
            Ok(Some((futures::stream::iter(entries.into_iter().map(Ok)), (log, last + 1))))
        });
        Box::pin(futures::TryStreamExt::try_flatten(steps))
    }
}

impl RaftLogStorage<Types> for LogStore {
    type LogReader = LogStore;

    async fn get_log_state(&mut self) -> io::Result<LogState<Types>> {
        let log = self.log.lock();
        Ok(LogState { last_purged_log_id: log.purged, last_log_id: log.last })
    }

    async fn get_log_reader(&mut self) -> LogStore {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> io::Result<()> {
        let value = codec::seal(&codec::vote_out(vote));
        let ops = vec![Op::Put(Family::RaftMeta, meta_key(self.group, What::Vote), value)];
        if !self.platform.planted(Bug::VoteNotWritten) {
            self.flusher.write(ops).await?;
        }
        self.log.lock().vote = Some(*vote);
        Ok(())
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> io::Result<()> {
        self.log.lock().committed = committed;
        let key = meta_key(self.group, What::Committed);
        let op = match &committed {
            Some(id) => Op::Put(Family::RaftMeta, key, codec::seal(&codec::log_id_out(id))),
            None => Op::Delete(Family::RaftMeta, key),
        };
        self.flusher.submit(Write::lazy(vec![op])).await
    }

    async fn read_committed(&mut self) -> io::Result<Option<LogId>> {
        Ok(self.log.lock().committed)
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<Types>) -> io::Result<()>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let (mut ops, mut ids) = (Vec::new(), Vec::new());
        let append = {
            let mut log = self.log.lock();
            log.appends += 1;
            for entry in entries {
                if hops::carries(&entry) {
                    hops::entry(&self.platform, self.group, entry.log_id, Stage::Appended);
                    ids.push(entry.log_id);
                }
                let value = codec::seal(&codec::entry_out(&entry));
                ops.push(Op::Put(Family::RaftLog, log_key(self.group, entry.log_id.index), value));
                if log.push(entry) {
                    self.grown.notify_one();
                }
            }
            log.appends
        };
        let (log, platform, group) = (self.log.clone(), self.platform.clone(), self.group);
        let done = Box::new(move |outcome: io::Result<()>| {
            if outcome.is_ok() {
                ids.into_iter().for_each(|id| hops::entry(&platform, group, id, Stage::Flushed));
                let mut log = log.lock();
                log.flushed = log.flushed.max(append);
                log.evict();
            }
            callback.io_completed(outcome);
        });
        self.flusher.submit(Write { ops, durable: true, done }).await
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> io::Result<()> {
        let from = last.map_or(0, |last| last.index + 1);
        if self.platform.planted(Bug::TruncateSkipped) {
            return Ok(());
        }
        let op = {
            let mut log = self.log.lock();
            let Some(end) = log.last.map(|last| last.index + 1).filter(|end| *end > from) else { return Ok(()) };
            let mut bytes = 0;
            while let Some(held) = log.tail.pop_back_if(|held| held.entry.log_id.index >= from) {
                bytes += held.bytes;
            }
            log.tail_bytes -= bytes;
            log.measure.truncate(from, bytes as u64);
            log.last = last;
            Op::DeleteRange(Family::RaftLog, log_key(self.group, from), log_key(self.group, end))
        };
        self.flusher.submit(Write::lazy(vec![op])).await
    }

    async fn purge(&mut self, upto: LogId) -> io::Result<()> {
        let first = {
            let mut log = self.log.lock();
            let first = log.purged.map_or(0, |purged| purged.index + 1);
            log.purged = Some(upto);
            log.last = log.last.max(Some(upto));
            log.measure.purge(upto.index);
            while log.first_in_memory().is_some_and(|index| index <= upto.index) {
                log.drop_front();
            }
            first
        };
        let mut ops =
            vec![Op::Put(Family::RaftMeta, meta_key(self.group, What::Purged), codec::seal(&codec::log_id_out(&upto)))];
        if first <= upto.index {
            let (from, to) = (log_key(self.group, first), log_key(self.group, upto.index + 1));
            ops.push(Op::DeleteRange(Family::RaftLog, from, to));
        }
        self.flusher.submit(Write::lazy(ops)).await
    }
}

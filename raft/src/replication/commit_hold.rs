//! Holds back appends that carry nothing but a commit, so that the next entries carry it.
//!
//! openraft sends an append without entries to each follower as soon as an entry has committed. At
//! a few hundred entries per second that is half of all calls between nodes. No caller waits for
//! them: the leader answers and pushes, and a successor applies what its log has. So such an append
//! waits for [`COMMIT_HELD`], and an append with entries that comes meanwhile replaces it, since
//! each append carries the commit. openraft matches answers by log id, so the replaced one needs
//! none.
//!
//! A stream of one request is a probe, and its caller waits for the answer. Its end releases the
//! held append at once.

use std::pin::pin;

use futures::stream::{Stream, StreamExt, unfold};
use openraft::raft::AppendEntriesRequest;
use tokio::time::{Instant, timeout_at};

use crate::timing::COMMIT_HELD;
use crate::types::Types;

type Request = AppendEntriesRequest<Types>;

/// The requests of `input` in their order, without the appends that a later one makes needless.
pub fn hold_commits<S>(input: S) -> impl Stream<Item = Request>
where
    S: Stream<Item = Request> + Unpin,
{
    unfold(Some(input), async |input| {
        let mut input = input?;
        let mut request = input.next().await?;
        let until = Instant::now() + COMMIT_HELD;
        while request.entries.is_empty() {
            // A stream loses nothing when its next item is waited for and given up.
            match timeout_at(until, pin!(input.next())).await {
                Ok(Some(later)) => request = later,
                Ok(None) => return Some((request, None)),
                Err(_) => break,
            }
        }
        Some((request, Some(input)))
    })
}

#[cfg(test)]
mod tests {
    use futures::stream::iter;
    use openraft::entry::RaftEntry;
    use openraft::vote::RaftLeaderId;
    use tokio::sync::mpsc;

    use super::*;
    use crate::types::{Entry, LogId, Payload, Vote};

    fn received(queue: mpsc::Receiver<Request>) -> impl Stream<Item = Request> + Unpin {
        Box::pin(unfold(queue, async |mut queue| Some((queue.recv().await?, queue))))
    }

    fn log_id(index: u64) -> LogId {
        let leader = Vote::new_committed(1, 1).leader_id().to_committed();
        LogId::new(leader, index)
    }

    fn request(entries: impl IntoIterator<Item = u64>, commit: u64) -> Request {
        let entries = entries.into_iter().map(|index| Entry::new(log_id(index), Payload::Blank)).collect();
        Request { vote: Vote::new_committed(1, 1), prev_log_id: None, leader_commit: Some(log_id(commit)), entries }
    }

    fn shown(request: &Request) -> (usize, u64) {
        (request.entries.len(), request.leader_commit.as_ref().map_or(0, |id| id.index))
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_is_sent_at_once() {
        let begin = Instant::now();
        let sent: Vec<Request> = hold_commits(iter([request([], 1)])).collect().await;
        assert_eq!(sent.iter().map(shown).collect::<Vec<_>>(), [(0, 1)]);
        assert_eq!(begin.elapsed(), tokio::time::Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn entries_are_never_held_and_carry_the_commit_of_those_before() {
        let (requests, input) = mpsc::channel(8);
        let mut held = pin!(hold_commits(received(input)));
        for next in [request([1], 0), request([], 1), request([], 2), request([3], 3)] {
            requests.send(next).await.expect("room");
        }
        let begin = Instant::now();
        assert_eq!(held.next().await.as_ref().map(shown), Some((1, 0)));
        assert_eq!(held.next().await.as_ref().map(shown), Some((1, 3)));
        assert_eq!(begin.elapsed(), tokio::time::Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_commit_that_nothing_follows_is_sent_in_time_and_the_newest_of_them() {
        let (requests, input) = mpsc::channel(8);
        let mut held = pin!(hold_commits(received(input)));
        requests.send(request([], 1)).await.expect("room");
        requests.send(request([], 2)).await.expect("room");
        let begin = Instant::now();
        assert_eq!(held.next().await.as_ref().map(shown), Some((0, 2)));
        assert_eq!(begin.elapsed(), COMMIT_HELD);
        drop(requests);
        assert!(held.next().await.is_none());
    }
}

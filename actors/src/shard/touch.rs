//! Records coarsely that sessions are in use: when they are resumed, and while they are connected.
//! A session that is idle for longer than the cluster allows ends with its next request.
//!
//! Applied state shows which are due, so that a session costs one write in a sixteenth of its idle
//! time.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;
use troupe_core::command::TouchSession;
use troupe_core::machine::session::is_due;
use troupe_core::{Command, Level, ShardId, limits};
use troupe_store::engine::EngineError;
use troupe_store::rows::View;

use crate::context::{Asker, NodeContext};
use crate::message::{Outcome, Refusal, Session};
use crate::ops::resume::{self, held};
use crate::protocol::ShardMsg;

/// Live sessions are looked at no more rarely than this.
const SWEEP_AT_LEAST: Duration = Duration::from_secs(600);
/// Looks within the idle time.
const SWEEPS_PER_IDLE_TIME: u32 = 32;
/// Sessions looked at, and written, together. Between two such parts others have their turn.
const PART: usize = limits::BATCH_COMMANDS;

#[derive(Default)]
pub struct Sweep {
    began: Option<Instant>,
    /// Ends by itself; stopped with the shard's actor by its own failing proposals.
    running: Option<JoinHandle<()>>,
}

/// How long sessions may rest, judged by the leader's clock.
#[derive(Clone, Copy, Debug)]
pub struct Rest {
    pub now: u64,
    /// Zero: for any time.
    pub idle_ms: u64,
}

/// By the clock of this leader.
pub fn rest(context: &NodeContext) -> Rest {
    let idle_ms = context.router.routing().settings.session_idle.saturating_mul(1_000);
    Rest { now: context.platform.clock.now().0, idle_ms }
}

/// Answers a resume, and writes or ends the session behind the answer.
pub async fn resume(context: &NodeContext, shard: ShardId, session: Session) -> Outcome {
    let rest = rest(context);
    let asked = session.clone();
    let outcome = context.read(shard, Asker::Node, move |view| resume::resume(view, &asked, rest)).await;
    let live = match &outcome {
        Ok(_) => true,
        // One that rested for too long ends now.
        Err(Refusal::Rejected { .. }) => false,
        Err(_) => return outcome,
    };
    let context = context.clone();
    tokio::spawn(async move { touch(&context, shard, vec![session], rest, live).await });
    outcome
}

impl Sweep {
    /// Records live sessions as used, if the last sweep is long enough ago. `since`: when this
    /// leadership began.
    pub fn begin_if_due(
        &mut self,
        context: &NodeContext,
        shard: ShardId,
        since: Instant,
        live: impl FnOnce() -> Vec<Session>,
    ) {
        let rest = rest(context);
        let idle = Duration::from_millis(rest.idle_ms);
        let every = if idle.is_zero() { SWEEP_AT_LEAST } else { (idle / SWEEPS_PER_IDLE_TIME).min(SWEEP_AT_LEAST) };
        let due = self.began.unwrap_or(since).elapsed() >= every;
        let running = self.running.as_ref().is_some_and(|running| !running.is_finished());
        if !due || running {
            return;
        }
        self.began = Some(Instant::now());
        let (live, context) = (live(), context.clone());
        self.running = Some(tokio::spawn(async move {
            for part in live.chunks(PART) {
                touch(&context, shard, part.to_vec(), rest, true).await;
            }
        }));
    }
}

/// Of these, those that should be written as in use, or ended because they rested for too long.
fn to_touch(view: &View, sessions: Vec<Session>, rest: Rest) -> Result<Vec<Session>, EngineError> {
    let mut due = Vec::new();
    for session in sessions {
        if held(view, &session)?.is_some_and(|held| is_due(&held, rest.now, rest.idle_ms)) {
            due.push(session);
        }
    }
    Ok(due)
}

/// A failure leaves the sessions due for the next sweep.
async fn touch(context: &NodeContext, shard: ShardId, sessions: Vec<Session>, rest: Rest, live: bool) {
    let looked = context.look(Asker::Node, move |view| Ok(Ok(to_touch(view, sessions, rest)?)));
    let Ok(due) = looked.await else { return };
    let command = |session: Session| {
        let Session { user, device, token, .. } = session;
        Command::TouchSession(TouchSession { user, device, token, idle_ms: rest.idle_ms, live })
    };
    // Below that level the rows have no such time, and no session ends by it.
    if due.is_empty() || context.cluster.level() < Level::SECOND {
        return;
    }
    if let Ok(outcomes) = context.propose(shard, due.into_iter().map(command).collect()).await {
        for outcome in outcomes.into_iter().filter(|outcome| !outcome.effects.is_empty()) {
            context.router.tell_shard(shard, ShardMsg::ExecuteEffects { effects: outcome.effects });
        }
    }
}

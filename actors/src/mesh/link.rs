//! One connection to one peer over any carrier: hello, heartbeat, lanes, up and down.
//!
//! Each end draws a number for the link. A hello has the sender's number; an ack and every later
//! frame have the receiver's. A frame with our number proves that the peer has read our hello, and
//! a frame of an older connection is dropped. The link is up at the first proof, and ends when
//! nothing was received for [`SILENCE`].

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;
use tokio::time::Instant;
use troupe_core::NodeId;
use troupe_proto::wire::mesh::{Control, Heartbeat, Hello, HelloAck, control::What};
use troupe_runtime::Beat;

use super::frame::{CONTROL, Frame, LANES, Malformed, VERSION, size};
use super::lane::{Batch, Lane};
use super::{Envelope, Gauge, Inbox, MeshEvent};

/// Between two heartbeats.
const HEARTBEAT: Duration = Duration::from_millis(500);
/// A peer that sends nothing for this long is down.
const SILENCE: Duration = Duration::from_secs(3);
/// A connection that is not up by then is closed.
const HELLO_WITHIN: Duration = Duration::from_secs(5);

pub struct Link {
    pub me: NodeId,
    pub peer: NodeId,
    /// This end's number of the link; never zero.
    number: u64,
    lanes: [Lane; LANES as usize],
    /// Read-locked while envelopes are delivered and write-locked for Up and Down, so that they
    /// never overlap.
    state: RwLock<State>,
    /// `state.is_up`, readable without waiting for a handler.
    up: AtomicBool,
    control: Mutex<PendingControl>,
    control_changed: Notify,
    born: Instant,
    /// Milliseconds from `born` to the last sign of life.
    heard: AtomicU64,
    broken: Notify,
}

#[derive(Default)]
struct State {
    /// The peer's number of the link, after its hello.
    theirs: Option<u64>,
    /// The peer has read our hello.
    proven: bool,
    is_up: bool,
    was_up: bool,
    closed: bool,
}

/// Control messages to send. They are idempotent, so flags replace a queue.
#[derive(Default)]
struct PendingControl {
    hello: bool,
    ack: bool,
    heartbeat: bool,
}

/// Why a link ended, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ended {
    #[error("the peer was silent")]
    Silent,
    #[error("the peer sent no hello of this protocol in time")]
    NoHello,
    #[error("the peer broke the protocol")]
    Broken,
}

impl Link {
    pub fn new(me: NodeId, peer: NodeId, number: u64) -> Link {
        Link {
            me,
            peer,
            number: number.max(1),
            lanes: std::array::from_fn(|_| Lane::new()),
            state: RwLock::default(),
            up: AtomicBool::new(false),
            control: Mutex::default(),
            control_changed: Notify::new(),
            born: Instant::now(),
            heard: AtomicU64::new(0),
            broken: Notify::new(),
        }
    }

    pub fn number(&self) -> u64 {
        self.number
    }

    pub fn is_up(&self) -> bool {
        self.up.load(Ordering::Acquire)
    }

    pub fn was_up(&self) -> bool {
        self.state.read().was_up
    }

    pub fn lane(&self, key: u32) -> &Lane {
        &self.lanes[(key % LANES) as usize]
    }

    /// A byte was received: the peer is alive.
    pub fn touch(&self) {
        self.heard.store(self.born.elapsed().as_millis() as u64, Ordering::Relaxed);
    }

    /// Handles one frame. An error ends the link.
    pub fn receive(&self, frame: Frame, inbox: &Inbox) -> Result<(), Malformed> {
        let checked = self.check_and_deliver(frame, inbox);
        if checked.is_err() {
            self.broken.notify_one();
        }
        checked
    }

    fn check_and_deliver(&self, frame: Frame, inbox: &Inbox) -> Result<(), Malformed> {
        if NodeId(frame.from) != self.peer {
            return Err(Malformed("from another node"));
        }
        if let Some(Control { what: Some(What::Hello(hello)) }) = &frame.control {
            return self.receive_hello(hello, inbox);
        }
        if frame.link != self.number {
            // Of an older connection: a carrier with mailboxes may deliver it late.
            return Ok(());
        }
        self.touch();
        if !self.state.read().proven {
            self.prove(inbox);
        }
        if frame.lane == CONTROL {
            return Ok(());
        }
        let lane = self.lanes.get(frame.lane as usize).ok_or(Malformed("no such lane"))?;
        lane.grant(frame.credits);
        if frame.envelopes.is_empty() { Ok(()) } else { self.deliver(lane, frame, inbox) }
    }

    fn deliver(&self, lane: &Lane, frame: Frame, inbox: &Inbox) -> Result<(), Malformed> {
        let state = self.state.read();
        if state.closed {
            return Ok(());
        }
        if !state.is_up {
            return Err(Malformed("envelopes before hello"));
        }
        let mut bytes = 0;
        for envelope in frame.envelopes {
            let envelope = Envelope::try_from(envelope)?;
            bytes += size(&envelope);
            inbox(MeshEvent::Received { from: self.peer, envelope });
        }
        lane.spent(bytes);
        Ok(())
    }

    fn receive_hello(&self, hello: &Hello, inbox: &Inbox) -> Result<(), Malformed> {
        if hello.version != VERSION {
            return Err(Malformed("version"));
        }
        if NodeId(hello.to) != self.me {
            return Err(Malformed("hello to another node"));
        }
        if hello.link == 0 {
            return Err(Malformed("hello without a number"));
        }
        self.touch();
        {
            let mut state = self.state.write();
            if state.is_up && state.theirs != Some(hello.link) {
                return Err(Malformed("hello of another link"));
            }
            state.theirs = Some(hello.link);
            self.raise(&mut state, inbox);
        }
        self.send_control(|pending| pending.ack = true);
        Ok(())
    }

    fn prove(&self, inbox: &Inbox) {
        let mut state = self.state.write();
        state.proven = true;
        self.raise(&mut state, inbox);
    }

    fn raise(&self, state: &mut State, inbox: &Inbox) {
        if state.proven && state.theirs.is_some() && !state.is_up && !state.closed {
            state.is_up = true;
            state.was_up = true;
            self.up.store(true, Ordering::Release);
            inbox(MeshEvent::Up(self.peer));
        }
    }

    /// Ends the link: waiting envelopes are dropped, and Down follows everything received.
    pub fn close(&self, inbox: &Inbox) {
        let mut state = self.state.write();
        state.closed = true;
        self.up.store(false, Ordering::Release);
        self.lanes.iter().for_each(Lane::close);
        if std::mem::take(&mut state.is_up) {
            inbox(MeshEvent::Down(self.peer));
        }
    }

    /// Sends hello until the link is up, then heartbeats. Returns why the link has to be closed.
    pub async fn keep(&self, beat: &Beat) -> Ended {
        let (mut tick, mut first) = (beat.interval(HEARTBEAT), true);
        loop {
            tokio::select! {
                biased;
                () = self.broken.notified() => return Ended::Broken,
                () = async { if !std::mem::take(&mut first) { tick.tick().await; } } => {}
            }
            let age = self.born.elapsed();
            let heard = Duration::from_millis(self.heard.load(Ordering::Relaxed));
            if !self.is_up() && age >= HELLO_WITHIN {
                return Ended::NoHello;
            }
            if self.is_up() && age.saturating_sub(heard) >= SILENCE {
                return Ended::Silent;
            }
            if self.is_up() {
                self.send_control(|pending| pending.heartbeat = true);
            } else {
                self.send_control(|pending| pending.hello = true);
            }
        }
    }

    fn send_control(&self, set: impl FnOnce(&mut PendingControl)) {
        set(&mut self.control.lock());
        self.control_changed.notify_one();
    }

    /// The next frame of the control lane. Nothing is lost if the future is dropped.
    pub async fn next_control(&self) -> Frame {
        loop {
            if let Some(frame) = self.take_control() {
                return frame;
            }
            self.control_changed.notified().await;
        }
    }

    fn take_control(&self) -> Option<Frame> {
        let mut pending = self.control.lock();
        let what = if std::mem::take(&mut pending.hello) {
            What::Hello(Hello { version: VERSION, link: self.number, to: self.peer.0 })
        } else if std::mem::take(&mut pending.ack) {
            What::HelloAck(HelloAck {})
        } else if std::mem::take(&mut pending.heartbeat) {
            What::Heartbeat(Heartbeat {})
        } else {
            return None;
        };
        drop(pending);
        let mut frame = self.frame(CONTROL);
        frame.control = Some(Control { what: Some(what) });
        Some(frame)
    }

    /// The next frame of a lane of envelopes. Nothing is lost if the future is dropped.
    pub async fn next_of_lane(&self, lane: u32, gauge: &Gauge) -> Frame {
        let Batch { envelopes, credits } = self.lane(lane).next(gauge).await;
        let mut frame = self.frame(lane);
        frame.envelopes = envelopes.into_iter().map(Into::into).collect();
        frame.credits = credits;
        frame
    }

    fn frame(&self, lane: u32) -> Frame {
        let theirs = self.state.read().theirs;
        Frame { from: self.me.0, link: theirs.unwrap_or(0), lane, ..Frame::default() }
    }
}

#[cfg(test)]
mod tests;

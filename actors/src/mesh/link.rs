//! One connection to one peer, whatever carries it: hello, heartbeat, lanes, and when it is up.
//!
//! Each end draws a number for the link. A hello says it, an ack and every later frame repeat the
//! other end's. So a frame that carries our number proves that the peer has read our hello, and one
//! from an older connection proves nothing and is dropped. The link is up at the first such proof;
//! it ends when nothing was heard for [`SILENCE`].

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior, interval};
use troupe_core::NodeId;
use troupe_proto::wire::mesh::{Control, Heartbeat, Hello, HelloAck, control::What};

use super::frame::{CONTROL, Frame, LANES, Malformed, VERSION, size};
use super::lane::{Batch, Lane};
use super::{Envelope, Gauge, Inbox, MeshEvent};

/// How often a link says that it is alive.
const HEARTBEAT: Duration = Duration::from_millis(500);
/// A peer that was not heard for so long is down.
const SILENCE: Duration = Duration::from_secs(3);
/// A connection that is not up by then is given up.
const HELLO_WITHIN: Duration = Duration::from_secs(5);

pub struct Link {
    pub me: NodeId,
    pub peer: NodeId,
    /// What this end calls the link; never zero.
    number: u64,
    lanes: [Lane; LANES as usize],
    /// Held for reading while envelopes are handed in, for writing while Up and Down are: so they
    /// never overlap.
    state: RwLock<State>,
    /// `state.is_up`, to be asked without waiting for a handler.
    up: AtomicBool,
    control: Mutex<Said>,
    control_changed: Notify,
    born: Instant,
    /// Milliseconds from `born` to the last sign of life.
    heard: AtomicU64,
    broken: Notify,
}

#[derive(Default)]
struct State {
    /// What the peer calls the link, once it has said hello.
    theirs: Option<u64>,
    /// The peer has read our hello.
    proven: bool,
    is_up: bool,
    was_up: bool,
    closed: bool,
}

/// What the control lane has to say; saying a thing twice is saying it once, so it needs no queue.
#[derive(Default)]
struct Said {
    hello: bool,
    ack: bool,
    heartbeat: bool,
}

/// Why a link ended, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ended {
    #[error("the peer was silent")]
    Silent,
    #[error("the peer said no hello of this protocol in time")]
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

    /// A byte has come: the peer lives.
    pub fn touch(&self) {
        self.heard.store(self.born.elapsed().as_millis() as u64, Ordering::Relaxed);
    }

    /// Takes one frame in. An error ends the link.
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
            return self.hear_hello(hello, inbox);
        }
        if frame.link != self.number {
            // Of an older connection; a carrier that has mailboxes may deliver it late.
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
        lane.owe(bytes);
        Ok(())
    }

    fn hear_hello(&self, hello: &Hello, inbox: &Inbox) -> Result<(), Malformed> {
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
        self.say(|said| said.ack = true);
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

    /// Ends the link: what waits is dropped, and Down follows everything that was received.
    pub fn close(&self, inbox: &Inbox) {
        let mut state = self.state.write();
        state.closed = true;
        self.up.store(false, Ordering::Release);
        self.lanes.iter().for_each(Lane::close);
        if std::mem::take(&mut state.is_up) {
            inbox(MeshEvent::Down(self.peer));
        }
    }

    /// Says hello until the link is up, then that this end is alive. Returns why the link is to be
    /// closed.
    pub async fn keep(&self) -> Ended {
        let mut beat = interval(HEARTBEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = self.broken.notified() => return Ended::Broken,
                _ = beat.tick() => {}
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
                self.say(|said| said.heartbeat = true);
            } else {
                self.say(|said| said.hello = true);
            }
        }
    }

    fn say(&self, what: impl FnOnce(&mut Said)) {
        what(&mut self.control.lock());
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
        let mut said = self.control.lock();
        let what = if std::mem::take(&mut said.hello) {
            What::Hello(Hello { version: VERSION, link: self.number, to: self.peer.0 })
        } else if std::mem::take(&mut said.ack) {
            What::HelloAck(HelloAck {})
        } else if std::mem::take(&mut said.heartbeat) {
            What::Heartbeat(Heartbeat {})
        } else {
            return None;
        };
        drop(said);
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

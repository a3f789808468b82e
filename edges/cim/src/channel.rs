//! A TCP connection of a CIM client: one login, then pings up and messages down.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, ReadHalf};
use tokio::sync::{Notify, watch};
use tokio::time::timeout;
use troupe_actors::address::Address;
use troupe_actors::budgets::{Payer, Verdict};
use troupe_actors::connection::Connection;
use troupe_actors::ops::cost::Cost;
use troupe_actors::ops::passwordless;
use troupe_actors::places::GivesWay;
use troupe_actors::service::Clients;
use troupe_core::{UserId, limits};
use troupe_runtime::Stream;

use crate::Edge;
use crate::feed::Feed;
use crate::frame::{BadFrame, Command, Frame, decode};
use crate::inbox::{CimSink, Inbox};
use crate::logins::{Channel, Login, Positions};
use crate::writer::Writer;

/// The time for the login.
const LOGIN_WITHIN: Duration = Duration::from_secs(limits::UNAUTHENTICATED_SECONDS);
/// A client pings after ten silent seconds. After this time without a frame it is gone, as with
/// CIM.
const IDLE: Duration = Duration::from_secs(30);
/// Bytes of one read.
const READ_BYTES: usize = 512;

/// A connection without a login that another one displaces.
#[derive(Default)]
pub struct Silent(Notify);

impl Silent {
    pub async fn gives_way(&self) {
        self.0.notified().await;
    }
}

impl GivesWay for Silent {
    fn give_way(&self) {
        self.0.notify_one();
    }
}

/// Serves one connection to its end.
pub async fn serve(
    edge: Arc<Edge>,
    stream: Box<dyn Stream>,
    peer: SocketAddr,
    mut connection: Connection,
    silent: Arc<Silent>,
) {
    let (reads, writes) = tokio::io::split(stream);
    let (mut frames, writer) = (Frames::new(reads), Writer::new(writes));
    let first = tokio::select! {
        first = timeout(LOGIN_WITHIN, frames.next()) => first.ok().flatten(),
        () = silent.gives_way() => None,
        () = edge.stops() => None,
    };
    // A connection that says nothing is a probe of the port.
    if let Some(first) = first {
        let inbox = Arc::new(Inbox::new(edge.service.output().clone()));
        let channel = Arc::new(Channel::new(inbox));
        match claim(&edge, &first, Address::of(peer), &connection, &channel) {
            Some(login) => run(&edge, login, &channel, frames, &writer, &mut connection).await,
            None => edge.refused("a channel without a login by HTTP from the same address", peer),
        }
    }
    writer.shut_down().await;
}

fn claim(
    edge: &Edge,
    first: &Frame,
    address: Address,
    connection: &Connection,
    channel: &Arc<Channel>,
) -> Option<Login> {
    if first.command != Command::LoginRequest as i32
        || matches!(connection.payer().pay(Cost::Entry), Verdict::Refuse(_))
    {
        return None;
    }
    let user = UserId(first.user.try_into().ok()?);
    edge.logins.claim(user, &first.text, address, channel)
}

async fn run(
    edge: &Arc<Edge>,
    login: Login,
    channel: &Arc<Channel>,
    frames: Frames,
    writer: &Writer,
    connection: &mut Connection,
) {
    let user = login.visitor.caller.user();
    let metrics = edge.service.metrics();
    metrics.cim_channels.up();
    let positions = match open(edge, &login, channel, writer).await {
        Ok(feed) => follow(edge, &login, channel, frames, writer, connection, feed).await,
        Err(refusal) => {
            // The client connects again after a pause.
            tracing::warn!(%user, ?refusal, "a CIM client is not let in");
            Positions::new()
        }
    };
    edge.logins.left(user, channel, positions);
    metrics.cim_channels.down();
}

async fn open(
    edge: &Arc<Edge>,
    login: &Login,
    channel: &Channel,
    writer: &Writer,
) -> Result<Feed, troupe_actors::message::Refusal> {
    let feed = Feed::begin(edge.clone(), login, channel.inbox.clone(), writer.clone()).await?;
    passwordless::open(&edge.service, &login.visitor).await?;
    Ok(feed)
}

async fn follow(
    edge: &Arc<Edge>,
    login: &Login,
    channel: &Arc<Channel>,
    frames: Frames,
    writer: &Writer,
    connection: &mut Connection,
    mut feed: Feed,
) -> Positions {
    let caller = &login.visitor.caller;
    // A loss from before is none of this channel.
    let mut fanout_lost = edge.service.fanout_lost();
    fanout_lost.mark_unchanged();
    connection.logged_in(caller);
    connection.attach(caller, Arc::new(CimSink(channel.inbox.clone())));
    tokio::select! {
        _ = feed.run() => {}
        () = listen(frames, caller.user(), &login.payer, writer) => {}
        () = channel.inbox.ended() => {}
        () = leaves(edge.service.clients()) => {}
        // The sinks are gone, or the node is.
        _ = fanout_lost.changed() => {}
        () = edge.stops() => {}
    }
    channel.inbox.end();
    feed.finish()
}

/// Answers pings until the client is gone.
async fn listen(mut frames: Frames, user: UserId, payer: &Payer, writer: &Writer) {
    while let Ok(Some(frame)) = timeout(IDLE, frames.next()).await {
        if let Verdict::Pace(pause) = payer.pay(Cost::Heartbeat) {
            tokio::time::sleep(pause).await;
        }
        // A channel keeps its user.
        let another = frame.command == Command::LoginRequest as i32 && u64::try_from(frame.user) != Ok(user.0);
        let ping = frame.command == Command::Ping as i32;
        if another || (ping && writer.write(&Frame::pong()).await.is_err()) {
            return;
        }
        // As CIM, other frames are ignored: clients send messages by HTTP.
    }
}

/// The node is about to stop: the client finds another one.
pub async fn leaves(mut clients: watch::Receiver<Clients>) {
    let draining = clients.wait_for(|clients| matches!(clients, Clients::Draining { .. })).await;
    // A node that has stopped says nothing more.
    drop(draining);
}

/// Frames as they come from a client.
struct Frames {
    reads: ReadHalf<Box<dyn Stream>>,
    buffer: BytesMut,
}

impl Frames {
    fn new(reads: ReadHalf<Box<dyn Stream>>) -> Frames {
        Frames { reads, buffer: BytesMut::new() }
    }

    /// `None`: the client is gone, or sends what is no frame.
    async fn next(&mut self) -> Option<Frame> {
        loop {
            match decode(&mut self.buffer) {
                Ok(Some(frame)) => return Some(frame),
                Ok(None) => {}
                Err(BadFrame) => return None,
            }
            if self.buffer.is_empty() {
                // Frees the memory of the last frame.
                self.buffer = BytesMut::new();
            }
            self.buffer.reserve(READ_BYTES);
            if !matches!(self.reads.read_buf(&mut self.buffer).await, Ok(read) if read > 0) {
                return None;
            }
        }
    }
}

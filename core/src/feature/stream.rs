//! Streams: a message that grows word by word, such as the answer of a bot.
//!
//! A message opens a stream. Each piece is a command of the conversation's log, so an acknowledged
//! one is on a majority, and many pieces share one entry and one fsync. It is a row and no event:
//! the log of the conversation would otherwise have hundreds of places for one message, and each
//! member's cursor would move with every word. Its index makes a repeat harmless. The end is an
//! event with the whole body, which the message has from then on like that of an edit; it deletes
//! the pieces.
//!
//! Any node takes the next piece, and the state of the message says which one that is, so a sender
//! goes on at another node. A stream that is left alone ends by a due row.

use super::edit::{Edits, NOT_YOUR_MESSAGE};
use super::{Append, Intent};
use crate::command::WritePiece;
use crate::effect::Effect;
use crate::error::{Refused, Rejection};
use crate::event::{Body, Event, EventKind};
use crate::form::record;
use crate::id::{ClientMessageId, ConversationId, Seq, Timestamp, UserId};
use crate::limits;
use crate::machine::{Outcome, Step, id_beside, somebody};
use crate::planted::Bug;
use crate::record::{Conversation, Work, table};
use crate::reply::Reply;
use crate::signal::{self, Signal};
use crate::state::Rows;
use crate::text::clean;

const STREAM_OVER: Refused =
    Refused { code: "stream_over", text: "this message does not grow, or not any more: edit it, or send another one" };
const PIECE_GAP: Refused = Refused {
    code: "piece_gap",
    text: "the pieces before this one are missing: read the state of the message, and go on behind its pieces",
};
const STREAM_FULL: Refused = Refused {
    code: "stream_full",
    text: "this message has 65536 bytes or 4096 pieces: end the stream, and send the rest as another message",
};
const TOO_MANY_STREAMS: Refused =
    Refused { code: "too_many_streams", text: "you have 4 open streams in this conversation: end one before the next" };
const BAD_STREAM: Refused = Refused {
    code: "bad_stream",
    text: "a stream is a text that begins at once: send a scheduled message, and a body of another kind, as a whole",
};
pub(super) const REFUSALS: &[Refused] = &[STREAM_OVER, PIECE_GAP, STREAM_FULL, TOO_MANY_STREAMS, BAD_STREAM];

record! {
    "open_stream";
    /// A message that grows. Its end deletes the row.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct OpenStream {
        pub sender: UserId = 1,
        /// The index of the next piece.
        pub pieces: u64 = 2,
        /// Of the message and of all pieces.
        pub bytes: u64 = 3,
        pub started: Timestamp = 4,
        /// By the last piece.
        pub touched: Timestamp = 5,
        /// The time of its due row.
        pub due: Timestamp = 6,
    }
}

record! {
    "stream_piece";
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct StreamPiece {
        pub text: String = 1,
    }
}

record! {
    "open_streams";
    /// The number of open streams of a user in a conversation. Zero has no row.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct OpenStreams {
        pub open: u32 = 1,
    }
}

table!(OpenStream, Conversations, Some(0xd8), (ConversationId, Seq));
table!(StreamPiece, Conversations, Some(0xd9), (ConversationId, Seq, u64));
table!(OpenStreams, Conversations, Some(0xda), (ConversationId, UserId));

impl OpenStream {
    /// When it ends by itself.
    fn until(&self) -> Timestamp {
        let idle = self.touched.0.saturating_add(limits::STREAM_IDLE_MS);
        Timestamp(idle.min(self.started.0.saturating_add(limits::STREAM_MS)))
    }
}

pub(super) fn check_end(text: &str) -> Result<(), Rejection> {
    if text.len() > limits::MESSAGE_BYTES { Err(Rejection::TooLarge) } else { Ok(()) }
}

/// A scheduled message begins no stream: its sender may be gone at its time.
pub(super) fn check_scheduled(body: &Body) -> Result<(), Rejection> {
    if body.is_stream() { Err(BAD_STREAM.into()) } else { Ok(()) }
}

pub(crate) fn check_piece(c: &WritePiece) -> Result<(), Rejection> {
    somebody(c.sender)?;
    match c.text.len() {
        0 => Err(Rejection::BadRequest("a piece is not empty")),
        1..=limits::PIECE_BYTES => Ok(()),
        _ => Err(Rejection::BadRequest("a piece has at most 3072 bytes: send it as several")),
    }
}

pub(super) fn words(to: Seq, body: &Body, aborted: bool) -> String {
    let end = if aborted { "broke off" } else { "finished" };
    format!("{end} {to}: {}", clean(body.as_text().unwrap_or_default()))
}

impl Step<'_> {
    /// Whether this message may begin to grow.
    pub(super) fn check_stream(&self, append: &Append, body: &Body) -> Result<(), Rejection> {
        if body.kind != Body::TEXT {
            return Err(BAD_STREAM.into());
        }
        let open = self.state.get::<OpenStreams>(&(append.conversation, append.actor)).unwrap_or_default();
        if open.open >= limits::STREAMS_OPEN && !self.imports() { Err(TOO_MANY_STREAMS.into()) } else { Ok(()) }
    }

    pub(super) fn open_stream(&mut self, conversation: ConversationId, event: &Event, body: &Body) {
        if !body.is_stream() {
            return;
        }
        let rest = if self.imports() { limits::STREAM_IMPORTED_MS } else { 0 };
        let started = Timestamp(event.time.max(self.now()).0.saturating_add(rest));
        let (sender, bytes) = (event.sender, body.content.len() as u64);
        let row = OpenStream { sender, pieces: 0, bytes, started, touched: started, due: Timestamp(0) };
        self.count_streams(conversation, sender, 1);
        self.keep_stream(conversation, event.seq, row);
    }

    fn keep_stream(&mut self, conversation: ConversationId, message: Seq, row: OpenStream) {
        let due = row.until();
        self.state.put(&(conversation, message), &OpenStream { due, ..row });
        self.plan(due, Work::Stream { conversation, message });
    }

    fn count_streams(&mut self, conversation: ConversationId, user: UserId, change: i32) {
        let key = (conversation, user);
        let held = self.state.get::<OpenStreams>(&key).unwrap_or_default();
        match held.open.saturating_add_signed(change) {
            0 => self.state.delete::<OpenStreams>(&key),
            open => self.state.put(&key, &OpenStreams { open }),
        }
    }

    /// The open stream of this user.
    fn stream_of(&self, conversation: ConversationId, user: UserId, to: Seq) -> Result<(Event, OpenStream), Rejection> {
        let event = self.message_for(conversation, user, to)?;
        if event.sender != user {
            return Err(NOT_YOUR_MESSAGE.into());
        }
        let held = self.state.get::<OpenStream>(&(conversation, to)).ok_or(STREAM_OVER)?;
        Ok((event, held))
    }

    /// The rules of a message hold for each piece.
    pub(crate) fn write_piece(&mut self, c: &WritePiece) -> Outcome {
        check_piece(c)?;
        let (conversation, to) = (c.conversation, c.message);
        let intent = Intent::EndStream { to, text: String::new(), aborted: false };
        let client_message_id = ClientMessageId::default();
        let append = Append { conversation, actor: c.sender, client_message_id, after: None, intent };
        let (row, role) = self.admit(&append)?;
        let (_, held) = self.stream_of(conversation, c.sender, to)?;
        let is_new = c.index >= held.pieces || self.planted(Bug::PieceTwice);
        if !is_new {
            return Ok(Reply::Done);
        }
        self.is_taken(conversation, c.sender)?;
        self.may_speak(&append, role, &row)?;
        self.was_asked_about_piece(&row)?;
        if c.index > held.pieces {
            return Err(PIECE_GAP.into());
        }
        let bytes = held.bytes + c.text.len() as u64;
        if bytes > limits::MESSAGE_BYTES as u64 || held.pieces >= limits::STREAM_PIECES {
            return Err(STREAM_FULL.into());
        }
        self.state.put(&(conversation, to, held.pieces), &StreamPiece { text: c.text.clone() });
        let touched = self.now();
        self.state.put(&(conversation, to), &OpenStream { pieces: held.pieces + 1, bytes, touched, ..held });
        self.show_piece(c, &row);
        Ok(Reply::Done)
    }

    /// To devices that are connected now, as a signal: a lost one is in the state of the message.
    fn show_piece(&mut self, c: &WritePiece, row: &Conversation) {
        let piece = signal::Piece { message: c.message.0, index: c.index, text: c.text.clone() };
        let payload = prost::Message::encode_to_vec(&piece).into();
        let (conversation, kind) = (c.conversation, signal::PIECE);
        let signal = Signal { conversation, from: c.sender, device: 0, to: 0, kind, payload, at: row.head };
        if conversation != ConversationId::Everyone && signal.passes(Some(row)).is_ok() {
            self.effect(Effect::Grown { signal });
        }
    }

    pub(super) fn decide_end_stream(
        &self,
        append: &Append,
        row: &Conversation,
        to: Seq,
        text: &str,
        aborted: bool,
    ) -> Result<EventKind, Rejection> {
        let (event, held) = self.stream_of(append.conversation, append.actor, to)?;
        Ok(self.ended(append.conversation, row, &event, &held, (text, aborted)))
    }

    fn ended(
        &self,
        conversation: ConversationId,
        row: &Conversation,
        event: &Event,
        held: &OpenStream,
        (text, aborted): (&str, bool),
    ) -> EventKind {
        let body = match text {
            "" => Body::text(&self.streamed(conversation, event, held)),
            text => Body::text(text),
        };
        EventKind::StreamEnded { to: event.seq, body: self.expiring_with(event, row, body), aborted }
    }

    /// The message and its pieces.
    fn streamed(&self, conversation: ConversationId, event: &Event, held: &OpenStream) -> String {
        let EventKind::Message(body) = &event.kind else { return String::new() };
        let mut text = body.as_text().unwrap_or_default().to_owned();
        let pieces = self.state.page::<StreamPiece>(&(conversation, event.seq), None, held.pieces as usize);
        pieces.iter().for_each(|(_, piece)| text.push_str(&piece.text));
        text
    }

    pub(super) fn project_stream_ended(&mut self, conversation: ConversationId, event: &Event, to: Seq) {
        self.close_stream(conversation, to);
        let key = (conversation, to);
        let mut edits = self.state.get::<Edits>(&key).unwrap_or_default();
        edits.seqs.push(event.seq.0);
        self.state.put(&key, &edits);
    }

    /// Deletes what an open stream has, if the message is one.
    pub(super) fn close_stream(&mut self, conversation: ConversationId, message: Seq) {
        let Some(held) = self.state.get::<OpenStream>(&(conversation, message)) else { return };
        (0..held.pieces).for_each(|index| self.state.delete::<StreamPiece>(&(conversation, message, index)));
        self.state.delete::<OpenStream>(&(conversation, message));
        self.count_streams(conversation, held.sender, -1);
        self.unplan(held.due, Work::Stream { conversation, message });
    }

    /// Whether an imported event may end this stream with this body.
    pub(crate) fn may_end_stream(&self, conversation: ConversationId, ended: &Event, (to, body): (Seq, &Body)) -> bool {
        let held = self.state.get::<OpenStream>(&(conversation, to));
        let is_text = body.as_text().is_some() && body.content.len() <= limits::MESSAGE_BYTES;
        is_text && held.is_some_and(|held| held.sender == ended.sender)
    }

    /// The due time of a stream: it may have grown since.
    pub(crate) fn end_stream_by_time(&mut self, conversation: ConversationId, message: Seq) {
        let Some(held) = self.state.get::<OpenStream>(&(conversation, message)) else { return };
        let event = self.state.get::<Event>(&(conversation, message));
        let (Some(event), Some(mut row)) = (event, self.state.get::<Conversation>(&conversation)) else { return };
        if held.until() > self.time_in(&row) {
            return self.keep_stream(conversation, message, held);
        }
        let id = id_beside(id_beside(event.client_message_id));
        let ended = self.ended(conversation, &row, &event, &held, ("", true));
        if row.disbanded || self.place(conversation, &mut row, held.sender, id, ended).is_err() {
            self.close_stream(conversation, message);
        }
    }
}

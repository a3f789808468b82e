//! Cursors, changes of messages, and the batch of an entry.

use troupe_core::content::{Bundle, Bundled};
use troupe_core::feature::{
    Count, Edits, JoinRequest, OpenStream, OpenStreams, OwnReactions, Pin, Pins, Reactions, StreamPiece, Tally, Vote,
};
use troupe_core::record::Cursor;
use troupe_core::{Body, Intent, Level, Seq};
use troupe_proto::StampedBatch;

use super::{ALICE, NOW, record, record_of, send};

#[test]
fn cursor() {
    record("cursor", &[("cursor", Cursor { delivered: Seq(300), read: Seq(299) }), ("start", Cursor::default())]);
}

#[test]
fn reactions() {
    let count = |emoji: &str, users| Count { emoji: emoji.into(), users };
    record("reactions", &[("reactions", Reactions { counts: vec![count("👍", 300), count("❤\u{fe0f}", 1)] })]);
    let (started, touched, due) = (NOW, NOW, NOW);
    let open = OpenStream { sender: ALICE, pieces: 3, bytes: 300, started, touched, due };
    record("open_stream", &[("open_stream", open)]);
    record("stream_piece", &[("stream_piece", StreamPiece { text: "wörd ".into() })]);
    record("open_streams", &[("open_streams", OpenStreams { open: 2 })]);
    record("edits", &[("edits", Edits { seqs: vec![300, 302] })]);
    record("pins", &[("pins", Pins { pins: vec![Pin { seq: 299, by: 1025, time_ms: 1_700_000_000_000 }] })]);
    record("own_reactions", &[("own_reactions", OwnReactions { emoji: vec!["👍".into(), "❤\u{fe0f}".into()] })]);
}

#[test]
fn join_request() {
    record("join_request", &[("join_request", JoinRequest { text: "It is me".to_owned(), at: NOW })]);
}

#[test]
fn polls() {
    let tally = Tally { counts: vec![300, 0, 1], voters: 301, closed: false, due: 1_700_000_000_000 };
    let closed = Tally { closed: true, due: 0, ..tally.clone() };
    record("tally", &[("tally", tally), ("closed", closed)]);
    record("vote", &[("vote", Vote { options: vec![0, 2] }), ("unknown", Vote { options: vec![] })]);
}

pub fn intents() -> [(&'static str, Intent); 7] {
    let to = Seq(299);
    [
        ("edit", Intent::Edit { to, body: Body::text("hello, world") }),
        ("vote", Intent::Vote { to, options: vec![0, 2], remove: false }),
        ("unvote", Intent::Vote { to, options: vec![], remove: true }),
        ("close_poll", Intent::ClosePoll { to }),
        ("recall", Intent::Recall { to, within_ms: 120_000 }),
        ("bundle", Intent::Bundle(bundle())),
        ("end_stream", Intent::EndStream { to, text: "hello".into(), aborted: true }),
    ]
}

fn bundle() -> Body {
    let message = Bundled { seq: 299, sender: ALICE.0, time_ms: 9, kind: Body::TEXT, content: "hi".into() };
    Bundle { from: "g1029".into(), messages: vec![message] }.into()
}

#[test]
fn stamped_batch() {
    let batch = StampedBatch { now: NOW, level: Level::FIRST, commands: vec![send(), send()] };
    let second = StampedBatch { level: Level::SECOND, ..batch.clone() };
    let empty = StampedBatch { commands: Vec::new(), ..batch.clone() };
    record_of(1, "stamped_batch", &[("two", batch), ("empty", empty)]);
    record_of(2, "stamped_batch", &[("second_level", second)]);
}

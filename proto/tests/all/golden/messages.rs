//! Cursors, and changes of messages.

use troupe_core::Seq;
use troupe_core::feature::{Count, Edits, OpenStream, OpenStreams, OwnReactions, Reactions, StreamPiece};
use troupe_core::record::Cursor;

use super::{ALICE, NOW, record};

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
    record("own_reactions", &[("own_reactions", OwnReactions { emoji: vec!["👍".into(), "❤\u{fe0f}".into()] })]);
}

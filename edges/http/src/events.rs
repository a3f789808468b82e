//! Streams of events: the connection of a device over HTTP.
//!
//! ```text
//! cursor       how far a stream has told each conversation, as clients hand it back
//! positions    the same while a stream lasts
//! inbox        the bounded queue between fan-out and one stream
//! feed         the order of events: pushes, and pages for those that were missed
//! told         one event in its form: of a stream, or of the answer to a poll
//! pipe         the bounded body of a stream
//! ```
//!
//! A stream takes the pushes of fan-out through a sink, like each other connection. The feed puts
//! the log of every conversation into its order: it fetches what its client lacks before it
//! delivers later events. So a cursor gets each event of a conversation exactly once.

pub mod cursor;
pub mod feed;
pub mod inbox;
pub mod pipe;
pub mod positions;
pub mod told;

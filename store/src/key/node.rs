//! Family `node`: what this data directory is. Names in ASCII; the rows of the search index follow
//! behind `search/` ([`crate::rows::search`]).
//!
//! | key        | value                                   | lifetime                         | written by          |
//! | ---------- | --------------------------------------- | -------------------------------- | ------------------- |
//! | `format`   | u32: version of everything in here      | permanent, it only rises         | engine, at creation; raft, when a level does |
//! | `identity` | cluster id and node id                  | permanent                        | raft, when it joins |
//! | `join`     | 16 bytes: our request to be admitted    | permanent                        | raft, when empty    |
//! | `token`    | the join token, of an earlier version   | until the next start: a file now | no one              |
//! | `boot`     | which start of this directory this is   | permanent, one above the last     | raft, at each start |
//! | `before`   | marks of the starts before it, last first | the last 64         | raft, with `boot`   |
//! | `seen/` + node u64 | the last start seen of another node | permanent                    | raft, when told     |
//! | `rejoin`   | empty: data was lost, found no cluster  | permanent                        | node, when set aside |
//! | `replace`  | files of an install that was decided    | from its decision to its end     | engine              |

use troupe_core::{Level, NodeId};

/// Newest version of the whole directory that this binary reads; the number is higher when an older
/// binary could no longer read or continue what is in it.
pub const FORMAT_VERSION: u32 = 2;
/// Of a directory that was just made, and while the cluster is at its first level.
pub const FIRST_FORMAT: u32 = 1;

pub const FORMAT: &[u8] = b"format";
pub const IDENTITY: &[u8] = b"identity";
pub const JOIN: &[u8] = b"join";
pub const TOKEN: &[u8] = b"token";
pub const BOOT: &[u8] = b"boot";
pub const BEFORE: &[u8] = b"before";
pub const REJOIN: &[u8] = b"rejoin";
/// At most one: an install is short, and they take turns.
pub const REPLACE: &[u8] = b"replace";

/// Key of the last start seen of another node.
pub fn seen(node: NodeId) -> Vec<u8> {
    [b"seen/".as_slice(), &node.0.to_be_bytes()].concat()
}

/// The least format of a directory that has applied `level`, so that a binary which does not know
/// the level refuses to open it, also one that knows no levels at all.
pub fn format_at(level: Level) -> u32 {
    if level < Level::SECOND { FIRST_FORMAT } else { 2 }
}

/// The number in the row [`FORMAT`]; `None`: it is no number.
pub fn format_in(row: &[u8]) -> Option<u32> {
    row.try_into().ok().map(u32::from_be_bytes)
}

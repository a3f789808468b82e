//! The cursor of a stream: the seq up to which it has told each conversation.
//!
//! It is the `id` of an event and the `cursor` of a poll. Clients hand it back as it is:
//!
//! ```text
//! 1 byte    version
//! 1 byte    flags: whole, has the channel
//! 8 bytes   of the cluster's id
//! varints   history, user, the channel's seq, then two lists: peers of direct chats, groups
//! 4 bytes   of SHA-256 over all of it
//! ```
//!
//! Each list has its length, and for each entry the distance from the id before, and the seq. The
//! sum finds damage; it is no secret, because a page of history checks each reader.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use prost::encoding::{decode_varint, encode_varint};
use sha2::{Digest, Sha256};
use troupe_actors::message::wire;
use troupe_core::{ConversationId, Seq, UserId};

use crate::query::GREATEST;

const VERSION: u8 = 1;
const WHOLE: u8 = 1;
const CHANNEL: u8 = 2;
const CLUSTER_BYTES: usize = 8;
const SUM_BYTES: usize = 4;
/// Conversations of one cursor, the most recently active ones. Those above it are announced when a
/// stream resumes, with the seq behind which it goes on.
pub const CONVERSATIONS: usize = 256;
/// Characters of a cursor: proxies take 8 KiB for one header. A longer one is damaged.
pub const MOST: usize = (ENTRIES_BYTES + 64) * 4 / 3 + 4;
/// An id and a seq have 53 bits each, in eight bytes.
const ENTRIES_BYTES: usize = CONVERSATIONS * 16;

const _: () = assert!(MOST < 8_000);

/// Where the log of a cursor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    cluster: [u8; CLUSTER_BYTES],
    /// A restore or a recovery begins another one, whose logs may differ.
    history: u64,
    user: UserId,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub origin: Origin,
    /// A conversation without a position begins at its first event that the user may see. Without
    /// it, the position of such a conversation is unknown.
    pub whole: bool,
    pub positions: BTreeMap<ConversationId, Seq>,
}

/// Why a cursor cannot be resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error(
        "this is no cursor of this API, or it was cut: connect without it, and fetch with GET .../messages?after= what \
         you lack up to the `after` of each `conversation` event"
    )]
    Damaged,
    #[error(
        "this cursor is of another cluster, of another user or of a time before a restore: connect without it, and \
         fetch with GET .../messages?after= what you lack up to the `after` of each `conversation` event"
    )]
    Foreign,
    #[error(
        "this cursor names events that this cluster does not have: connect without it, and compare what you hold with \
         GET .../messages"
    )]
    Ahead,
}

impl Origin {
    pub fn of(welcome: &wire::Welcome, user: UserId) -> Origin {
        let mut cluster = [0; CLUSTER_BYTES];
        cluster.iter_mut().zip(&welcome.cluster_id).for_each(|(to, from)| *to = *from);
        Origin { cluster, history: welcome.history, user }
    }
}

impl Cursor {
    /// Positions in the channel, by peer and by group.
    pub fn encode(&self) -> String {
        let mut bytes = vec![VERSION, if self.whole { WHOLE } else { 0 }];
        bytes.extend_from_slice(&self.origin.cluster);
        encode_varint(self.origin.history, &mut bytes);
        encode_varint(self.origin.user.0, &mut bytes);
        if let Some(seq) = self.positions.get(&ConversationId::Everyone) {
            bytes[1] |= CHANNEL;
            encode_varint(seq.0, &mut bytes);
        }
        let (mut peers, mut groups) = (BTreeMap::new(), BTreeMap::new());
        for (conversation, seq) in &self.positions {
            match conversation {
                ConversationId::Everyone => {}
                ConversationId::Direct { .. } => {
                    let peer = conversation.peer_of(self.origin.user);
                    peers.extend(peer.map(|peer| (peer.0, *seq)));
                }
                ConversationId::Group(group) => drop(groups.insert(group.0, *seq)),
            }
        }
        for list in [peers, groups] {
            encode_varint(list.len() as u64, &mut bytes);
            let mut before = 0;
            for (id, seq) in list {
                encode_varint(id - before, &mut bytes);
                encode_varint(seq.0, &mut bytes);
                before = id;
            }
        }
        let sum = Sha256::digest(&bytes);
        bytes.extend_from_slice(&sum[..SUM_BYTES]);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    pub fn decode(text: &str) -> Result<Cursor, Unfit> {
        if text.len() > MOST {
            return Err(Unfit::Damaged);
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| Unfit::Damaged)?;
        let (content, sum) = bytes.split_last_chunk::<SUM_BYTES>().ok_or(Unfit::Damaged)?;
        if Sha256::digest(content)[..SUM_BYTES] != sum[..] {
            return Err(Unfit::Damaged);
        }
        read(content).ok_or(Unfit::Damaged)
    }
}

fn read(content: &[u8]) -> Option<Cursor> {
    let (&[version, flags], rest) = content.split_first_chunk()?;
    let (&cluster, mut rest) = rest.split_first_chunk::<CLUSTER_BYTES>()?;
    if version != VERSION || flags & !(WHOLE | CHANNEL) != 0 {
        return None;
    }
    let rest = &mut rest;
    let (history, user) = (number(rest)?, UserId(number(rest)?));
    let mut positions = BTreeMap::new();
    if flags & CHANNEL != 0 {
        positions.insert(ConversationId::Everyone, seq(rest)?);
    }
    for of_group in [false, true] {
        let mut id = 0_u64;
        for _ in 0..number(rest)? {
            let distance = number(rest).filter(|distance| *distance > 0)?;
            id = id.checked_add(distance).filter(|id| *id <= GREATEST)?;
            // An id has one form, which its text has to pass.
            let conversation: ConversationId = if of_group {
                format!("g{id}").parse().ok()?
            } else {
                ConversationId::direct(user, UserId(id))?.to_string().parse().ok()?
            };
            positions.insert(conversation, seq(rest)?);
            if positions.len() > CONVERSATIONS {
                return None;
            }
        }
    }
    let whole = flags & WHOLE != 0;
    rest.is_empty().then_some(Cursor { origin: Origin { cluster, history, user }, whole, positions })
}

fn number(rest: &mut &[u8]) -> Option<u64> {
    decode_varint(rest).ok()
}

fn seq(rest: &mut &[u8]) -> Option<Seq> {
    number(rest).filter(|seq| *seq <= GREATEST).map(Seq)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor(positions: &[(&str, u64)]) -> Cursor {
        let welcome = wire::Welcome { cluster_id: vec![7; 16].into(), history: 3, ..wire::Welcome::default() };
        let positions = positions.iter().map(|(text, seq)| (text.parse().expect("an id"), Seq(*seq))).collect();
        Cursor { origin: Origin::of(&welcome, UserId(1029)), whole: true, positions }
    }

    #[test]
    fn a_cursor_comes_back_as_it_was() {
        let some =
            cursor(&[("everyone", 1 << 40), ("d5-1029", 1), ("d1029-2050", GREATEST), ("g3149", 0), ("g7000", 9)]);
        for (whole, of) in [(true, some.clone()), (false, some), (true, cursor(&[]))] {
            let of = Cursor { whole, ..of };
            assert_eq!(Cursor::decode(&of.encode()), Ok(of));
        }
        assert!(cursor(&[("everyone", 300), ("d1029-2050", 20)]).encode().len() < 40);
    }

    #[test]
    fn the_largest_cursor_fits_into_a_header() {
        let step = GREATEST / (CONVERSATIONS as u64 + 1);
        let groups = (1..=CONVERSATIONS as u64).filter_map(|at| format!("g{}", at * step).parse().ok());
        let positions: BTreeMap<ConversationId, Seq> = groups.map(|group| (group, Seq(GREATEST))).collect();
        assert_eq!(positions.len(), CONVERSATIONS);
        let largest = Cursor { positions, ..cursor(&[]) };
        let text = largest.encode();
        assert!(text.len() <= MOST, "{}", text.len());
        assert_eq!(Cursor::decode(&text), Ok(largest));
    }

    #[test]
    fn damage_is_found_and_reads_no_further() {
        let text = cursor(&[("everyone", 300), ("d1029-2050", 20), ("g3149", 7)]).encode();
        for at in 0..text.len() {
            let mut damaged = text.clone().into_bytes();
            damaged[at] = if damaged[at] == b'A' { b'B' } else { b'A' };
            let damaged = String::from_utf8(damaged).expect("ASCII");
            assert_eq!(Cursor::decode(&damaged), Err(Unfit::Damaged), "{at}");
            assert_eq!(Cursor::decode(&text[..at]), Err(Unfit::Damaged), "{at}");
        }
        for text in ["", "!", "AAAA", &"A".repeat(MOST + 1), &"A".repeat(MOST)] {
            assert_eq!(Cursor::decode(text), Err(Unfit::Damaged));
        }
    }

    /// A sum that fits does not make the content good.
    #[test]
    fn a_forged_content_is_damaged() {
        let head = |flags: u8| {
            let mut bytes = vec![VERSION, flags];
            bytes.extend([7; CLUSTER_BYTES]);
            bytes.extend([3, 9]);
            bytes
        };
        let decoded = |mut bytes: Vec<u8>| {
            let sum = Sha256::digest(&bytes);
            bytes.extend_from_slice(&sum[..SUM_BYTES]);
            Cursor::decode(&URL_SAFE_NO_PAD.encode(bytes))
        };
        let with = |flags, tail: &[u8]| decoded([head(flags), tail.to_vec()].concat());
        assert!(with(WHOLE, &[0, 0]).is_ok());
        let most = [255, 255, 255, 255, 255, 255, 255, 255, 255, 1];
        for (flags, tail) in [
            (4, vec![0, 0]),
            (WHOLE, vec![0]),
            (WHOLE, vec![0, 0, 0]),
            (CHANNEL, vec![]),
            // A peer that is the user, a distance of zero, a length without its entries.
            (WHOLE, vec![1, 9, 1, 0]),
            (WHOLE, vec![2, 5, 1, 0, 1, 0]),
            (WHOLE, vec![200, 1, 5]),
            (WHOLE, [&most[..], &[5, 1]].concat()),
            (WHOLE, [&[0, 1][..], &most[..], &[1]].concat()),
            (CHANNEL, [&most[..], &[0, 0]].concat()),
        ] {
            assert_eq!(with(flags, &tail), Err(Unfit::Damaged), "{tail:?}");
        }
        let many = (0..=CONVERSATIONS).flat_map(|_| [1, 1]);
        let tail: Vec<u8> = [0, 129, 2].into_iter().chain(many.map(|byte| byte as u8)).collect();
        assert_eq!(with(WHOLE, &tail), Err(Unfit::Damaged));
    }
}

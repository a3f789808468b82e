//! The part of an event's envelope that describes its content, so that code without knowledge of
//! the content, or without the content itself, can count, keep and verify it.

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::{Event, EventKind};
use crate::id::Seq;

/// The rest of the envelope, since level 2: an event has it if the leader's level was that high.
/// The chain then covers the envelope; in events without a seal it covers the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seal {
    pub flags: Flags,
    pub content: ContentHash,
}

/// Unknown flags of later versions are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(pub u64);

impl Flags {
    /// Whether it counts as an unread message.
    pub const COUNTS_AS_UNREAD: Flags = Flags(1);

    pub fn contains(self, flag: Flags) -> bool {
        self.0 & flag.0 == flag.0
    }
}

/// The first half of the SHA-256 of the content's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentHash(pub [u8; 16]);

impl ContentHash {
    pub fn of(content: &[u8]) -> ContentHash {
        let hash = Sha256::digest(content);
        ContentHash(std::array::from_fn(|at| hash[at]))
    }
}

impl Event {
    /// The event with the seal of its content.
    pub fn sealed(self) -> Event {
        let content = self.kind.content();
        self.sealed_over(&content)
    }

    /// The same, where the content is encoded already.
    pub(crate) fn sealed_over(self, content: &[u8]) -> Event {
        let content = ContentHash::of(content);
        Event { seal: Some(Seal { flags: self.kind.flags(), content }), ..self }
    }

    pub fn counts_as_unread(&self) -> bool {
        let flags = self.seal.map_or_else(|| self.kind.flags(), |seal| seal.flags);
        flags.contains(Flags::COUNTS_AS_UNREAD)
    }

    /// Whether the content matches its seal. Events without a seal match.
    pub fn is_whole(&self) -> bool {
        self.seal.is_none_or(|seal| seal.content == ContentHash::of(&self.kind.content()))
    }

    /// Whether its content was erased: it is empty, and was not when it was sealed.
    pub fn is_erased(&self) -> bool {
        let is_empty = matches!(&self.kind, EventKind::Unknown { content, .. } if content.is_empty());
        is_empty && self.seal.is_some() && !self.is_whole()
    }

    /// Of the content that it has, or had before it was erased.
    pub fn content_hash(&self) -> ContentHash {
        let erased = self.seal.filter(|_| self.is_erased());
        erased.map_or_else(|| ContentHash::of(&self.kind.content()), |seal| seal.content)
    }

    /// The event without its content: its place, its envelope and the chain stay. Only a sealed
    /// event can be erased.
    pub fn erased(self) -> Option<Event> {
        self.seal?;
        if self.kind.content().is_empty() {
            return Some(self);
        }
        let kind = EventKind::Unknown { kind: self.kind.number(), content: Bytes::new() };
        Some(Event { kind, ..self })
    }
}

/// Whether these events can be the log after `at`, where the chain was `chain`: consecutive seqs,
/// time that does not go back, contents as sealed or erased. Returns the chain at their end, which
/// must equal the conversation's, or the first impossible event.
pub fn verify<'a>(at: Seq, chain: u64, events: impl IntoIterator<Item = &'a Event>) -> Result<u64, Seq> {
    let (mut at, mut chain, mut time) = (at, chain, None);
    for event in events {
        let is_erased = event.seal.is_some() && event.kind.content().is_empty();
        let follows = event.seq == at.next() && time.is_none_or(|time| event.time >= time);
        if !follows || !(event.is_whole() || is_erased) {
            return Err(event.seq);
        }
        (at, chain, time) = (event.seq, event.chain(chain), Some(event.time));
    }
    Ok(chain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Body, Role};
    use crate::id::{ClientMessageId, Timestamp, UserId};

    fn log() -> Vec<Event> {
        let kinds = [
            EventKind::Created { name: "Team".to_owned() },
            EventKind::Message(Body::text("before the level rose")),
            EventKind::Message(Body::text("a secret")),
            EventKind::Unknown { kind: 77, content: Bytes::from_static(&[1, 2, 3]) },
            EventKind::RoleChanged { user: UserId(5), role: Role::Admin },
        ];
        let event = |(seq, kind): (u64, EventKind)| {
            let id = ClientMessageId([seq as u8; 16]);
            let event = Event {
                seq: Seq(seq),
                time: Timestamp(100 + seq),
                sender: UserId(9),
                client_message_id: id,
                kind,
                seal: None,
            };
            // The level rose behind the second event.
            if seq > 2 { event.sealed() } else { event }
        };
        (1..).zip(kinds).map(event).collect()
    }

    fn chain(log: &[Event]) -> u64 {
        log.iter().fold(0, |chain, event| event.chain(chain))
    }

    #[test]
    fn a_log_of_both_forms_verifies() {
        let log = log();
        assert_eq!(verify(Seq::ZERO, 0, &log), Ok(chain(&log)));
        assert_eq!(verify(Seq(2), chain(&log[..2]), &log[2..]), Ok(chain(&log)), "from any place on");
    }

    #[test]
    fn erased_content_leaves_a_log_that_verifies() {
        let whole = log();
        for at in 2..whole.len() {
            let mut log = whole.clone();
            log[at] = log[at].clone().erased().expect("sealed events can be erased");
            assert!(!log[at].is_whole() && log[at].kind.content().is_empty());
            assert_eq!(log[at].kind.number(), whole[at].kind.number());
            assert_eq!(log[at].counts_as_unread(), whole[at].counts_as_unread());
            assert_eq!(verify(Seq::ZERO, 0, &log), Ok(chain(&whole)), "{at}");
        }
        assert!(whole[1].clone().erased().is_none(), "its chain is over its content");
    }

    #[test]
    fn whatever_else_changes_is_noticed() {
        let whole = log();
        let is_noticed = |change: &dyn Fn(&mut Vec<Event>)| {
            let mut log = whole.clone();
            change(&mut log);
            verify(Seq::ZERO, 0, &log) != Ok(chain(&whole))
        };
        assert!(is_noticed(&|log| log[2].kind = EventKind::Message(Body::text("another"))));
        assert!(is_noticed(&|log| log[2] = log[2].clone().sealed_as("another")), "also with a seal of its own");
        assert!(is_noticed(&|log| log[1].kind = EventKind::Message(Body::text("another"))), "in the old form too");
        assert!(is_noticed(&|log| log[3].sender = UserId(8)));
        assert!(is_noticed(
            &|log| log[3].kind = EventKind::Unknown { kind: 78, content: Bytes::from_static(&[1, 2, 3]) }
        ));
        assert!(is_noticed(&|log| log[3].seal.as_mut().expect("a seal").flags = Flags(1)));
        assert!(is_noticed(&|log| log[3].client_message_id = ClientMessageId([8; 16])));
        assert!(is_noticed(&|log| log[4].time = Timestamp(1_000)));
        assert!(is_noticed(&|log| log[2].seal = None));
        assert!(is_noticed(&|log| log.swap(2, 3)));
        assert!(is_noticed(&|log| drop(log.remove(3))));
    }

    impl Event {
        fn sealed_as(self, text: &str) -> Event {
            Event { kind: EventKind::Message(Body::text(text)), ..self }.sealed()
        }
    }

    /// Replicas of different builds compare chains: their bytes never change.
    #[test]
    fn the_chain_over_envelopes_never_changes() {
        let golden = [
            0xd418_5b71_07a0_5214,
            0xd7a8_9809_6f32_8959,
            0xe5a4_404c_c7d0_0be0,
            0xaa6a_da4a_cd00_68ac,
            0x66a0_10d1_9f2d_93af,
        ];
        let chains: Vec<u64> = log().into_iter().map(|event| event.sealed().chain(11)).collect();
        assert_eq!(chains, golden, "{chains:#x?}");
    }
}

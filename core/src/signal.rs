//! Signals: typing, recording, and what the devices of a call tell each other.
//!
//! A signal is never logged. It reaches each device that is connected at most once, and is lost
//! without harm. The leader of the conversation judges it by applied state, and fan-out by the
//! events that it has delivered: both at the same seq, so neither end is a former member.

use bytes::Bytes;

use crate::error::{Refused, Rejection};
use crate::feature::link_id;
use crate::id::{ConversationId, Seq, TokenHash, UserId};
use crate::limits;
use crate::record::Conversation;

/// The sender types. A receiver shows it for a few seconds.
pub const TYPING: u32 = 1;
/// The sender does neither any more.
pub const STOPPED: u32 = 2;
/// The sender records a voice message.
pub const RECORDING: u32 = 3;
/// A device of the called user rings.
pub const RINGING: u32 = 9;
/// A session description of WebRTC.
pub const DESCRIPTION: u32 = 10;
/// A candidate of WebRTC.
pub const CANDIDATE: u32 = 11;
/// A stream has grown by [`Piece`]. Only nodes send it, behind the commit of the piece.
pub const PIECE: u32 = 90;
/// From here on kinds belong to applications.
pub const OF_APPLICATIONS: u32 = 1_000;

pub const TOO_MANY_RECEIVERS: Refused = Refused {
    code: "too_many_receivers",
    text: "this conversation has too many members for signals: send a message instead",
};
/// The refusals that only signals have.
pub const REFUSALS: [Refused; 1] = [TOO_MANY_RECEIVERS];

const BAD_KIND: Rejection =
    Rejection::BadRequest("there is no such kind of signal: use 1 to 3, 9 to 11, or one of your own from 1000 on");
const TOO_LONG: Rejection = Rejection::BadRequest("a signal carries at most 4096 bytes: send a message instead");
const ADDRESSED: Rejection =
    Rejection::BadRequest("a signal in a group goes to all members: name a device in a direct conversation only");

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    pub conversation: ConversationId,
    pub from: UserId,
    /// The sending device: [`device_tag`].
    pub device: u64,
    /// Only for this device of either user. Zero: for all devices of all other members.
    pub to: u64,
    pub kind: u32,
    pub payload: Bytes,
    /// The head of the conversation when its leader passed the signal on.
    pub at: Seq,
}

/// The login of a device as others see it. It says nothing about the name of the device, and the
/// next login has another one.
pub fn device_tag(token: &TokenHash) -> u64 {
    link_id(token).max(1)
}

/// A piece of a stream, as the payload of a signal.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Piece {
    /// The seq of the message.
    #[prost(uint64, tag = "1")]
    pub message: u64,
    /// The number of pieces before it.
    #[prost(uint64, tag = "2")]
    pub index: u64,
    #[prost(string, tag = "3")]
    pub text: String,
}

impl Signal {
    /// The check that needs no state.
    pub fn check(&self) -> Result<(), Rejection> {
        if !matches!(self.kind, TYPING | STOPPED | RECORDING | RINGING | DESCRIPTION | CANDIDATE | OF_APPLICATIONS..) {
            return Err(BAD_KIND);
        }
        if self.payload.len() > limits::SIGNAL_BYTES {
            return Err(TOO_LONG);
        }
        match self.conversation {
            ConversationId::Everyone => Err(TOO_MANY_RECEIVERS.into()),
            ConversationId::Group(_) if self.to != 0 => Err(ADDRESSED),
            ConversationId::Group(_) | ConversationId::Direct { .. } => Ok(()),
        }
    }

    /// The decision of the leader about a member's signal: at which seq it passes. `row`: of the
    /// conversation, if it has begun.
    // Invariant: private. A user cannot signal another one before either has written to the other.
    pub fn passes(&self, row: Option<&Conversation>) -> Result<Seq, Rejection> {
        let row = row.filter(|row| row.head > Seq::ZERO).ok_or(Rejection::NotMember)?;
        if self.conversation.is_group() && row.members as usize > limits::SIGNAL_MEMBERS {
            return Err(TOO_MANY_RECEIVERS.into());
        }
        Ok(row.head)
    }

    /// Whether a device of a member gets it.
    pub fn is_for(&self, user: UserId, device: u64) -> bool {
        if self.to == 0 { user != self.from } else { device == self.to && device != self.device }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::GroupId;

    const ANN: UserId = UserId(1);
    const BOB: UserId = UserId(2);
    const DIRECT: ConversationId = ConversationId::Direct { low: ANN, high: BOB };
    const GROUP: ConversationId = ConversationId::Group(GroupId(7));

    fn signal(conversation: ConversationId, to: u64) -> Signal {
        Signal { conversation, from: ANN, device: 10, to, kind: TYPING, payload: Bytes::new(), at: Seq::ZERO }
    }

    fn row(head: u64, members: u32) -> Conversation {
        Conversation { head: Seq(head), members, ..Conversation::default() }
    }

    #[test]
    fn a_signal_is_small_of_a_known_kind_and_not_to_a_crowd() {
        assert_eq!(signal(DIRECT, 0).check(), Ok(()));
        for kind in [0, 4, 8, 12, 999] {
            assert_eq!(Signal { kind, ..signal(DIRECT, 0) }.check(), Err(BAD_KIND), "{kind}");
        }
        let of = |bytes: usize| Signal { kind: u32::MAX, payload: vec![0; bytes].into(), ..signal(DIRECT, 0) };
        assert_eq!(of(limits::SIGNAL_BYTES).check(), Ok(()));
        assert_eq!(of(limits::SIGNAL_BYTES + 1).check(), Err(TOO_LONG));
        assert_eq!(signal(ConversationId::Everyone, 0).check(), Err(TOO_MANY_RECEIVERS.into()));
        assert_eq!(signal(GROUP, 3).check(), Err(ADDRESSED));
    }

    #[test]
    fn a_conversation_that_has_not_begun_carries_no_signal() {
        assert_eq!(signal(DIRECT, 0).passes(None), Err(Rejection::NotMember));
        assert_eq!(signal(DIRECT, 0).passes(Some(&row(0, 0))), Err(Rejection::NotMember));
        assert_eq!(signal(DIRECT, 0).passes(Some(&row(4, 0))), Ok(Seq(4)));
        let most = limits::SIGNAL_MEMBERS as u32;
        assert_eq!(signal(GROUP, 0).passes(Some(&row(9, most))), Ok(Seq(9)));
        assert_eq!(signal(GROUP, 0).passes(Some(&row(9, most + 1))), Err(TOO_MANY_RECEIVERS.into()));
    }

    #[test]
    fn a_signal_goes_to_others_or_to_one_device() {
        let all = signal(DIRECT, 0);
        assert!(all.is_for(BOB, 20) && all.is_for(BOB, 21) && !all.is_for(ANN, 10) && !all.is_for(ANN, 11));
        let one = signal(DIRECT, 21);
        assert!(one.is_for(BOB, 21) && !one.is_for(BOB, 20));
        assert!(signal(DIRECT, 11).is_for(ANN, 11), "another device of the sender");
        assert!(!signal(DIRECT, 10).is_for(ANN, 10), "never the sending one");
    }
}

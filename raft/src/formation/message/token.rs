//! The messages for a change of the token.

use troupe_proto::wire::raft as wire;
use troupe_proto::wire::raft::formation_token::Step as WireStep;

use crate::transport::token::{Fingerprint, Token};

/// The step that a member takes when the leader of a change asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Ask,
    Keep(Token),
    Show(Fingerprint),
    /// All but this one.
    Forget(Fingerprint),
}

/// The token that a member shows, and the one that it shows next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub current: Fingerprint,
    pub next: Option<Token>,
}

pub fn step_out(step: &Step) -> wire::FormationToken {
    let step = match step {
        Step::Ask => WireStep::Ask(wire::FormationHello {}),
        Step::Keep(token) => WireStep::Keep(token.reveal()),
        Step::Show(fingerprint) => WireStep::Show(fingerprint.0.to_vec().into()),
        Step::Forget(fingerprint) => WireStep::Forget(fingerprint.0.to_vec().into()),
    };
    wire::FormationToken { step: Some(step) }
}

pub fn step_in(message: wire::FormationToken) -> Option<Step> {
    Some(match message.step? {
        WireStep::Ask(_) => Step::Ask,
        WireStep::Keep(token) => Step::Keep(Token::parse(&token).ok()?),
        WireStep::Show(fingerprint) => Step::Show(fingerprint_in(&fingerprint)?),
        WireStep::Forget(fingerprint) => Step::Forget(fingerprint_in(&fingerprint)?),
    })
}

pub fn held_out(held: &Held) -> wire::FormationHolds {
    let next = held.next.as_ref().map(Token::reveal).unwrap_or_default();
    wire::FormationHolds { current: held.current.0.to_vec().into(), next }
}

pub fn held_in(message: &wire::FormationHolds) -> Option<Held> {
    let next = match message.next.as_str() {
        "" => None,
        token => Some(Token::parse(token).ok()?),
    };
    Some(Held { current: fingerprint_in(&message.current)?, next })
}

fn fingerprint_in(bytes: &[u8]) -> Option<Fingerprint> {
    Some(Fingerprint(bytes.try_into().ok()?))
}

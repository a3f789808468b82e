//! The words for a change of the token.

use troupe_proto::wire::raft as wire;
use troupe_proto::wire::raft::formation_token::Step as WireStep;

use super::Held;
use crate::formation::rotation::Step;
use crate::token::{Fingerprint, Token};

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

//! The tokens that this node accepts: one, or two during a rotation.

use crate::api::StartError;
use crate::transport::tls::clients::ClientIdentity;
use crate::transport::tls::{Authority, NodeTls};
use crate::transport::token::{Fingerprint, OperatorKey, Token};
use troupe_core::NodeId;

/// How nodes authenticate each other.
#[derive(Clone, Debug)]
pub enum Security {
    Token(Token),
    /// No TLS. Nodes still compare their tokens' fingerprints, which protects from mistakes, not
    /// from malice.
    Insecure(Option<Token>),
}

pub struct Keys {
    tls: bool,
    /// The token that this node shows, then one that it accepts as well.
    tokens: Vec<Key>,
}

struct Key {
    authority: Authority,
    fingerprint: Fingerprint,
    operator: OperatorKey,
}

impl Key {
    fn of(token: &Token) -> Key {
        Key { authority: token.authority(), fingerprint: token.fingerprint(), operator: token.operator_key() }
    }
}

impl Keys {
    pub fn new(security: Security) -> Keys {
        let (tls, token) = match security {
            Security::Token(token) => (true, Some(token)),
            Security::Insecure(token) => (false, token),
        };
        Keys { tls, tokens: token.iter().map(Key::of).collect() }
    }

    pub fn with(&self, current: Token, also: Option<Token>) -> Keys {
        Keys { tls: self.tls, tokens: [Some(current), also].iter().flatten().map(Key::of).collect() }
    }

    pub fn has_two(&self) -> bool {
        self.tokens.len() > 1
    }

    /// The token that this node shows.
    pub fn current(&self) -> Option<Fingerprint> {
        self.tokens.first().map(|key| key.fingerprint)
    }

    /// Whether the holder of that token is accepted.
    pub fn opens(&self, shown: Option<Fingerprint>) -> bool {
        match shown {
            Some(shown) => self.tokens.iter().any(|key| key.fingerprint == shown),
            None => self.tokens.is_empty(),
        }
    }

    pub fn is_operator_key(&self, shown: &str) -> bool {
        self.tokens.iter().any(|key| key.operator.is(shown))
    }

    /// A certificate of the first token; `None` without TLS.
    pub fn mint(&self, member: Option<([u8; 16], NodeId)>) -> Result<Option<NodeTls>, StartError> {
        let (Some(first), true) = (self.tokens.first(), self.tls) else { return Ok(None) };
        let other = self.tokens.get(1).map(|key| &key.authority);
        let minted = first.authority.mint_beside(other, member);
        minted.map(Some).map_err(|error| StartError::Refused(error.to_string()))
    }

    /// A certificate for clients, of the first token; `None` without TLS.
    pub fn mint_for_clients(&self, hosts: &[String]) -> Result<Option<ClientIdentity>, StartError> {
        let (Some(first), true) = (self.tokens.first(), self.tls) else { return Ok(None) };
        let minted = first.authority.mint_for_clients(hosts);
        minted.map(Some).map_err(|error| StartError::Refused(error.to_string()))
    }
}

//! The join token: the one secret that the nodes of a cluster share.
//!
//! **The token is the cluster's root secret.** From its seed every holder derives the same
//! certificate authority, so who has the token can run a node of the cluster: read and change
//! everything. Keep it like a root password. That is also what makes it handy: nodes that never met
//! trust each other from the first byte, with no certificate to copy around.
//!
//! Its text is `troupe1.<seed>.<fingerprint>`: 32 random bytes in base64url, and the first 16 hex
//! digits of the SHA-256 of the derived authority's public key. The fingerprint is no secret; it
//! finds typing errors and names the token in logs. What is done with the derived authority is
//! [`tls`](crate::tls)'s business.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use troupe_runtime::Rng;

use crate::tls::Authority;

const PREFIX: &str = "troupe1";
const SEED_BYTES: usize = 32;
/// Makes the operator's key another one than whatever else is derived from the seed.
const OPERATOR: &[u8] = b"troupe operator key 1";

/// Has no `Display`, and its `Debug` shows the fingerprint only: the secret leaves through
/// [`Token::reveal`] alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    seed: [u8; SEED_BYTES],
    fingerprint: Fingerprint,
}

/// A secret too, though a smaller one: whoever has it may give orders about nodes.
#[derive(Clone)]
pub struct OperatorKey(String);

impl OperatorKey {
    /// Of a node without a token: it follows from nothing.
    pub fn generate(rng: &Rng) -> OperatorKey {
        OperatorKey(URL_SAFE_NO_PAD.encode(rng.bytes::<SEED_BYTES>()))
    }

    /// As [`OperatorKey::reveal`] gave it.
    pub fn from_text(text: &str) -> OperatorKey {
        OperatorKey(text.trim().to_owned())
    }

    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Takes as long for a wrong one as for the right one.
    pub fn is(&self, shown: &str) -> bool {
        self.0.as_bytes().ct_eq(shown.as_bytes()).into()
    }
}

/// Names a token without giving it away.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fingerprint(pub [u8; 8]);

/// What is wrong with a text that should be a token. Never shows the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("this is not a join token: one begins with `{PREFIX}.`; copy the whole line that `troupe token` prints")]
    NotAToken,
    #[error(
        "the join token is cut short or has something added: it has three parts with dots between; copy it again as a whole"
    )]
    Shape,
    #[error("the join token's middle part is damaged: copy it again as a whole")]
    Seed,
    #[error("the join token's last part is not 16 hex digits: copy it again as a whole")]
    Fingerprint,
    #[error("the join token has a typing error: its parts do not belong together; copy it again as a whole")]
    Typo,
}

impl Token {
    pub fn generate(rng: &Rng) -> Token {
        Token::from_seed(rng.bytes())
    }

    fn from_seed(seed: [u8; SEED_BYTES]) -> Token {
        Token { seed, fingerprint: Authority::derive(&seed).fingerprint() }
    }

    /// Accepts surrounding white space, because tokens come from files and clipboards.
    pub fn parse(text: &str) -> Result<Token, TokenError> {
        let rest =
            text.trim().strip_prefix(PREFIX).and_then(|rest| rest.strip_prefix('.')).ok_or(TokenError::NotAToken)?;
        let (seed, fingerprint) = rest.split_once('.').ok_or(TokenError::Shape)?;
        if fingerprint.contains('.') {
            return Err(TokenError::Shape);
        }
        let seed = URL_SAFE_NO_PAD.decode(seed).map_err(|_| TokenError::Seed)?;
        let seed: [u8; SEED_BYTES] = seed.try_into().map_err(|_| TokenError::Seed)?;
        let fingerprint = Fingerprint::parse(fingerprint).ok_or(TokenError::Fingerprint)?;
        let token = Token::from_seed(seed);
        if token.fingerprint == fingerprint { Ok(token) } else { Err(TokenError::Typo) }
    }

    /// The secret itself, for the operator to carry to another node.
    pub fn reveal(&self) -> String {
        format!("{PREFIX}.{}.{}", URL_SAFE_NO_PAD.encode(self.seed), self.fingerprint)
    }

    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// What shows a node that an operator holds the token, without the token itself ever
    /// travelling: nobody gets from it to the seed, and with it alone nobody can run a node.
    pub fn operator_key(&self) -> OperatorKey {
        let digest = Sha256::new().chain_update(OPERATOR).chain_update(self.seed).finalize();
        OperatorKey(URL_SAFE_NO_PAD.encode(digest))
    }

    pub fn authority(&self) -> Authority {
        Authority::derive(&self.seed)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({})", self.fingerprint)
    }
}

impl Fingerprint {
    pub(crate) fn parse(text: &str) -> Option<Fingerprint> {
        if text.len() != 16 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        u64::from_str_radix(text, 16).ok().map(|number| Fingerprint(number.to_be_bytes()))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests;

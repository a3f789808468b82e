//! The join token: the one secret that the nodes of a cluster share.
//!
//! **The token is the cluster's root secret.** Every holder derives the same certificate authority
//! from its seed. So a holder can run a node of the cluster: read and change everything. Protect it
//! like a root password. In return, nodes that never met trust each other from the first byte,
//! without copying certificates.
//!
//! Its text is `troupe1.<seed>.<fingerprint>`: 32 random bytes in base64url, and the first 16 hex
//! digits of the SHA-256 of the derived authority's public key. The fingerprint is public. It
//! reveals typing errors and names the token in logs. [`tls`](crate::transport::tls) uses the
//! derived authority.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use troupe_runtime::Rng;

pub use super::fingerprint::Fingerprint;
use crate::transport::tls::Authority;

const PREFIX: &str = "troupe1";
const SEED_BYTES: usize = 32;
/// Separates the operator's key from other derivations of the seed.
const OPERATOR: &[u8] = b"troupe operator key 1";

/// Has no `Display`, and its `Debug` shows the fingerprint only. The secret leaves through
/// [`Token::reveal`] alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    seed: [u8; SEED_BYTES],
    fingerprint: Fingerprint,
}

/// A secret too, though a smaller one: its holder may give orders about nodes.
#[derive(Clone)]
pub struct OperatorKey(String);

impl OperatorKey {
    /// A random key, for a node without a token.
    pub fn generate(rng: &Rng) -> OperatorKey {
        OperatorKey(URL_SAFE_NO_PAD.encode(rng.bytes::<SEED_BYTES>()))
    }

    /// Parses the text of [`OperatorKey::reveal`].
    pub fn from_text(text: &str) -> OperatorKey {
        OperatorKey(text.trim().to_owned())
    }

    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Compares in constant time.
    pub fn is(&self, shown: &str) -> bool {
        self.0.as_bytes().ct_eq(shown.as_bytes()).into()
    }
}

/// The defect of a text that should be a token. Never shows the text.
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

    /// Proves that an operator holds the token, without sending the token. The key reveals nothing
    /// of the seed, and is not enough to run a node.
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

#[cfg(test)]
mod tests;

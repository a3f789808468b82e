//! Session tokens that this node has verified within the last moments.
//!
//! A request carries its token, and the leader of the user's shard verifies it behind a read
//! barrier. This memory saves most of these reads. So a session that ends elsewhere is served here
//! for [`BELIEVED`] at most; one that ends at this node is forgotten at once. Requests of
//! administrators, and a change of the password, are verified each time by their operations.

use std::collections::BTreeMap;
use std::time::Duration;

use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use tokio::time::Instant;
use troupe_actors::address::Address;
use troupe_actors::ops::verify::Known;
use troupe_core::UserId;

/// How long a verified token is believed.
pub const BELIEVED: Duration = Duration::from_secs(2);
/// Tokens that are kept. Above it a token is verified for each request.
const KEPT: usize = 8_192;

/// By the hash of the token, and the address that showed it.
type Key = ([u8; 32], Address);

#[derive(Default)]
pub struct Tokens(Mutex<BTreeMap<Key, (Instant, Known)>>);

impl Tokens {
    pub fn key(token: &[u8], address: Address) -> Key {
        (Sha256::digest(token).into(), address)
    }

    pub fn find(&self, key: &Key) -> Option<Known> {
        let table = self.0.lock();
        table.get(key).filter(|(verified, _)| verified.elapsed() < BELIEVED).map(|(_, known)| known.clone())
    }

    /// `asked`: a moment before the leader was asked.
    pub fn keep(&self, key: Key, asked: Instant, known: Known) {
        let mut table = self.0.lock();
        if table.len() >= KEPT {
            table.retain(|_, (verified, _)| verified.elapsed() < BELIEVED);
        }
        if table.len() < KEPT {
            table.insert(key, (asked, known));
        }
    }

    /// A session of any user may have ended.
    pub fn forget_all(&self) {
        self.0.lock().clear();
    }

    /// A session of this user may have ended.
    pub fn forget(&self, user: UserId) {
        self.0.lock().retain(|_, (_, known)| known.caller.user() != user);
    }
}

//! Passwords: their rules, argon2id, and a bound on concurrent hashes.
//!
//! Hashing runs on lanes of its own, at a low priority. A login of an unknown user costs as much as
//! one of a known user, so that the time of an answer does not reveal which accounts exist.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use sha2::{Digest, Sha256};
use troupe_core::{TokenHash, limits};
use troupe_proto::client;
use troupe_runtime::{Lane, Platform};

use crate::address::Address;
use crate::message::Refusal;
use crate::turns::Turns;

/// The recommendation for argon2id with the least memory: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const SALT_BYTES: usize = 16;
/// All hashes cost the same: addresses take turns hash by hash.
const HASH: u64 = 16;

/// In place of a hash: no password opens this account. It is no PHC string, so that nodes of
/// earlier versions refuse it too.
pub const NO_PASSWORD: &str = "!none";

/// In place of the hash of an account that came without its password: neither a password nor an
/// edge without passwords opens it, until an administrator has set one.
pub const UNSET_PASSWORD: &str = "!unset";

/// The most work that a hash of another cluster may ask of each login here.
const IMPORTED_MEMORY_KIB: u32 = 4 * MEMORY_KIB;
const IMPORTED_PASSES: u32 = 8;
const IMPORTED_LANES: u32 = 4;

/// The hash to keep for an account of another cluster: as given, if logins can afford it, or the
/// mark for a missing one. `None`: it is no hash of a password.
pub fn imported_hash(given: &str) -> Option<String> {
    if given.is_empty() {
        return Some(UNSET_PASSWORD.to_owned());
    }
    if given == NO_PASSWORD {
        return Some(given.to_owned());
    }
    PasswordHash::new(given).ok()?;
    let parameters = given.strip_prefix("$argon2id$v=19$")?.split('$').next()?;
    let mut named = parameters.split(',').map(|one| one.split_once('='));
    let within = |most: u32, value: &str| value.parse::<u32>().is_ok_and(|value| value <= most);
    let affordable = named.all(|one| match one {
        Some(("m", value)) => within(IMPORTED_MEMORY_KIB, value),
        Some(("t", value)) => within(IMPORTED_PASSES, value),
        Some(("p", value)) => within(IMPORTED_LANES, value),
        _ => false,
    });
    affordable.then(|| given.to_owned())
}

/// The work of a hash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hashing {
    /// The recommended parameters, for passwords of people.
    #[default]
    Recommended,
    /// The least that the algorithm allows: hundreds of simulated users log in within a second.
    #[cfg(feature = "simulation")]
    Quick,
}

pub struct Passwords {
    platform: Platform,
    hashing: Hashing,
    /// Addresses take turns: a flood of logins from one address delays its own.
    turns: Arc<Turns<Address>>,
    /// The hash of a random password, verified for unknown users.
    unknown: Arc<str>,
}

impl Passwords {
    pub fn new(platform: Platform, hashing: Hashing) -> Passwords {
        let unknown = hash(hashing, &platform.rng.bytes::<32>().map(|byte| b'a' + byte % 26), &platform.rng.bytes());
        let lanes = (0..limits::HASHES_RUNNING as u8).map(Lane::Hash).collect();
        let turns =
            Turns::new(platform.executor.clone(), lanes, limits::HASHES_WAITING, limits::HASHES_WAITING_OF_ADDRESS);
        Passwords { platform, hashing, turns, unknown: unknown.into() }
    }

    /// The PHC string to keep for a new password.
    pub async fn hash(&self, address: Address, password: String) -> Result<String, Refusal> {
        let long_enough = password.chars().count() >= limits::PASSWORD_MIN_CHARS;
        if !long_enough || password.len() > limits::PASSWORD_MAX_BYTES {
            return Err(client::Refusal::BadPassword.into());
        }
        let salt = self.platform.rng.bytes::<SALT_BYTES>();
        let hashing = self.hashing;
        self.run(address, move || hash(hashing, password.as_bytes(), &salt)).await
    }

    /// `kept` is none for an unknown user: the same work, and never a match. The same holds for an
    /// account without a password.
    pub async fn verify(&self, address: Address, password: String, kept: Option<String>) -> Result<bool, Refusal> {
        if password.len() > limits::PASSWORD_MAX_BYTES {
            return Ok(false);
        }
        let kept = kept.filter(|kept| kept != NO_PASSWORD);
        let known = kept.is_some();
        let kept: Arc<str> = kept.map_or_else(|| self.unknown.clone(), Into::into);
        let hashing = self.hashing;
        let right = self.run(address, move || {
            let kept = PasswordHash::new(&kept);
            kept.is_ok_and(|kept| argon2(hashing).verify_password(password.as_bytes(), &kept).is_ok())
        });
        Ok(right.await? && known)
    }

    async fn run<T: Send + 'static>(
        &self,
        address: Address,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let done = self.turns.run(address, HASH, work).await;
        done.ok_or(Refusal::Overloaded { after_ms: 1_000 })
    }
}

/// The hash of a session's secret that rows hold.
pub fn token_hash(secret: &[u8]) -> TokenHash {
    TokenHash(Sha256::digest(secret).into())
}

fn hash(hashing: Hashing, password: &[u8], salt: &[u8; SALT_BYTES]) -> String {
    let hashed: Result<PasswordHash, _> = argon2(hashing).hash_password_with_salt(password, salt);
    hashed.expect("the salt and the parameters are in range").to_string()
}

fn argon2(hashing: Hashing) -> Argon2<'static> {
    let (memory, passes) = match hashing {
        Hashing::Recommended => (MEMORY_KIB, PASSES),
        #[cfg(feature = "simulation")]
        Hashing::Quick => (Params::MIN_M_COST, Params::MIN_T_COST),
    };
    let params = Params::new(memory, passes, 1, None).expect("the parameters are in range");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_of_a_known_user_is_right() {
        let passwords = Passwords::new(Platform::production(), Hashing::Recommended);
        let kept = passwords.hash(Address::LOCAL, "correct horse".into()).await.expect("hashed");
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
        assert_eq!(passwords.verify(Address::LOCAL, "correct horse".into(), Some(kept.clone())).await, Ok(true));
        assert_eq!(passwords.verify(Address::LOCAL, "wrong horse".into(), Some(kept)).await, Ok(false));
        assert_eq!(passwords.verify(Address::LOCAL, "correct horse".into(), None).await, Ok(false));
        for marked in ["not a hash", NO_PASSWORD] {
            for tried in ["correct horse", marked, ""] {
                let verified = passwords.verify(Address::LOCAL, tried.into(), Some(marked.into())).await;
                assert_eq!(verified, Ok(false), "{marked} {tried}");
            }
        }
    }

    #[tokio::test]
    async fn a_hash_of_the_reference_implementation_verifies() {
        let passwords = Passwords::new(Platform::production(), Hashing::Recommended);
        let kept = "$argon2id$v=19$m=19456,t=2,p=1$AAECAwQFBgcICQoLDA0ODw$0AuQxA+RjPiJeA19Op7DwrFxnfh9xeTU2T6mFj2wThc";
        assert_eq!(passwords.verify(Address::LOCAL, "correct horse".into(), Some(kept.into())).await, Ok(true));
        let salt = std::array::from_fn(|i| i as u8);
        assert_eq!(hash(Hashing::Recommended, b"correct horse", &salt), kept);
    }

    #[test]
    fn a_hash_of_another_cluster_is_kept_if_logins_can_afford_it() {
        let hash = |parameters: &str| {
            format!("$argon2id$v=19${parameters}$AAECAwQFBgcICQoLDA0ODw$0AuQxA+RjPiJeA19Op7DwrFxnfh9xeTU2T6mFj2wThc")
        };
        let good = hash("m=19456,t=2,p=1");
        assert_eq!(imported_hash(&good), Some(good.clone()));
        assert_eq!(imported_hash(""), Some(UNSET_PASSWORD.to_owned()));
        assert_eq!(imported_hash(NO_PASSWORD), Some(NO_PASSWORD.to_owned()));
        let large = [hash("m=4194304,t=2,p=1"), hash("m=19456,t=4000000,p=1"), hash("m=19456,t=2,p=4000")];
        for bad in large.iter().map(String::as_str).chain(["!other", "plain", "$2b$10$abcdefghijk", "$argon2id$"]) {
            assert_eq!(imported_hash(bad), None, "{bad}");
        }
    }

    #[tokio::test]
    async fn short_and_long_passwords_are_refused_before_they_are_hashed() {
        let passwords = Passwords::new(Platform::production(), Hashing::Recommended);
        assert!(passwords.hash(Address::LOCAL, "1234567".into()).await.is_err());
        assert!(passwords.hash(Address::LOCAL, "x".repeat(limits::PASSWORD_MAX_BYTES + 1)).await.is_err());
    }
}

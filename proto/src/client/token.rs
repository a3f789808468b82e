//! The token with which a client resumes its session: opaque to the client, while the server
//! derives the user's shard from it.

use std::fmt;

use troupe_core::{DeviceId, UserId, limits};

use crate::field;
use troupe_core::form::DecodeError;

const VERSION: u8 = 1;
const SECRET_BYTES: usize = 32;

/// One version byte, 8 bytes of user id (big endian), one byte of length, the device, 32 bytes of
/// secret.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionToken {
    pub user: UserId,
    pub device: DeviceId,
    /// Only its hash is stored, and only the hash is compared.
    pub secret: [u8; SECRET_BYTES],
}

impl SessionToken {
    /// No token is longer.
    pub const MAX_BYTES: usize = 1 + 8 + 1 + limits::DEVICE_ID_BYTES + SECRET_BYTES;

    pub fn encode(&self) -> Vec<u8> {
        let device = self.device.as_str().as_bytes();
        let mut bytes = Vec::with_capacity(Self::MAX_BYTES);
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.user.0.to_be_bytes());
        // A device id has at most 64 bytes.
        bytes.push(device.len() as u8);
        bytes.extend_from_slice(device);
        bytes.extend_from_slice(&self.secret);
        bytes
    }

    pub fn decode(bytes: &[u8]) -> Result<SessionToken, DecodeError> {
        let short = || field::invalid("token", "it is cut short");
        let (&version, rest) = bytes.split_first().ok_or(DecodeError::Missing { field: "token" })?;
        if version != VERSION {
            return Err(DecodeError::Version { found: version, known: VERSION });
        }
        let (user, rest) = rest.split_first_chunk().ok_or_else(short)?;
        let (&length, rest) = rest.split_first().ok_or_else(short)?;
        let (device, secret) = rest.split_at_checked(length.into()).ok_or_else(short)?;
        let device = std::str::from_utf8(device).map_err(|_| field::invalid("token.device", "it is not ASCII"))?;
        Ok(SessionToken {
            user: field::user("token.user", u64::from_be_bytes(*user))?,
            device: field::device("token.device", device)?,
            secret: secret.try_into().map_err(|_| field::invalid("token.secret", "it must be 32 bytes"))?,
        })
    }
}

impl fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionToken").field("user", &self.user).field("device", &self.device).finish_non_exhaustive()
    }
}

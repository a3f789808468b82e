//! `Idempotency-Key`: the client message id of a request. The server makes one where the client
//! gives none.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use bytes::Bytes;
use troupe_core::ClientMessageId;

use crate::api::Api;
use crate::problem::Problem;

pub const HEADER: &str = "idempotency-key";
/// The keys that [`parse`] takes.
pub const PATTERN: &str = "^([0-9a-fA-F]{32}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})$";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    pub id: ClientMessageId,
    /// By the client, which may repeat the request. Only such a request can have been made before.
    pub given: bool,
}

impl Key {
    /// In the form of `client.proto`.
    pub fn bytes(&self) -> Bytes {
        Bytes::copy_from_slice(&self.id.0)
    }
}

impl FromRequestParts<Api> for Key {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Key, Problem> {
        let mut values = parts.headers.get_all(HEADER).iter();
        let Some(value) = values.next() else {
            return Ok(Key { id: ClientMessageId(api.service.fresh_id()), given: false });
        };
        let id = value.to_str().ok().and_then(parse).filter(|_| values.next().is_none());
        let wrong = || Problem::bad_request("Idempotency-Key: it is 32 hexadecimal digits or a UUID, given once");
        id.map(|id| Key { id, given: true }).ok_or_else(wrong)
    }
}

/// 32 hexadecimal digits, or the same as a UUID with its dashes.
pub fn parse(text: &str) -> Option<ClientMessageId> {
    let bytes = text.as_bytes();
    let dashes = [8, 13, 18, 23];
    let digits: Vec<u8> = match bytes.len() {
        32 => bytes.to_vec(),
        36 if dashes.iter().all(|at| bytes[*at] == b'-') => {
            let kept = bytes.iter().enumerate().filter(|(at, _)| !dashes.contains(at));
            kept.map(|(_, byte)| *byte).collect()
        }
        _ => return None,
    };
    let mut id = [0; 16];
    for (byte, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |at: usize| char::from(pair[at]).to_digit(16);
        *byte = (digit(0)? * 16 + digit(1)?) as u8;
    }
    Some(ClientMessageId(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_and_its_digits_are_one_key() {
        let digits = "000102030405060708090a0b0c0d0e0f";
        let id = parse(digits).expect("a key");
        assert_eq!(id.to_string(), digits);
        assert_eq!(parse("00010203-0405-0607-0809-0A0B0C0D0E0F"), Some(id));
        for wrong in [
            "",
            "1",
            "0001020304050607-0809-0a0b0c0d0e0f",
            "g00102030405060708090a0b0c0d0e0f",
            "é01020304050607080900a0b0c0d0e0",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}

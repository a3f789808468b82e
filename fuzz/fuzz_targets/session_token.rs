//! Session tokens: one token, one form.
#![no_main]

use libfuzzer_sys::fuzz_target;
use troupe_proto::client::SessionToken;

fuzz_target!(|data: &[u8]| {
    if let Ok(token) = SessionToken::decode(data) {
        assert_eq!(token.encode(), data);
        assert!(data.len() <= SessionToken::MAX_BYTES);
    }
});

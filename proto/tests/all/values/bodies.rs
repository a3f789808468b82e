//! Strategies for bodies of messages.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use troupe_core::Body;
use troupe_core::event::Context;

use super::text;

pub fn body() -> impl Strategy<Value = Body> {
    let body = prop_oneof![
        text().prop_map(|text| Body::text(&text)),
        (any::<u32>(), vec(any::<u8>(), 0..200)).prop_map(|(kind, content)| Body {
            kind,
            content: content.into(),
            context: None
        }),
    ];
    (body, option::of(context())).prop_map(|(body, context)| Body { context: context.map(Box::new), ..body })
}

prop_compose! {
    fn context()(
        reply_to: u64, thread: u64, mentions in vec(any::<u64>(), 0..5), mentions_everyone: bool, expires_in_ms: u64, stream: bool
    ) -> Context {
        Context { reply_to, thread, mentions, mentions_everyone, expires_in_ms, stream }
    }
}

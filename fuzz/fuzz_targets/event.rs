//! Events as stored and as delivered: the two forms hold the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use prost::Message;
use troupe_core::Event;
use troupe_core::form::Record;
use troupe_proto::wire::client;

fuzz_target!(|data: &[u8]| {
    if let Ok(event) = Event::decode(data) {
        assert_eq!(Event::decode(&event.encode()).as_ref(), Ok(&event));
        let told = client::Event::from(&event);
        assert_eq!((told.kind, &told.content[..]), (event.kind.number(), &event.kind.content()[..]));
    }
    if let Ok(event) = client::Event::decode(data)
        && let Ok(event) = Event::try_from(event)
    {
        assert_eq!(Event::decode(&event.encode()).as_ref(), Ok(&event));
    }
});

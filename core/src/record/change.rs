//! A change that a row remembers, so that a repeated request is answered alike and executed once.

use prost::encoding::{self, DecodeContext, WireType};

use crate::form::{DecodeError, Field, Fixed, record, write_message};
use crate::id::ClientMessageId;

record! {
    "change";
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Change {
        pub request: ClientMessageId = 1,
        /// Of the request's content, so that another request under its id is refused.
        pub digest: u64 = 2 as Fixed,
    }
}

impl Field for Vec<Change> {
    type Raw = Vec<Vec<u8>>;

    fn write(&self, number: u32, out: &mut Vec<u8>) {
        self.iter().for_each(|change| write_message(number, out, |out| change.write(out)));
    }

    fn merge(
        raw: &mut Self::Raw,
        wire: WireType,
        from: &mut &[u8],
        context: DecodeContext,
    ) -> Result<(), prost::DecodeError> {
        encoding::bytes::merge_repeated(wire, raw, from, context)
    }

    fn checked(raw: Self::Raw, _: &'static str) -> Result<Self, DecodeError> {
        raw.iter().map(|message| Change::read(message)).collect()
    }
}

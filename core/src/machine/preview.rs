//! Previews of images, kept beside their files.

use super::{Outcome, Step};
use crate::command::KeepPreview;
use crate::error::{Refused, Rejection};
use crate::limits;
use crate::machine::file::NO_SUCH_FILE;
use crate::record::{File, Preview};
use crate::reply::Reply;
use crate::state::Rows;

pub const NO_PREVIEW: Refused = Refused {
    code: "no_preview",
    text: "this file has no preview: it is no image, too large, or damaged; show its name instead",
};
pub const REFUSALS: &[Refused] = &[NO_PREVIEW];

pub(super) fn check_preview(c: &KeepPreview) -> Result<(), Rejection> {
    if c.content.len() <= limits::PREVIEW_BYTES { Ok(()) } else { Err(Rejection::TooLarge) }
}

impl Step<'_> {
    /// The first preview of a file stays, and goes with it.
    pub(super) fn keep_preview(&mut self, c: &KeepPreview) -> Outcome {
        check_preview(c)?;
        let key = (c.conversation, c.file);
        if self.state.get::<File>(&key).is_none() {
            return Err(NO_SUCH_FILE.into());
        }
        if self.state.get::<Preview>(&key).is_none() {
            self.state.put(&key, &Preview(c.content.to_vec()));
        }
        Ok(Reply::Done)
    }
}

//! Places in the order of a search: by time, then by conversation and seq.

use std::fmt;
use std::str::FromStr;

use troupe_core::{ConversationId, Seq, Timestamp};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub time: Timestamp,
    pub conversation: ConversationId,
    pub seq: Seq,
}

impl Place {
    pub fn of(time_ms: u64, conversation: ConversationId, seq: u64) -> Place {
        Place { time: Timestamp(time_ms), conversation, seq: Seq(seq) }
    }
}

/// The begin of a page. Clients give it back as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Everything at it and behind it was on earlier pages.
    pub before: Option<Place>,
    /// The conversation of the list behind which the search looks.
    pub after: Option<ConversationId>,
}

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Place { time, conversation, seq }) = self.before {
            write!(f, "{}.{}.{conversation}", time.0, seq.0)?;
        }
        self.after.map_or(Ok(()), |after| write!(f, "~{after}"))
    }
}

impl FromStr for Page {
    type Err = ();

    fn from_str(text: &str) -> Result<Page, ()> {
        let (before, after) = match text.split_once('~') {
            Some((before, after)) => (before, Some(after.parse().map_err(|_| ())?)),
            None => (text, None),
        };
        if before.is_empty() {
            return Ok(Page { before: None, after });
        }
        let mut parts = before.splitn(3, '.');
        let mut number = || parts.next().and_then(|part| part.parse::<u64>().ok()).ok_or(());
        let (time, seq) = (number()?, number()?);
        let conversation = parts.next().and_then(|part| part.parse().ok()).ok_or(())?;
        Ok(Page { before: Some(Place::of(time, conversation, seq)), after })
    }
}

#[cfg(test)]
mod tests {
    use troupe_core::{GroupId, UserId};

    use super::*;

    #[test]
    fn a_page_is_itself_again() {
        let direct = ConversationId::direct(UserId(3), UserId(9)).expect("two users");
        let group = ConversationId::Group(GroupId(7));
        for before in [None, Some(Place::of(5, direct, 8)), Some(Place::of(0, ConversationId::Everyone, u64::MAX))] {
            for after in [None, Some(group), Some(direct)] {
                let page = Page { before, after };
                assert_eq!(page.to_string().parse(), Ok(page), "{page}");
            }
        }
        for bad in ["1", "1.2", "x.2.g7", "1.2.g7~", "~x", "1.2.q7"] {
            assert_eq!(bad.parse::<Page>(), Err(()), "{bad}");
        }
    }
}

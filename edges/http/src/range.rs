//! The header `Range` (RFC 9110) for one range of bytes.

use std::ops::Range;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Span {
    Whole,
    Part(Range<u64>),
    /// It begins behind the end.
    Beyond,
}

/// Whatever is not one range of bytes is ignored, as the RFC allows.
pub fn parse(header: Option<&str>, size: u64) -> Span {
    let asked = header.and_then(|header| header.trim().strip_prefix("bytes="));
    let Some((first, last)) = asked.and_then(|asked| asked.trim().split_once('-')) else { return Span::Whole };
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // A number beyond all sizes is one behind the end.
        digits.then(|| text.parse().unwrap_or(u64::MAX))
    };
    match (first, number(first), last, number(last)) {
        // The last so many bytes.
        ("", None, _, Some(0)) => Span::Beyond,
        ("", None, _, Some(count)) => Span::Part(size.saturating_sub(count)..size),
        (_, Some(first), "", None) if first < size => Span::Part(first..size),
        (_, Some(first), _, Some(last)) if first <= last && first < size => {
            Span::Part(first..last.saturating_add(1).min(size))
        }
        (_, Some(first), _, Some(last)) if first > last => Span::Whole,
        (_, Some(_), "", None) | (_, Some(_), _, Some(_)) => Span::Beyond,
        _ => Span::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_as_the_rfc_has_it() {
        for (header, span) in [
            ("bytes=0-0", Span::Part(0..1)),
            ("bytes=2-5", Span::Part(2..6)),
            ("bytes=2-", Span::Part(2..10)),
            ("bytes=9-99999999999999999999", Span::Part(9..10)),
            ("bytes=-3", Span::Part(7..10)),
            ("bytes=-30", Span::Part(0..10)),
            ("bytes=10-", Span::Beyond),
            ("bytes=10-11", Span::Beyond),
            ("bytes=-0", Span::Beyond),
            ("bytes=5-2", Span::Whole),
            ("bytes=0-1,4-5", Span::Whole),
            ("bytes=a-b", Span::Whole),
            ("bytes=-", Span::Whole),
            ("lines=1-2", Span::Whole),
            ("bytes=+1-2", Span::Whole),
        ] {
            assert_eq!(parse(Some(header), 10), span, "{header}");
        }
        assert_eq!(parse(None, 10), Span::Whole);
    }
}

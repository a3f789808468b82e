//! The time of a command line: `2026-11-30T20:45:17.250Z` in UTC, or milliseconds since 1970.

use crate::accounts::moment;

const WANTS: &str = "wants a time in UTC as 2026-11-30T20:45:17Z, or milliseconds since 1970";
const SECOND: u64 = 1_000;
const DAY: u64 = 24 * 3_600 * SECOND;
/// Years that a time may have.
const YEARS: std::ops::Range<u64> = 1970..10_000;

/// A time without an end is the beginning of its second.
pub fn time(text: &str) -> Result<u64, String> {
    parsed(text).ok_or_else(|| WANTS.to_owned())
}

/// As [`time`] reads it.
pub fn shown(ms: u64) -> String {
    format!("{}.{:03}Z", moment(ms).replace(' ', "T"), ms % SECOND)
}

fn parsed(text: &str) -> Option<u64> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok();
    }
    let (date, clock) = text.strip_suffix('Z').unwrap_or(text).split_once(['T', ' '])?;
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(clock, ':')?;
    let is_fraction = (1..=3).contains(&fraction.len()) && fraction.bytes().all(|byte| byte.is_ascii_digit());
    if !is_fraction || !YEARS.contains(&year) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let ms: u64 = format!("{fraction:0<3}").parse().ok()?;
    Some(days(year, month, day)? * DAY + ((hour * 60 + minute) * 60 + second) * SECOND + ms)
}

/// Three numbers of two digits; the first of a date has four.
fn numbers(text: &str, between: char) -> Option<[u64; 3]> {
    let mut parts = text.split(between);
    let mut next = || {
        let part = parts.next()?;
        let is_number = (2..=4).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| part.parse().ok())?
    };
    let numbers = [next()?, next()?, next()?];
    parts.next().is_none().then_some(numbers)
}

/// Days from 1970 to a date. `None`: there is no such date.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let is_leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let months = [31, if is_leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let before = month.checked_sub(1)? as usize;
    if day == 0 || day > *months.get(before)? {
        return None;
    }
    let years: u64 = (YEARS.start..year).map(|year| if is_leap(year) { 366 } else { 365 }).sum();
    Some(years + months.iter().take(before).sum::<u64>() + day - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_are_shown() {
        for (text, ms) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29 00:00:00", 951_782_400_000),
            ("2023-11-14T22:13:20.123Z", 1_700_000_000_123),
            ("2023-11-14T22:13:20.5", 1_700_000_000_500),
            ("1700000000123", 1_700_000_000_123),
        ] {
            assert_eq!(time(text), Ok(ms), "{text}");
            assert_eq!(time(&shown(ms)), Ok(ms), "{text}");
        }
        for day in 0..40_000 {
            assert_eq!(time(&shown(day * DAY + 7)), Ok(day * DAY + 7));
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for wrong in [
            "",
            "yesterday",
            "2023-11-14",
            "2023-02-29T00:00:00Z",
            "2023-13-01T00:00:00Z",
            "2023-00-01T00:00:00Z",
            "2023-11-14T24:00:00Z",
            "2023-11-14T22:13:20.Z",
            "2023-11-14T22:13:20.1234Z",
            "2023-11-14T22:13:20+01:00",
            "2023-11-14T22:13:20:00",
            "1969-12-31T23:59:59Z",
            "99999999999999999999",
            "-5",
        ] {
            assert!(time(wrong).is_err_and(|why| why == WANTS), "{wrong}");
        }
    }
}

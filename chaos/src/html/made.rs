//! Time, machine and version of the runs of a page.

use std::path::Path;
use std::process::Command;

use troupe_core::Timestamp;
use troupe_runtime::Platform;

#[derive(Clone, Debug)]
pub struct Made {
    pub at: Timestamp,
    /// Version of the tested program.
    pub version: String,
    /// Host name, system and processors.
    pub machine: String,
}

impl Made {
    /// Now, on this machine, with this program.
    pub fn now(troupe: &Path) -> Made {
        let answer = Command::new(troupe).arg("version").output().ok();
        let version = answer.map(|answer| String::from_utf8_lossy(&answer.stdout).trim().to_owned());
        let kernel = |file: &str| std::fs::read_to_string(Path::new("/proc/sys/kernel").join(file)).unwrap_or_default();
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Made {
            at: Platform::production().clock.now(),
            version: version.filter(|text| !text.is_empty()).unwrap_or_else(|| troupe.display().to_string()),
            machine: format!(
                "{} ({} {}, {processors} processors)",
                kernel("hostname").trim(),
                kernel("ostype").trim(),
                kernel("osrelease").trim()
            ),
        }
    }
}

/// `2026-11-28 15:04 UTC`, in the Gregorian calendar.
pub(super) fn utc(at: Timestamp) -> String {
    let minutes = at.0 / 60_000;
    let (days, minute) = (minutes / (24 * 60), minutes % (24 * 60));
    // Years are counted from March, so that the leap day is the last day of its year and the days
    // of 400 years repeat.
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02} UTC", minute / 60, minute % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (at, text) in [
            (0, "1970-01-01 00:00 UTC"),
            (951_782_400_000, "2000-02-29 00:00 UTC"),
            (951_868_799_999, "2000-02-29 23:59 UTC"),
            (1_735_689_600_000, "2025-01-01 00:00 UTC"),
        ] {
            assert_eq!(utc(Timestamp(at)), text);
        }
    }
}

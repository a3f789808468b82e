//! The free space below which a disk counts as almost full.

use troupe_store::engine::Space;

const MIB: u64 = 1024 * 1024;

/// The free space below which a disk counts as almost full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LowMark {
    /// A percentage of the disk, within [`LowMark::LEAST`] and [`LowMark::MOST`], and at most half
    /// of it.
    Percent(u8),
    Bytes(u64),
}

impl Default for LowMark {
    fn default() -> LowMark {
        LowMark::Percent(10)
    }
}

impl LowMark {
    /// The storage engine's log alone may take 256 MiB.
    pub const LEAST: u64 = 256 * MIB;
    /// Space for a compaction on the largest disk. A larger mark would refuse sends on disks that
    /// other programs fill as well.
    pub const MOST: u64 = 2 * 1024 * MIB;

    /// Free bytes below which the disk is low.
    pub fn bytes(self, total: u64) -> u64 {
        match self {
            LowMark::Percent(percent) => {
                (total / 100 * u64::from(percent)).clamp(LowMark::LEAST, LowMark::MOST).min(total / 2)
            }
            LowMark::Bytes(bytes) => bytes,
        }
    }

    /// A low disk stays low until it has a quarter more than the mark, so that the state does not
    /// change with each write.
    pub fn is_low(self, space: Space, was_low: bool) -> bool {
        let mark = self.bytes(space.total);
        space.free < if was_low { mark.saturating_add(mark / 4) } else { mark }
    }
}

/// A percentage (`10%`) or bytes (`512M`, `20G`).
impl std::str::FromStr for LowMark {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<LowMark, &'static str> {
        const WANTS: &str = "a percentage such as 10%, or bytes such as 512M or 20G";
        let number = |digits: &str| digits.parse::<u64>().map_err(|_| WANTS);
        if let Some(percent) = text.strip_suffix('%') {
            return match number(percent)? {
                percent @ 0..=50 => Ok(LowMark::Percent(percent as u8)),
                _ => Err("at most 50%"),
            };
        }
        let units = [("K", 1024), ("M", MIB), ("G", 1024 * MIB), ("T", 1024 * 1024 * MIB)];
        let of = |(suffix, unit): &(&str, u64)| text.strip_suffix(suffix).map(|digits| (digits, *unit));
        let (digits, unit) = units.iter().find_map(of).unwrap_or((text, 1));
        number(digits)?.checked_mul(unit).map(LowMark::Bytes).ok_or(WANTS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_follows_the_disk_within_bounds() {
        let mark = LowMark::default();
        assert_eq!(mark.bytes(300 * MIB), 150 * MIB, "half of a tiny one");
        assert_eq!(mark.bytes(1000 * MIB), LowMark::LEAST);
        assert_eq!(mark.bytes(10_000 * MIB), 1_000 * MIB);
        assert_eq!(mark.bytes(u64::MAX), LowMark::MOST);
        assert_eq!(LowMark::Bytes(7).bytes(1), 7);
    }

    #[test]
    fn what_was_low_is_not_well_at_once() {
        let space = |free| Space { free, total: 1_000 };
        let mark = LowMark::Bytes(100);
        let low = |free, was| mark.is_low(space(free), was);
        assert_eq!([low(100, false), low(99, false), low(124, true), low(125, true)], [false, true, true, false]);
    }

    #[test]
    fn marks_are_written_as_percentages_or_bytes() {
        let good = [("5%", LowMark::Percent(5)), ("0", LowMark::Bytes(0)), ("2G", LowMark::Bytes(2048 * MIB))];
        for (text, mark) in good {
            assert_eq!(text.parse(), Ok(mark));
        }
        for text in ["", "%", "51%", "-1", "3X", "99999999999T"] {
            assert!(text.parse::<LowMark>().is_err(), "{text}");
        }
    }
}

//! Randomness: one source per node, from the operating system or from a seed.

use parking_lot::Mutex;
use rand::rngs::{StdRng, SysRng};
use rand::{Rng as _, RngExt as _, SeedableRng as _};

pub struct Rng(Mutex<StdRng>);

impl Rng {
    #[allow(clippy::disallowed_methods, reason = "this is the seam")]
    pub fn from_os() -> Rng {
        Rng(Mutex::new(StdRng::try_from_rng(&mut SysRng).expect("the system has random numbers")))
    }

    pub fn from_seed(seed: u64) -> Rng {
        Rng(Mutex::new(StdRng::seed_from_u64(seed)))
    }

    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0u8; N];
        self.0.lock().fill_bytes(&mut bytes);
        bytes
    }

    pub fn u64(&self) -> u64 {
        self.0.lock().next_u64()
    }

    /// Uniform in `low..high`; `low` if the range is empty.
    pub fn range(&self, low: u64, high: u64) -> u64 {
        if low >= high { low } else { self.0.lock().random_range(low..high) }
    }

    /// A password of 80 bits that a person can type: no characters that look alike.
    pub fn password(&self) -> String {
        const CHARACTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
        self.bytes::<16>().iter().map(|byte| char::from(CHARACTERS[usize::from(byte % 32)])).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_numbers_in_every_version() {
        let rng = Rng::from_seed(1);
        assert_eq!(rng.u64(), 17_971_643_333_364_160_609);
        assert_eq!(rng.range(10, 1000), 694);
        assert_eq!(rng.u64(), 7_894_741_264_938_617_306);
    }
}

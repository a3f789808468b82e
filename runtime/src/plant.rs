//! Which deliberate bug this process carries. Without the feature `planted-bugs` the answer is
//! always none, and the environment is not even read.

use troupe_core::plant::Plant;

/// Names the bug, in builds that can carry one.
pub const VARIABLE: &str = "TROUPE_PLANT";

#[cfg(feature = "planted-bugs")]
pub fn from_environment() -> Option<Plant> {
    let name = std::env::var(VARIABLE).ok()?;
    Some(Plant::named(&name).unwrap_or_else(|| panic!("{VARIABLE}={name}: no such planted bug")))
}

#[cfg(not(feature = "planted-bugs"))]
pub fn from_environment() -> Option<Plant> {
    None
}

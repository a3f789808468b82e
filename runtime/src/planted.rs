//! Which deliberate bug this process carries. A build without the feature `planted-bugs` carries
//! none, and does not read the environment.

use troupe_core::planted::Planted;

/// Names the bug, in builds that can carry one.
#[cfg(feature = "planted-bugs")]
pub const VARIABLE: &str = "TROUPE_PLANTED_BUG";

#[cfg(feature = "planted-bugs")]
pub fn from_environment() -> Planted {
    use troupe_core::planted::Bug;

    let Ok(name) = std::env::var(VARIABLE) else { return Planted::default() };
    Bug::named(&name).unwrap_or_else(|| panic!("{VARIABLE}={name}: no such planted bug")).into()
}

#[cfg(not(feature = "planted-bugs"))]
pub fn from_environment() -> Planted {
    Planted::default()
}

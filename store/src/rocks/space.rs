//! How much room the disk of a directory has.

use std::path::Path;

use nix::sys::statvfs::statvfs;

use crate::engine::Space;

/// `None` where the system does not say, which is no reason to stop.
pub(super) fn of(path: &Path) -> Option<Space> {
    let disk = statvfs(path).ok()?;
    // What is reserved for the superuser is not counted as free.
    let unit = disk.fragment_size();
    Some(Space { free: disk.blocks_available() * unit, total: disk.blocks() * unit })
}

//! Free space on the disk of a directory.

use std::path::Path;

use nix::sys::statvfs::statvfs;

use crate::engine::Space;

/// `None` if the system does not tell, which is no reason to stop.
pub(super) fn of(path: &Path) -> Option<Space> {
    let disk = statvfs(path).ok()?;
    // Space reserved for the superuser does not count as free.
    let unit = disk.fragment_size();
    Some(Space { free: disk.blocks_available() * unit, total: disk.blocks() * unit })
}

//! A disk for one node that can lose power: an ext4 image, mounted through a loop device. Needs
//! root.
//!
//! [`Disk::lose_power`] shuts the file system down without writing its journal. Unsynced data is
//! lost, as after a power failure, and every later write fails. [`Disk::power_up`] mounts it again,
//! which replays the journal. The node must be killed in between. A killed process alone loses
//! nothing, because the page cache outlives it. Only power loss reveals a missing sync.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, bail, ensure};

/// Room for a long run. The image is sparse.
pub const BYTES: u64 = 4 * 1024 * 1024 * 1024;
/// Enough to test whether mounting works.
const PROBE_BYTES: u64 = 8 * 1024 * 1024;

/// "Go down without flushing the log", in the terms of ext4 and XFS.
const GOING_DOWN_NO_FLUSH: u32 = 2;

/// nix has no wrapper for it.
mod going_down {
    nix::ioctl_read!(shut_down, b'X', 125, u32);
}

/// Mounted until it is dropped.
pub struct Disk {
    image: PathBuf,
    at: PathBuf,
}

/// The reason why this machine cannot have such a disk, or `None`. Determined once, by trying.
pub fn impossible() -> Option<&'static str> {
    static TRIED: OnceLock<Option<String>> = OnceLock::new();
    let tried = TRIED.get_or_init(|| {
        let attempt = || {
            let folder = tempfile::tempdir()?;
            let disk = Disk::mount(&folder.path().join("image"), &folder.path().join("disk"), PROBE_BYTES)?;
            disk.lose_power()?;
            disk.power_up()
        };
        attempt().err().map(|error| format!("a file system of its own for each node: {error:#}"))
    });
    tried.as_deref()
}

impl Disk {
    /// Creates the image if there is none, and mounts it.
    pub fn mount(image: &Path, at: &Path, bytes: u64) -> Result<Disk> {
        ensure!(nix::unistd::geteuid().is_root(), "only root may mount");
        if !image.exists() {
            File::create(image).and_then(|file| file.set_len(bytes)).with_context(|| format!("{}", image.display()))?;
            run(Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0"]).arg(image))?;
        }
        std::fs::create_dir_all(at)?;
        let disk = Disk { image: image.to_owned(), at: at.to_owned() };
        disk.attach()?;
        Ok(disk)
    }

    fn attach(&self) -> Result<()> {
        run(Command::new("mount").args(["-t", "ext4", "-o", "loop,noatime"]).arg(&self.image).arg(&self.at))
    }

    /// From now on no write reaches the disk, and unsynced data is lost.
    pub fn lose_power(&self) -> Result<()> {
        let folder = File::open(&self.at)?;
        let mut how = GOING_DOWN_NO_FLUSH;
        // SAFETY: the descriptor is open, and the kernel reads one number.
        #[expect(unsafe_code)]
        let done = unsafe { going_down::shut_down(folder.as_raw_fd(), &raw mut how) };
        done.with_context(|| format!("cannot shut down the file system at {}", self.at.display()))?;
        Ok(())
    }

    /// To be called after the node on it was killed.
    pub fn power_up(&self) -> Result<()> {
        run(Command::new("umount").arg(&self.at))?;
        self.attach()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // A failure leaves a mount behind, which is harmless.
        let _ = Command::new("umount").arg("--lazy").arg(&self.at).status();
    }
}

fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("cannot run {name}"))?;
    if !output.status.success() {
        bail!("{name}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

//! Disk errors, a full disk, slow syncs and clock jumps for a running node, by a preloaded library.
//! It needs no root and can be switched at any time.
//!
//! This program carries the library (`fault-shim/`) and writes it out for a cluster. Each node has
//! a control file beside its data folder, which the library maps, so that the node's next call sees
//! a new value. It needs a node that is dynamically linked to glibc. It cannot lose unsynced
//! writes, which needs a separate disk ([`disk`](crate::disk)).

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

static LIBRARY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/shim.so"));

const EIO: i64 = 5;
const ENOSPC: i64 = 28;
/// Cells of the shared page, as in the library.
const CELLS: usize = 8;
const INJECTED: usize = 4;

/// Injected faults of one node's disk and clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeFaults {
    pub writes: Option<WriteError>,
    /// Syncs fail with EIO.
    pub syncs_fail: bool,
    pub sync_micros: u32,
    /// Offset of the wall clock.
    pub clock_seconds: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteError {
    Io,
    NoSpace,
}

/// Whether this program carries the library.
pub fn is_possible() -> bool {
    !LIBRARY.is_empty()
}

/// The library on disk, and the control files of a cluster's nodes.
#[derive(Clone, Debug)]
pub struct Shim {
    library: PathBuf,
    dir: PathBuf,
}

impl Shim {
    /// Writes the library into a cluster's directory.
    pub fn install(dir: &Path) -> Result<Shim> {
        // Preloading and the paths of open files are absolute.
        let dir = dir.canonicalize().with_context(|| format!("{}", dir.display()))?;
        let library = dir.join("fault-shim.so");
        std::fs::write(&library, LIBRARY).with_context(|| format!("cannot write {}", library.display()))?;
        Ok(Shim { library, dir })
    }

    fn control(&self, node: usize) -> PathBuf {
        self.dir.join(format!("node-{}.faults", node + 1))
    }

    /// The environment of a node's process. No fault is active until [`Shim::set`].
    pub fn environment(&self, node: usize, data: &Path) -> Result<Vec<(String, String)>> {
        let control = self.control(node);
        if !control.exists() {
            std::fs::write(&control, [0u8; CELLS * 8])
                .with_context(|| format!("cannot write {}", control.display()))?;
        }
        std::fs::create_dir_all(data)?;
        let text = |path: &Path| path.to_str().map(str::to_owned).context("a path that is not text");
        Ok(vec![
            ("LD_PRELOAD".to_owned(), text(&self.library)?),
            ("FAULT_SHIM_CONTROL".to_owned(), text(&control)?),
            // The trailing slash excludes a log beside it whose name begins with the same letters.
            ("FAULT_SHIM_DIR".to_owned(), text(&data.canonicalize()?.join(""))?),
        ])
    }

    /// Takes effect with the node's next call.
    pub fn set(&self, node: usize, faults: NodeFaults) -> Result<()> {
        let write_errno = match faults.writes {
            None => 0,
            Some(WriteError::Io) => EIO,
            Some(WriteError::NoSpace) => ENOSPC,
        };
        let cells = [
            write_errno,
            if faults.syncs_fail { EIO } else { 0 },
            i64::from(faults.sync_micros),
            faults.clock_seconds * 1_000_000_000,
        ];
        let bytes: Vec<u8> = cells.iter().flat_map(|cell| cell.to_ne_bytes()).collect();
        // Written in place, because the library has this file mapped.
        let file = File::options().write(true).open(self.control(node))?;
        Ok(file.write_all_at(&bytes, 0)?)
    }

    pub fn heal(&self, node: usize) -> Result<()> {
        self.set(node, NodeFaults::default())
    }

    /// Number of injected faults of a node since its first start.
    pub fn injected(&self, node: usize) -> Result<u64> {
        let mut bytes = [0u8; 8];
        File::open(self.control(node))?.read_exact_at(&mut bytes, (INJECTED * 8) as u64)?;
        Ok(u64::from_ne_bytes(bytes))
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Output};
    use std::time::{SystemTime, UNIX_EPOCH};

    use super::*;

    struct Fixture {
        shim: Shim,
        data: PathBuf,
        _folder: tempfile::TempDir,
    }

    impl Fixture {
        fn new() -> Fixture {
            let folder = tempfile::tempdir().expect("a folder");
            let shim = Shim::install(folder.path()).expect("installed");
            let data = folder.path().join("node-1");
            shim.environment(0, &data).expect("a control file");
            Fixture { shim, data, _folder: folder }
        }

        /// Copies a block into a file and syncs it, under the shim.
        fn copy(&self, to: &Path) -> Output {
            let environment = self.shim.environment(0, &self.data).expect("a control file");
            let to = format!("of={}", to.display());
            let dd = Command::new("dd")
                .args(["if=/dev/zero", "bs=4096", "count=1", "conv=fsync", &to])
                .envs(environment)
                .output();
            dd.expect("dd is on every system")
        }
    }

    #[test]
    fn a_well_disk_works_and_a_sick_one_says_why_and_others_are_left_alone() {
        let fixture = Fixture::new();
        let (inside, outside) = (fixture.data.join("file"), fixture.data.parent().expect("a parent").join("file"));
        assert!(fixture.copy(&inside).status.success());
        assert_eq!(fixture.shim.injected(0).expect("a number"), 0);
        for (faults, text) in [
            (NodeFaults { syncs_fail: true, ..NodeFaults::default() }, "Input/output error"),
            (NodeFaults { writes: Some(WriteError::Io), ..NodeFaults::default() }, "Input/output error"),
            (NodeFaults { writes: Some(WriteError::NoSpace), ..NodeFaults::default() }, "No space left on device"),
        ] {
            fixture.shim.set(0, faults).expect("set");
            let before = fixture.shim.injected(0).expect("a number");
            let output = fixture.copy(&inside);
            assert!(!output.status.success(), "{faults:?}");
            assert!(String::from_utf8_lossy(&output.stderr).contains(text), "{output:?}");
            assert!(fixture.shim.injected(0).expect("a number") > before);
            assert!(fixture.copy(&outside).status.success(), "{faults:?}");
        }
        fixture.shim.heal(0).expect("set");
        assert!(fixture.copy(&inside).status.success());
    }

    #[test]
    fn a_slow_disk_is_slow_and_works() {
        let fixture = Fixture::new();
        fixture.shim.set(0, NodeFaults { sync_micros: 300_000, ..NodeFaults::default() }).expect("set");
        let begun = tokio::time::Instant::now();
        assert!(fixture.copy(&fixture.data.join("file")).status.success());
        assert!(begun.elapsed().as_millis() >= 300, "{:?}", begun.elapsed());
    }

    #[test]
    #[allow(clippy::disallowed_methods, reason = "compares with the machine's own clock")]
    fn the_clock_jumps_both_ways() {
        let fixture = Fixture::new();
        for jump in [3600i64, -3600] {
            fixture.shim.set(0, NodeFaults { clock_seconds: jump, ..NodeFaults::default() }).expect("set");
            let environment = fixture.shim.environment(0, &fixture.data).expect("a control file");
            let output = Command::new("date").arg("+%s").envs(environment).output().expect("date is on every system");
            let told: i64 = String::from_utf8_lossy(&output.stdout).trim().parse().expect("seconds");
            let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() as i64;
            assert!((told - now - jump).abs() < 60, "{told} at {now}, told to jump {jump}");
        }
    }
}

//! Damage to the files of a stopped node, as left by bad disks, bad restores and operator errors.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The kind of engine file to damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Files {
    /// The write-ahead logs.
    Log,
    /// Sorted tables.
    Table,
    Manifest,
    /// The small file that names the manifest.
    Current,
}

impl Files {
    pub const ALL: [Files; 4] = [Files::Log, Files::Table, Files::Manifest, Files::Current];

    fn matches(self, name: &str) -> bool {
        match self {
            Files::Log => name.ends_with(".log"),
            Files::Table => name.ends_with(".sst"),
            Files::Manifest => name.starts_with("MANIFEST-"),
            Files::Current => name == "CURRENT",
        }
    }
}

/// A non-empty file of this kind, if there is one. `draw(n)` returns a number below `n`.
fn choose(data: &Path, files: Files, draw: &mut dyn FnMut(u64) -> u64) -> Result<Option<(PathBuf, u64)>> {
    let mut found = Vec::new();
    let folder = data.join("db");
    for entry in fs::read_dir(&folder).with_context(|| format!("{}", folder.display()))? {
        let entry = entry?;
        let bytes = entry.metadata()?.len();
        if bytes > 0 && entry.file_name().to_str().is_some_and(|name| files.matches(name)) {
            found.push((entry.path(), bytes));
        }
    }
    // Directory order depends on the file system, and a seed must mean the same everywhere.
    found.sort();
    if found.is_empty() {
        return Ok(None);
    }
    let place = draw(found.len() as u64) as usize;
    Ok(Some(found.swap_remove(place)))
}

/// Flips one bit. Returns its position, or `None` if there is no such file.
pub fn flip_bit(data: &Path, files: Files, draw: &mut dyn FnMut(u64) -> u64) -> Result<Option<String>> {
    let Some((path, bytes)) = choose(data, files, draw)? else { return Ok(None) };
    let (at, bit) = (draw(bytes), draw(8));
    let file = File::options().read(true).write(true).open(&path)?;
    let mut byte = [0u8];
    file.read_exact_at(&mut byte, at)?;
    file.write_all_at(&[byte[0] ^ (1 << bit)], at)?;
    file.sync_all()?;
    Ok(Some(format!("bit {bit} of byte {at} of {bytes} in {}", name(&path))))
}

/// Truncates a file. Returns a description, or `None` if there is no such file.
pub fn truncate(data: &Path, files: Files, draw: &mut dyn FnMut(u64) -> u64) -> Result<Option<String>> {
    let Some((path, bytes)) = choose(data, files, draw)? else { return Ok(None) };
    let left = draw(bytes);
    let file = File::options().write(true).open(&path)?;
    file.set_len(left)?;
    file.sync_all()?;
    Ok(Some(format!("{} cut from {bytes} to {left} bytes", name(&path))))
}

/// Removes data that a node has set aside as damaged, as its operator would: a node treats several
/// of them as a broken disk.
pub fn forget(data: &Path) -> Result<()> {
    for entry in fs::read_dir(data)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(|name| name.starts_with("db.damaged-")) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// Removes everything in a node's folder. The folder stays, because it may be a mount.
pub fn wipe(data: &Path) -> Result<()> {
    for entry in fs::read_dir(data)? {
        let entry = entry?;
        let path = entry.path();
        // Entries of the file system itself are kept.
        if entry.file_name() == "lost+found" {
            continue;
        }
        if entry.file_type()?.is_dir() { fs::remove_dir_all(path)? } else { fs::remove_file(path)? }
    }
    Ok(())
}

/// Copies everything of a node into another folder.
pub fn copy(data: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(data)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_name() == "lost+found" {
            continue;
        }
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("db")).expect("created");
        fs::write(folder.path().join("db/000007.log"), [0u8; 100]).expect("written");
        fs::write(folder.path().join("db/000008.log"), []).expect("written");
        fs::write(folder.path().join("token"), "t").expect("written");
        folder
    }

    #[test]
    fn one_bit_is_flipped_in_a_file_that_holds_something() {
        let folder = folder();
        let text = flip_bit(folder.path(), Files::Log, &mut |below| below - 1).expect("flipped").expect("a file");
        assert_eq!(text, "bit 7 of byte 99 of 100 in 000007.log");
        let bytes = fs::read(folder.path().join("db/000007.log")).expect("read");
        assert_eq!((bytes[..99].iter().max(), bytes[99]), (Some(&0), 0x80));
        assert_eq!(flip_bit(folder.path(), Files::Table, &mut |_| 0).expect("looked"), None);
    }

    #[test]
    fn truncated_wiped_and_restored() {
        let folder = folder();
        let kept = tempfile::tempdir().expect("a folder");
        copy(folder.path(), kept.path()).expect("copied");
        fs::create_dir(folder.path().join("db.damaged-1")).expect("created");
        forget(folder.path()).expect("removed");
        assert!(!folder.path().join("db.damaged-1").exists() && folder.path().join("db").exists());
        truncate(folder.path(), Files::Log, &mut |below| 40.min(below - 1)).expect("cut").expect("a file");
        assert_eq!(fs::metadata(folder.path().join("db/000007.log")).expect("there").len(), 40);
        wipe(folder.path()).expect("wiped");
        assert_eq!(fs::read_dir(folder.path()).expect("there").count(), 0);
        copy(kept.path(), folder.path()).expect("restored");
        assert_eq!(fs::metadata(folder.path().join("db/000007.log")).expect("there").len(), 100);
        assert_eq!(fs::read(folder.path().join("token")).expect("there"), b"t");
    }
}

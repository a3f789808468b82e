//! Kept backups in a folder of this machine. One is taken under the name of its time with `.part`
//! behind, verified, and only then gets its name.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use tokio::task::block_in_place;
use troupe_runtime::private;

use super::{Keep, Round, name, remove_surplus};
use crate::backup::{list, take, verify};

const PART: &str = ".part";
const LOCK: &str = ".lock";

/// No other command keeps backups in it.
pub struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    pub fn open(path: &Path) -> Result<Folder> {
        private::create_dir(path).with_context(|| format!("cannot create {}", path.display()))?;
        let lock = private::create(&path.join(LOCK)).context("the folder of the backups cannot be locked")?;
        ensure!(lock.try_lock().is_ok(), "another command keeps backups in {}", path.display());
        Ok(Folder { path: path.to_owned(), _lock: lock })
    }
}

pub async fn once(keep: &Keep, Folder { path: folder, .. }: &Folder, now: u64) -> Result<Round> {
    remove_parts(folder)?;
    let name = name(now);
    let (part, whole) = (folder.join(format!("{name}{PART}")), folder.join(&name));
    let shown = whole.display().to_string();
    let made = async {
        let manifest = take(&part, &keep.access, keep.output).await?;
        keep.output.say(list::taken(&shown, &manifest).trim_end());
        block_in_place(|| verify(&part, keep.output))
    };
    let manifest = match made.await {
        Ok(manifest) => manifest,
        Err(error) => {
            // The incomplete one is worth nothing; if this fails, the next command removes it.
            let _ = fs::remove_dir_all(&part);
            return Err(error);
        }
    };
    fs::rename(&part, &whole).with_context(|| format!("cannot name {shown}"))?;
    File::open(folder)?.sync_all()?;
    keep.output.say(&format!("{shown}: verified"));
    let taken = list::complete(folder)?.into_iter().map(|(path, manifest)| (manifest.taken_ms, path)).collect();
    let removed = remove_surplus(taken, keep.retention, async |path: &PathBuf| remove(path)).await?;
    Ok(Round { shown, manifest, removed })
}

fn remove(path: &Path) -> Result<String> {
    let shown = path.display().to_string();
    fs::remove_dir_all(path).with_context(|| format!("cannot remove {shown}"))?;
    Ok(shown)
}

/// Backups that an earlier command did not finish. The lock keeps those of a running one.
fn remove_parts(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == &PART[1..]) && path.is_dir() {
            remove(&path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_backups_are_removed_and_one_command_keeps_them() {
        let folder = tempfile::tempdir().expect("a folder");
        let held = Folder::open(folder.path()).expect("the first");
        assert!(Folder::open(folder.path()).is_err(), "another command has it");
        for other in ["notes", "2020-01-01T00-00-00Z", "x.part"] {
            fs::create_dir(folder.path().join(other)).expect("made");
        }
        remove_parts(&held.path).expect("removed");
        assert!(list::complete(folder.path()).expect("read").is_empty(), "none has a manifest");
        let mut left: Vec<_> =
            fs::read_dir(folder.path()).expect("there").flatten().map(|entry| entry.file_name()).collect();
        left.sort();
        assert_eq!(left, [LOCK, "2020-01-01T00-00-00Z", "notes"]);
    }
}

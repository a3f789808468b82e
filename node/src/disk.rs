//! The data directory: opened, or, when it turns out damaged, set aside so that the node comes back
//! as a new one.
//!
//! A replica that has lost or garbled acknowledged entries must never take part again: it would
//! help to elect a leader that lacks them. The other replicas still have its content, so no
//! operator is needed. The database is renamed, an empty one takes its place, and the node asks its
//! cluster for admission as a new node, which gets fresh copies. The empty database carries a mark,
//! so that nodes that lost their data together wait for one that did not, instead of founding an
//! empty cluster. The operator decides about the renamed database.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

use anyhow::{Context, Result, bail};
use troupe_core::planted::Planted;
use troupe_runtime::private;
use troupe_store::engine::{Batch, Durability, Engine, EngineError, Family, Reader};
use troupe_store::key::node;
use troupe_store::rocks::{self, Rocks};

use crate::token;

const DATABASE: &str = "db";
pub const SET_ASIDE: &str = "db.damaged-";
/// A disk that was damaged so often is broken, and copying everything onto it once more would hide
/// that.
const TIMES: usize = 3;

/// A node's data is for its owner only, also files that an earlier version, or another umask, has
/// left open. Only the node's own files are changed; the folder itself protects the others.
pub fn make_private(data_dir: &Path) -> Result<()> {
    private::create_dir(data_dir).with_context(|| format!("cannot create {}", data_dir.display()))?;
    let own = |name: &str| name == DATABASE || name.starts_with(SET_ASIDE) || name.starts_with(token::FILE);
    let put_right = || -> io::Result<u64> {
        let mut changed = 0;
        for entry in fs::read_dir(data_dir)? {
            let entry = entry?;
            if own(&entry.file_name().to_string_lossy()) {
                changed += private::tighten(&entry.path())?;
            }
        }
        Ok(changed + private::tighten_folder(data_dir)?)
    };
    match put_right() {
        Ok(0) => {}
        Ok(changed) => tracing::info!(
            changed,
            data_dir = %data_dir.display(),
            "files and folders of this node could be read by other users; now only by their owner"
        ),
        // Of another owner, or on a file system without modes: not this node's to change.
        Err(error) => tracing::warn!(%error, data_dir = %data_dir.display(), "other users may read this node's data"),
    }
    Ok(())
}

/// Opens the database, which may mean an empty one in the place of a damaged one. `has_peers`:
/// others hold copies.
pub fn open(data_dir: &Path, has_peers: bool, planted: Planted) -> Result<Rocks> {
    let path = data_dir.join(DATABASE);
    let engine = match Rocks::open_planted(&path, planted) {
        Ok(engine) => engine,
        Err(EngineError::Damaged(why)) if has_peers => {
            let aside = set_aside(data_dir).with_context(|| format!("this node's data is damaged: {why}"))?;
            tracing::error!(
                %why,
                set_aside = %aside.display(),
                "this node's data is damaged; it is set aside, and the node joins its cluster as a new one and gets its copies from the others"
            );
            Rocks::open_planted(&path, planted)?
        }
        Err(EngineError::Damaged(why)) => bail!(
            "this node's data is damaged: {why}. Started without --join it counts as the only copy. If its cluster has other nodes, \
             start it with --join <one of them>, and it gets its copies from them; if not, put back a backup (troupe restore), or move \
             {} away to begin with nothing",
            path.display()
        ),
        Err(error) => return Err(error.into()),
    };
    // Also after a crash right behind the renaming.
    if !damaged_before(data_dir)?.is_empty() && engine.get(Family::Node, node::IDENTITY)?.is_none() {
        let mut batch = Batch::default();
        batch.put(Family::Node, node::REJOIN, []);
        engine.write(batch, Durability::Synced)?;
    }
    Ok(engine)
}

/// Opens the database of a stopped node, which must be there and undamaged. A running node holds
/// it, and this is refused.
pub fn open_stopped(data_dir: &Path) -> Result<Rocks> {
    let path = data_dir.join(DATABASE);
    if !path.join("CURRENT").exists() {
        bail!("there is no node's data in {}: give its folder with --data-dir", data_dir.display());
    }
    match Rocks::open(&path) {
        Ok(engine) => Ok(engine),
        Err(EngineError::Damaged(why)) => bail!("the data in {} is damaged: {why}", data_dir.display()),
        Err(error) => Err(error).context("the node must be stopped"),
    }
}

/// The reaction to an error that ends the node. If its data was found damaged while it ran, the
/// process starts again with the same arguments, which sets the data aside; then this does not
/// return.
pub fn after_failure(data_dir: &Path, has_peers: bool, error: anyhow::Error) -> anyhow::Error {
    match rocks::damage_mark(&data_dir.join(DATABASE)) {
        Ok(Some(_)) if has_peers => {}
        Ok(_) => return error,
        // Without file descriptors, for instance: what ended the node says nothing about its data.
        Err(unread) => {
            tracing::warn!(%unread, "cannot check whether the data of this node was found damaged; the next start checks");
            return error;
        }
    }
    tracing::error!(error = format!("{error:#}"), "the data of this node is damaged; the node starts again without it");
    match env::current_exe() {
        Ok(program) => error.context(Command::new(program).args(env::args_os().skip(1)).exec()),
        Err(unknown) => error.context(unknown),
    }
}

fn set_aside(data_dir: &Path) -> Result<PathBuf> {
    let before = damaged_before(data_dir)?;
    if before.len() >= TIMES {
        bail!(
            "it was damaged {TIMES} times before (see {}*): replace this disk, or remove those directories and start again",
            data_dir.join(SET_ASIDE).display()
        );
    }
    let number = (1..).find(|number| !before.contains(&OsString::from(format!("{SET_ASIDE}{number}"))));
    let aside = data_dir.join(format!("{SET_ASIDE}{}", number.unwrap_or(1)));
    fs::rename(data_dir.join(DATABASE), &aside)?;
    fs::File::open(data_dir)?.sync_all()?;
    Ok(aside)
}

fn damaged_before(data_dir: &Path) -> io::Result<Vec<OsString>> {
    let names = fs::read_dir(data_dir)?.map(|entry| Ok(entry?.file_name()));
    let names: Vec<OsString> = names.collect::<io::Result<_>>()?;
    Ok(names.into_iter().filter(|name| name.to_string_lossy().starts_with(SET_ASIDE)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_marked(engine: &Rocks) -> bool {
        engine.get(Family::Node, node::REJOIN).unwrap().is_some()
    }

    #[test]
    fn damaged_data_is_set_aside_where_others_have_copies() {
        let dir = tempfile::tempdir().unwrap();
        let engine = open(dir.path(), true, Planted::default()).unwrap();
        assert!(!is_marked(&engine), "an empty node may found a cluster");
        drop(engine);
        for time in 1..=TIMES {
            let engine = open_again(dir.path(), time);
            assert!(is_marked(&engine), "one that lost its data may not");
        }
        mark_damaged(dir.path());
        let error = format!("{:#}", open(dir.path(), true, Planted::default()).err().unwrap());
        assert!(error.contains("replace this disk"), "{error}");
    }

    fn mark_damaged(dir: &Path) {
        // The process that held it open has ended.
        fs::write(dir.join(DATABASE).join("DAMAGED"), "flipped").unwrap();
    }

    fn open_again(dir: &Path, time: usize) -> Rocks {
        mark_damaged(dir);
        let engine = open(dir, true, Planted::default()).unwrap();
        assert!(dir.join(format!("{SET_ASIDE}{time}")).join("CURRENT").exists());
        engine
    }

    #[test]
    fn the_only_copy_is_left_where_it_is() {
        let dir = tempfile::tempdir().unwrap();
        drop(open(dir.path(), false, Planted::default()).unwrap());
        mark_damaged(dir.path());
        let error = open(dir.path(), false, Planted::default()).err().unwrap().to_string();
        assert!(error.contains("the only copy") && error.contains("flipped"), "{error}");
        assert!(dir.path().join(DATABASE).join("CURRENT").exists());
    }
}

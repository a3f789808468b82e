//! Files and folders that only their owner may read: 0600 and 0700, from their first moment.
//!
//! Data, backups and client stores contain messages and secrets. New ones are created here.
//! Existing ones, from earlier versions or under another umask, are corrected by [`tighten`].

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

const FOLDER: u32 = 0o700;
const FILE: u32 = 0o600;
const STICKY: u32 = 0o1000;

/// Creates a folder and its missing parents. An existing folder is not changed.
pub fn create_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(FOLDER).create(path)
}

/// Creates an empty file, replacing an existing one.
pub fn create(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(FILE).open(path)?;
    tighten_file(&file)?;
    Ok(file)
}

/// Corrects an open file that others may read, or that its owner may execute.
pub fn tighten_file(file: &File) -> io::Result<bool> {
    let permissions = file.metadata()?.permissions();
    if permissions.mode() & 0o777 & !FILE == 0 {
        return Ok(false);
    }
    file.set_permissions(Permissions::from_mode(FILE))?;
    Ok(true)
}

/// Corrects a folder itself, without its content. Returns the number of corrections.
pub fn tighten_folder(path: &Path) -> io::Result<u64> {
    let found = fs::metadata(path)?;
    tighten_one(path, &found)
}

/// Corrects a file, socket or folder, and everything in it. Returns the number of corrections.
/// Links are neither followed nor changed, and a folder that all users share (as /tmp, with the
/// sticky bit) is not changed. Entries that disappear meanwhile are ignored.
pub fn tighten(path: &Path) -> io::Result<u64> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    if found.is_symlink() || (found.is_dir() && is_shared(&found)) {
        return Ok(0);
    }
    let mut changed = tighten_one(path, &found)?;
    if found.is_dir() {
        for entry in fs::read_dir(path)? {
            changed += tighten(&entry?.path())?;
        }
    }
    Ok(changed)
}

fn is_shared(found: &Metadata) -> bool {
    found.permissions().mode() & STICKY != 0
}

fn tighten_one(path: &Path, found: &Metadata) -> io::Result<u64> {
    let mode = found.permissions().mode();
    let allowed = if found.is_dir() { FOLDER } else { FILE };
    if mode & 0o777 & !allowed == 0 || (found.is_dir() && is_shared(found)) {
        return Ok(0);
    }
    match fs::set_permissions(path, Permissions::from_mode(mode & allowed)) {
        Ok(()) => Ok(1),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).expect("there").permissions().mode() & 0o777
    }

    #[test]
    fn what_others_could_read_is_put_right_and_links_are_left() {
        let outside = tempfile::tempdir().expect("a folder");
        let foreign = outside.path().join("foreign");
        fs::write(&foreign, "not ours").expect("written");
        fs::set_permissions(&foreign, Permissions::from_mode(0o644)).expect("opened up");
        let root = tempfile::tempdir().expect("a folder");
        let data = root.path().join("data");
        let deep = data.join("db/inner");
        create_dir(&deep).expect("made");
        assert_eq!((mode(&data), mode(&deep)), (0o700, 0o700));
        drop(create(&deep.join("table")).expect("made"));
        assert_eq!(mode(&deep.join("table")), 0o600);
        std::os::unix::fs::symlink(&foreign, data.join("link")).expect("linked");
        assert_eq!(tighten(&data).expect("walked"), 0);

        fs::set_permissions(&data, Permissions::from_mode(0o755)).expect("opened up");
        fs::set_permissions(deep.join("table"), Permissions::from_mode(0o644)).expect("opened up");
        assert_eq!(tighten(&data).expect("walked"), 2);
        assert_eq!((mode(&data), mode(&deep.join("table")), mode(&foreign)), (0o700, 0o600, 0o644));
        assert_eq!(tighten(&root.path().join("missing")).expect("nothing"), 0);
    }

    #[test]
    fn a_folder_that_all_users_share_is_left() {
        let shared = tempfile::tempdir().expect("a folder");
        fs::set_permissions(shared.path(), Permissions::from_mode(0o1777)).expect("shared");
        assert_eq!(tighten(shared.path()).expect("left"), 0);
        assert_eq!(mode(shared.path()), 0o777);
    }
}

//! The files of a node, a backup and a client are for their owner only, for any umask, and after an
//! earlier version.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;
use tokio::time::timeout;

use crate::server::{PATIENCE, Server, binary};

fn walk(path: &Path, visit: &mut impl FnMut(&Path, bool)) {
    let found = fs::symlink_metadata(path).expect("there");
    visit(path, found.is_dir());
    if found.is_dir() {
        fs::read_dir(path).expect("readable").for_each(|entry| walk(&entry.expect("an entry").path(), visit));
    }
}

/// Everything in a folder that others may read, with its mode.
fn open_to_others(folder: &Path) -> Vec<(PathBuf, u32)> {
    let mut open = Vec::new();
    let mut seen = 0;
    walk(folder, &mut |path, is_dir| {
        seen += 1;
        let mode = fs::symlink_metadata(path).expect("there").permissions().mode() & 0o777;
        let allowed = if is_dir { 0o700 } else { 0o600 };
        if mode & !allowed != 0 {
            open.push((path.to_owned(), mode));
        }
    });
    assert!(seen > 1, "{} is empty", folder.display());
    open
}

fn open_up(folder: &Path) {
    walk(folder, &mut |path, is_dir| {
        let mode = if is_dir { 0o755 } else { 0o644 };
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("opened up");
    });
}

async fn troupe(args: &[&OsStr]) -> String {
    let mut command = Command::new(binary());
    command.args(args).env("TROUPE_PASSWORD", "a long password").stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(PATIENCE, command.output()).await.expect("it ends").expect("it runs");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{said}");
    said
}

#[tokio::test]
async fn what_is_kept_is_for_its_owner_only() {
    let mut server = Server::started(1).await;
    assert_eq!(open_to_others(&server.data_dir()), []);
    let ours = server.cluster.dir().to_owned();

    // A client's state, in a folder that is not there yet.
    let state = ours.join("state/of/ann");
    let send = |text: &'static str| {
        let server = server.addresses().client.clone();
        let state = state.clone();
        async move {
            let args = ["msg", "send", "--as", "ann", "--register", "--server", &server, "--state-dir"].map(OsStr::new);
            troupe(&[&args[..], &[state.as_os_str(), OsStr::new(text)]].concat()).await
        }
    };
    send("hello").await;
    assert_eq!(open_to_others(&ours.join("state")), []);
    walk(&state, &mut |path, is_dir| {
        if !is_dir {
            fs::set_permissions(path, Permissions::from_mode(0o644)).expect("opened up");
        }
    });
    send("hello again").await;
    assert_eq!(open_to_others(&state), []);

    // A backup, new and old.
    let backup = ours.join("backup");
    let (taken, said) = server.asks(&[OsStr::new("backup"), backup.as_os_str()]).await;
    assert!(taken, "{said}");
    assert_eq!(open_to_others(&backup), []);
    open_up(&backup);
    let said = troupe(&[OsStr::new("backup"), OsStr::new("verify"), backup.as_os_str()]).await;
    assert!(said.contains("could be read by other users"), "{said}");
    assert_eq!(open_to_others(&backup), []);

    // A node whose data an earlier version left open.
    server.stop().await;
    open_up(&server.data_dir());
    server.start().await;
    assert_eq!(open_to_others(&server.data_dir()), []);
    let log = fs::read_to_string(server.cluster.log_path(0)).expect("a log");
    let lines = log.lines().filter(|line| line.contains("could be read by other users"));
    assert_eq!(lines.count(), 1, "{log}");
}

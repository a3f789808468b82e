//! `troupe demo`: one per folder, and every command that it prints works as it stands.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

mod programs;

use programs::troupe;

/// Nothing in these tests takes longer, except when it hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// Columns before a printed command: two blanks and its label.
const LABEL: usize = 13;

fn demo(folder: &Path) -> Command {
    let mut command = Command::new(troupe());
    command.arg("demo").arg("--data-dir").arg(folder).stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Starts one, and reads what it prints until it is ready.
async fn ready(folder: &Path) -> (Child, Vec<String>) {
    let mut child = demo(folder).stdout(Stdio::piped()).spawn().expect("it runs");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut printed = Vec::new();
    while printed.last().is_none_or(|line: &String| !line.starts_with("Ready in")) {
        let line = timeout(2 * PATIENCE, lines.next_line()).await.expect("in time").expect("readable");
        printed.push(line.expect("it says more"));
    }
    // Whatever it says later has a reader, so that it goes on.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    (child, printed)
}

async fn pasted(line: &str, home: &Path) -> (bool, String) {
    let mut shell = Command::new("sh");
    shell.args(["-c", line]).current_dir(home).env("HOME", home).env_remove("XDG_STATE_HOME");
    shell.stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(2 * PATIENCE, shell.output()).await.expect("it ends").expect("it runs");
    (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

#[tokio::test]
async fn every_printed_command_runs_as_it_stands_and_a_second_demo_is_refused() {
    let home = tempfile::tempdir().expect("a folder");
    let folder = home.path().join("a demo's folder");
    let (mut child, printed) = ready(&folder).await;
    let pid = child.id().expect("it runs");

    for (args, parts) in [
        (&[][..], [format!("in use by process {pid}"), "another --data-dir".to_owned()]),
        (&["--nodes", "5"][..], [format!("in use by process {pid}"), "another --data-dir".to_owned()]),
    ] {
        let output = timeout(PATIENCE, demo(&folder).args(args).output()).await.expect("in time").expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && parts.iter().all(|part| said.contains(part)), "{said}");
    }

    let program = troupe().display().to_string();
    let commands: Vec<&str> =
        printed.iter().filter(|line| line.contains(&program)).map(|line| &line[LABEL..]).collect();
    assert_eq!(commands.len(), 5, "{printed:#?}");
    for verb in [" chat ", " cluster status ", " node drain ", " chaos kill "] {
        assert!(commands.iter().any(|command| command.contains(verb)), "{verb} is not printed: {commands:?}");
    }
    for command in &commands {
        let (done, said) = pasted(command, home.path()).await;
        assert!(done, "{command}\n{said}");
    }

    kill(Pid::from_raw(pid as i32), Signal::SIGTERM).expect("sent");
    assert!(timeout(PATIENCE, child.wait()).await.expect("in time").expect("it ends").success());
    let output =
        timeout(PATIENCE, demo(&folder).args(["--nodes", "5"]).output()).await.expect("in time").expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("use --nodes 3, or another --data-dir"), "{said}");
}

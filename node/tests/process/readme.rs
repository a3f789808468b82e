//! README's section about several hosts: its commands run in their order, as they stand. Hosts are
//! loopback addresses, each with a folder and a port for HTTP of its own.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};
use tokio::time::{Duration, Instant, sleep, timeout};
use troupe_fetch as fetch;

use crate::server::{PATIENCE, binary};

const NAMES: [&str; 4] = ["a", "b", "c", "d"];
/// Between two looks at something that can only be looked at.
const LOOK: Duration = Duration::from_millis(20);

/// The commands of the section, without remarks.
fn commands() -> Vec<&'static str> {
    let readme = include_str!("../../../README.md");
    let (_, section) = readme.split_once("\n## Several hosts\n").expect("the section");
    let section = section.split("\n## ").next().unwrap_or_default();
    let lines = section.lines().filter_map(|line| line.strip_prefix("    "));
    lines.map(|line| line.split(" #").next().unwrap_or_default().trim_end()).collect()
}

struct Hosts {
    home: tempfile::TempDir,
    /// The exported variables of a shell, from the first line to the present one.
    exported: Vec<String>,
    token: String,
    fingerprint: String,
    nodes: Vec<Child>,
}

impl Hosts {
    /// Addresses that no other process of this machine takes.
    fn address(host: usize) -> String {
        let pid = std::process::id();
        format!("127.{}.{}.{}", 64 + pid / 250 % 128, 1 + pid % 250, host + 1)
    }

    fn folder(&self, host: usize) -> PathBuf {
        self.home.path().join(NAMES[host])
    }

    /// The command with what README leaves to the reader: names, the token and the fingerprint.
    fn filled(&self, line: &str) -> String {
        let mut line = line
            .replace("TROUPE_CLUSTER_TOKEN=...", &format!("TROUPE_CLUSTER_TOKEN={}", self.token))
            .replace("TROUPE_FINGERPRINT=...", &format!("TROUPE_FINGERPRINT={}", self.fingerprint));
        for (host, name) in NAMES.iter().enumerate() {
            for before in [' ', '=', ','] {
                line = line.replace(&format!("{before}{name}:7"), &format!("{before}{}:7", Hosts::address(host)));
            }
        }
        if line.contains("TROUPE_SERVER=") {
            // Off loopback it is TLS without a word.
            line = line.replace("TROUPE_SERVER=", "TROUPE_SERVER=tls://").replace(":7700,", ":7700,tls://");
        }
        assert!(!line.contains("..."), "{line}");
        line
    }

    /// A shell on that host, which has said all that was to be exported.
    fn shell(&self, host: usize, line: &str) -> Command {
        let folder = self.folder(host);
        std::fs::create_dir_all(&folder).expect("made");
        let programs = binary().parent().map(Path::to_owned).expect("a folder");
        let http = format!("{}:7780", Hosts::address(host));
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("PATH='{}':$PATH\n{}\n{line}", programs.display(), self.exported.join("\n"))]);
        shell.current_dir(&folder).env("HOME", &folder).env_remove("XDG_STATE_HOME");
        // The one thing that hosts share here: each has 127.0.0.1:7780 for itself.
        shell.env("TROUPE_HTTP_LISTEN", &http).env("TROUPE_HTTP", &http).kill_on_drop(true);
        shell
    }

    /// The output of a successful command, or of its failure.
    async fn run(&self, line: &str, secret: &str, input: &str) -> Result<String, String> {
        let mut shell = self.shell(0, line);
        shell.env("TROUPE_PASSWORD", secret).env("TROUPE_NEW_PASSWORD", ADMIN);
        shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = shell.spawn().expect("it runs");
        let mut stdin = child.stdin.take().expect("a pipe");
        // One that does not read may be gone already.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        let output = timeout(PATIENCE, child.wait_with_output()).await.expect("it ends").expect("it runs");
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        if output.status.success() { Ok(said) } else { Err(said) }
    }

    fn start(&mut self, line: &str, host: usize) {
        let line = self.filled(&line.replace("-listen a:", &format!("-listen {}:", NAMES[host])));
        let mut shell = self.shell(host, &format!("exec {line}"));
        let log = std::fs::File::create(self.home.path().join(format!("{}.log", NAMES[host]))).expect("made");
        shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.nodes.push(shell.spawn().expect("it runs"));
    }

    fn log(&self, host: usize) -> String {
        std::fs::read_to_string(self.home.path().join(format!("{}.log", NAMES[host]))).expect("readable")
    }

    async fn is_ready(&mut self, host: usize) {
        let (address, deadline) = (format!("{}:7780", Hosts::address(host)), Instant::now() + PATIENCE);
        while !matches!(fetch::get_json(&address, "/readyz", PATIENCE).await, Ok((200, _))) {
            assert!(Instant::now() < deadline, "{} is not ready:\n{}", NAMES[host], self.log(host));
            let ended = self.nodes[host].try_wait().expect("a child");
            assert!(ended.is_none(), "{} has ended:\n{}", NAMES[host], self.log(host));
            sleep(LOOK).await;
        }
    }

    /// The one-time password that one of the first nodes has printed, once.
    async fn one_time_password(&self) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let logs: String = (0..3).map(|host| self.log(host)).collect();
            let mut told = logs.lines().filter_map(|line| line.split_once("one-time password: "));
            if let Some((_, password)) = told.next() {
                assert_eq!(told.next(), None, "it is printed once");
                return password.trim().to_owned();
            }
            assert!(Instant::now() < deadline, "{logs}");
            sleep(LOOK).await;
        }
    }
}

const ADMIN: &str = "a password of the administrator";
const ALICE: &str = "the password of alice";

#[tokio::test]
async fn the_commands_for_several_hosts_work_in_their_order() {
    let home = tempfile::tempdir().expect("a folder");
    let (token, fingerprint) = (String::new(), String::new());
    let mut hosts = Hosts { home, exported: Vec::new(), token, fingerprint, nodes: Vec::new() };
    let mut verbs = Vec::new();
    for line in commands() {
        if line.starts_with("export ") {
            let exported = hosts.filled(line);
            hosts.exported.push(exported);
            continue;
        }
        let verb: Vec<&str> = line.split(' ').skip(1).take(2).collect();
        let verb = verb.join(" ");
        verbs.push(verb.clone());
        if verb == "start --join" {
            let joining = if hosts.nodes.is_empty() { 0..3 } else { hosts.nodes.len()..hosts.nodes.len() + 1 };
            for host in joining.clone() {
                hosts.start(line, host);
            }
            for host in joining {
                hosts.is_ready(host).await;
            }
            continue;
        }
        let (secret, input) = match &*verb {
            "chat --as" => (ALICE.to_owned(), "hello from afar\n"),
            "passwd --as" => (hosts.one_time_password().await, ""),
            _ => (ADMIN.to_owned(), ""),
        };
        let line = hosts.filled(line);
        let said = hosts.run(&line, &secret, input).await.unwrap_or_else(|said| panic!("{line}\n{said}"));
        let shown: &[&str] = match &*verb {
            "token new" => {
                hosts.token = said.trim().to_owned();
                &[]
            }
            "token ca" => {
                let printed = said.lines().find_map(|line| line.strip_prefix("fingerprint "));
                hosts.fingerprint = printed.expect("a fingerprint").to_owned();
                &[]
            }
            "chat --as" => &["[everyone] hello from afar", "✓ #1"],
            "user list" => &["admin", "alice"],
            "invite create" => &["code "],
            "cluster settings" => &["invite"],
            "cluster status" => &["ready"],
            "node drain" => &["moves:", "dry run"],
            "backup verify" => &["as saved"],
            _ => &[],
        };
        for part in shown {
            assert!(said.contains(part), "{part:?} is missing after {line}:\n{said}");
        }
        if verb == "cluster status" {
            assert_eq!(said.lines().filter(|line| line.ends_with(" ready")).count(), hosts.nodes.len(), "{said}");
        }
    }
    for verb in ["token new", "start --join", "chat --as", "user list", "cluster status", "node drain", "backup monday"]
    {
        assert!(verbs.iter().any(|seen| seen == verb), "{verb} is not in README: {verbs:?}");
    }

    // All of that went over TLS, to the cluster of that fingerprint: to no other one.
    let other: String = hosts.fingerprint.chars().rev().collect();
    let refused = hosts.run(&format!("TROUPE_FINGERPRINT={other} troupe user list --as admin"), ADMIN, "").await;
    let refused = refused.expect_err("another fingerprint");
    assert!(refused.contains("another key") && refused.contains(&hosts.fingerprint), "{refused}");
}

/// The commands of the README as printed.
#[test]
fn no_command_of_the_readme_ends_with_a_remark_that_a_shell_would_run() {
    let readme = include_str!("../../../README.md");
    let commands: Vec<&str> =
        readme.lines().filter(|line| line.starts_with("    ") && line.contains("troupe ")).collect();
    assert!(commands.len() > 10, "{commands:?}");
    for line in commands {
        let command = line.split(" #").next().unwrap_or_default();
        let prose = line.contains("troupe demo: ");
        assert!(prose || !command.contains('('), "{line}");
    }
}

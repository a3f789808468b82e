//! `troupe debug zip`: one archive for a person who is to find out what is wrong with a cluster.
//!
//! It holds the configuration without secrets, the findings of `troupe doctor`, the answers of all
//! nodes, and the last part of logs. A part that cannot be had is named in `missing.txt`, because
//! the archive is wanted most when something is down. It holds no messages, except where a log has
//! them.

mod redact;

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tokio::process::Command;
use troupe_fetch as fetch;
use troupe_runtime::private;
use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

use crate::asker::Asker;
use crate::config::{self, Keys, Settings};
use crate::{accounts, cli, doctor, status};

#[derive(Subcommand)]
pub enum DebugVerb {
    /// Gather configuration, findings, status, metrics and logs in one archive, without secrets
    Zip(Zip),
}

#[derive(Args)]
pub struct Zip {
    /// The archive, which must not exist yet
    #[arg(default_value = "troupe-debug.zip")]
    pub file: PathBuf,
    /// HTTP addresses of any nodes, comma-separated
    #[arg(long, default_value = "127.0.0.1:7780", env = "TROUPE_HTTP")]
    pub http: String,
    /// Log files, of which the last part is taken
    #[arg(long = "log", value_name = "FILE")]
    pub logs: Vec<PathBuf>,
    /// Service of systemd whose journal is taken, if this machine has one
    #[arg(long, default_value = "troupe")]
    pub unit: String,
    /// Configuration file (TOML) of the node
    #[arg(long, env = "TROUPE_CONFIG")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub keys: Keys,
}

const PATIENCE: Duration = Duration::from_secs(5);
/// For the journal, which may be large.
const JOURNAL_TIME: Duration = Duration::from_secs(20);
/// Of each log.
const LOG_BYTES: u64 = 8 * 1024 * 1024;
const JOURNAL_LINES: &str = "20000";
/// The paths that each node is asked for, and the file of each answer.
const PAGES: [(&str, &str); 4] = [
    ("/readyz?verbose", "readyz.json"),
    ("/v1/cluster", "cluster.json"),
    ("/v1/upgrade", "upgrade.json"),
    ("/metrics", "metrics.txt"),
];

pub async fn run(DebugVerb::Zip(args): DebugVerb) -> Result<()> {
    ensure!(!args.file.exists(), "{} exists already: name another file", args.file.display());
    let file = private::create(&args.file).with_context(|| format!("cannot write {}", args.file.display()))?;
    let mut archive = Archive { zip: ZipWriter::new(file), missing: Vec::new() };
    archive.add("about.json", pretty(&about()).as_bytes())?;
    archive.keep("config.txt", configuration(&args))?;
    let findings = doctor::examine(args.config.as_deref(), &args.keys, Some(&args.http)).await;
    archive.add("doctor.json", pretty(&doctor::as_json(&findings)).as_bytes())?;
    archive.keep("status.json", status::gather(&args.http).await.map(|status| pretty(&status).into_bytes()))?;
    for (name, address) in nodes(&args.http).await {
        for (path, page) in PAGES {
            let answer = fetch::get(&address, path, PATIENCE).await.map(|(_, body)| body.to_vec());
            archive.keep(&format!("nodes/{name}/{page}"), answer)?;
        }
    }
    for (at, path) in args.logs.iter().enumerate() {
        let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        archive
            .keep(&format!("logs/{}-{name}", at + 1), last_part(path).map(|text| redact::log(&text).into_bytes()))?;
    }
    archive.keep("logs/journal.txt", journal(&args.unit).await.map(|text| redact::log(&text).into_bytes()))?;
    let missing = archive.finish()?;
    missing.iter().for_each(|line| eprintln!("missing: {line}"));
    println!("{}: read it before you give it away; it names users, hosts and addresses", args.file.display());
    Ok(())
}

struct Archive {
    zip: ZipWriter<File>,
    missing: Vec<String>,
}

impl Archive {
    fn add(&mut self, name: &str, content: &[u8]) -> Result<()> {
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        self.zip.start_file(name, options.unix_permissions(0o600))?;
        Ok(self.zip.write_all(content)?)
    }

    fn keep(&mut self, name: &str, content: Result<Vec<u8>>) -> Result<()> {
        match content {
            Ok(content) => self.add(name, &content),
            Err(error) => {
                self.missing.push(format!("{name}: {error:#}"));
                Ok(())
            }
        }
    }

    /// The parts that are not in it.
    fn finish(mut self) -> Result<Vec<String>> {
        let missing = std::mem::take(&mut self.missing);
        self.add("missing.txt", missing.iter().map(|line| format!("{line}\n")).collect::<String>().as_bytes())?;
        self.zip.finish()?.sync_all()?;
        Ok(missing)
    }
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

fn about() -> Value {
    let system = std::fs::read_to_string("/proc/version").unwrap_or_default();
    json!({ "program": crate::version(), "taken_ms": accounts::now_ms(), "system": system.trim() })
}

/// As `troupe config explain` shows it, which hides secrets.
fn configuration(args: &Zip) -> Result<Vec<u8>> {
    let settings = Settings::gather(args.config.as_deref(), std::env::vars(), &args.keys.0, &cli::variables())?;
    Ok(config::explain(&settings, None)?.into_bytes())
}

/// A folder's name and the address of each node that can be asked. Without an answer these are the
/// given addresses, since a node that starts has something to say too.
async fn nodes(http: &str) -> Vec<(String, String)> {
    let mut asker = Asker::new(http);
    let Ok((_, seen)) = asker.get("/v1/cluster").await else {
        let named = |(at, address): (usize, &String)| (format!("address-{}", at + 1), address.clone());
        return asker.addresses().iter().enumerate().map(named).collect();
    };
    let node = |node: &Value| {
        let address = node["http"].as_str().filter(|address| !address.is_empty())?;
        Some((node["id"].to_string(), address.to_owned()))
    };
    seen["nodes"].as_array().into_iter().flatten().filter_map(node).collect()
}

fn last_part(path: &Path) -> Result<String> {
    let cannot = || format!("cannot read {}", path.display());
    let mut file = File::open(path).with_context(cannot)?;
    let length = file.metadata().with_context(cannot)?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LOG_BYTES))).with_context(cannot)?;
    let mut bytes = Vec::new();
    file.take(LOG_BYTES).read_to_end(&mut bytes).with_context(cannot)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

async fn journal(unit: &str) -> Result<String> {
    let mut command = Command::new("journalctl");
    command.args(["--no-pager", "--output=short-iso", "--lines", JOURNAL_LINES, "--unit", unit]);
    command.stdin(std::process::Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(JOURNAL_TIME, command.output()).await.context("journalctl takes too long")?;
    let output = output.context("no journal")?;
    ensure!(output.status.success(), "journalctl: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::asker::stand_in;

    fn content(path: &Path) -> BTreeMap<String, String> {
        let mut archive = zip::ZipArchive::new(File::open(path).expect("there")).expect("an archive");
        let mut files = BTreeMap::new();
        for at in 0..archive.len() {
            let mut file = archive.by_index(at).expect("a file");
            let name = file.name().to_owned();
            let mut text = String::new();
            file.read_to_string(&mut text).expect("text");
            files.insert(name, text);
        }
        files
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_archive_holds_what_could_be_had_and_no_secret() {
        let folder = tempfile::tempdir().expect("a folder");
        let up = stand_in::node(|path| match path {
            "/readyz" | "/readyz?verbose" => json!({ "ready": true, "node": 1, "reasons": [] }),
            _ => json!({ "cluster_id": "c1", "node": 1, "nodes": [{ "id": 1, "http": "127.0.0.1:1" }], "shards": [] }),
        })
        .await;
        let token = crate::token::generate();
        let log = folder.path().join("node.log");
        std::fs::write(&log, format!("one-time password: hunter22\nthe token {token} is kept\n")).expect("written");
        let args = Zip {
            file: folder.path().join("debug.zip"),
            http: up,
            logs: vec![log, folder.path().join("gone.log")],
            unit: "no-such-unit".to_owned(),
            config: None,
            keys: Keys(vec![("cluster.token", token.clone()), ("data.dir", folder.path().display().to_string())]),
        };
        let file = args.file.clone();
        run(DebugVerb::Zip(args)).await.expect("made");
        assert_eq!(std::fs::metadata(&file).expect("there").permissions().mode() & 0o777, 0o600);
        let files = content(&file);
        for wanted in ["about.json", "config.txt", "doctor.json", "status.json", "logs/1-node.log", "missing.txt"] {
            assert!(files.contains_key(wanted), "{wanted}: {:?}", files.keys());
        }
        assert!(files["missing.txt"].contains("gone.log"), "{}", files["missing.txt"]);
        assert!(files["missing.txt"].contains("nodes/1/metrics.txt"), "{}", files["missing.txt"]);
        for (name, text) in &files {
            assert!(!text.contains(&token) && !text.contains("hunter22"), "{name} has a secret: {text}");
        }
    }

    #[test]
    fn a_long_log_loses_its_beginning() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log");
        std::fs::write(&path, vec![b'a'; LOG_BYTES as usize + 10]).expect("written");
        assert_eq!(last_part(&path).expect("read").len() as u64, LOG_BYTES);
    }
}

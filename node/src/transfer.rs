//! `troupe export`, `troupe import` and `troupe import cim|wukongim|tinode`: the content of a
//! cluster as a bundle, and back, and from other systems.
//!
//! Both go over the HTTP port of any node with the cluster's key ([`crate::operate`]). The bundle
//! and the conversions are [`troupe_transfer`].

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Subcommand};
use prost::Message;
use serde_json::json;
use troupe_fetch as fetch;
use troupe_proto::wire::client as wire;
use troupe_runtime::{Rng, private};
use troupe_transfer::bundle::Reader;
use troupe_transfer::cluster::{Cluster, Refused};
use troupe_transfer::convert::{self, Origin};
use troupe_transfer::export::{self, export};
use troupe_transfer::import::{self, NoSecrets, Secrets, import};
use troupe_transfer::report::Report;
use wire::admin_answer::Answer;

use crate::accounts::now_ms;
use crate::arguments::Output;
use crate::asker::Asker;
use crate::operate;
use crate::operator::{Key, operator_key};

#[derive(Args)]
pub struct Export {
    /// An empty directory, or one that does not exist yet
    pub directory: PathBuf,
    /// Hashes of passwords too: with them a reader of the bundle can guess passwords
    #[arg(long)]
    pub password_hashes: bool,
    #[command(flatten)]
    pub cluster: Target,
}

#[derive(Args)]
pub struct Target {
    /// HTTP addresses of any nodes, comma-separated; the next one is used if one does not answer
    #[arg(long, default_value = "127.0.0.1:7780", env = "TROUPE_HTTP")]
    pub http: String,
    #[command(flatten)]
    pub key: Key,
    /// The form of the report
    #[arg(short, long, value_enum, default_value = "table")]
    pub output: Output,
    /// The earlier way to ask for JSON
    #[arg(long, hide = true)]
    pub json: bool,
}

impl Target {
    fn form(&self) -> Output {
        if self.json { Output::Json } else { self.output }
    }
}

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Import {
    #[command(subcommand)]
    pub from: Option<From>,
    /// A bundle that troupe export has made
    #[arg(required = true)]
    pub directory: Option<PathBuf>,
    #[command(flatten)]
    pub how: How,
}

#[derive(Subcommand)]
pub enum From {
    /// Accounts and waiting messages of CIM: a dump of Redis (dump.rdb), of MySQL (mysqldump), or
    /// both
    Cim(Converted),
    /// WuKongIM: the directory that wkdb export has made
    Wukongim(Converted),
    /// Tinode: the data.json of tinode-db
    Tinode(Converted),
}

#[derive(Args)]
pub struct Converted {
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Keep the bundle that they are converted to in this directory
    #[arg(long)]
    pub keep: Option<PathBuf>,
    #[command(flatten)]
    pub how: How,
}

#[derive(Args)]
pub struct How {
    /// Only read and report, without a cluster
    #[arg(long)]
    pub dry_run: bool,
    /// Accounts of the cluster with the names of others in the bundle are the same people
    #[arg(long)]
    pub merge: bool,
    /// Leave out the channel of all, which a cluster in use has already
    #[arg(long)]
    pub without_everyone: bool,
    /// Give accounts without a password a one-time password, and append them to this file
    #[arg(long, value_name = "FILE")]
    pub one_time_passwords: Option<PathBuf>,
    #[command(flatten)]
    pub cluster: Target,
}

pub async fn run_export(args: Export) -> Result<()> {
    let cluster = Operator::reach(&args.cluster).await?;
    let options = export::Options { password_hashes: args.password_hashes };
    let (manifest, report) = export(&cluster, &args.directory, options, Rng::from_os().bytes(), now_ms).await?;
    show(&report, args.cluster.form(), false);
    args.cluster.form().say(&format!("{}: {} parts", args.directory.display(), manifest.parts.len()));
    Ok(())
}

pub async fn run_import(args: Import) -> Result<()> {
    let (origin, converted) = match args.from {
        None => {
            let directory = args.directory.context("name a bundle: troupe import <directory>")?;
            let mut bundle = Reader::open(&directory)?;
            return take(&mut bundle, &args.how, Report::default()).await;
        }
        Some(From::Cim(converted)) => (Origin::Cim, converted),
        Some(From::Wukongim(converted)) => (Origin::WuKongIm, converted),
        Some(From::Tinode(converted)) => (Origin::Tinode, converted),
    };
    let files: Vec<&Path> = converted.files.iter().map(PathBuf::as_path).collect();
    let scratch = Scratch::new(converted.keep.clone());
    let (_, report) = convert::convert(origin, &files, &scratch.directory, now_ms())?;
    let mut bundle = Reader::open(&scratch.directory)?;
    take(&mut bundle, &converted.how, report).await
}

/// Imports a bundle. `converted`: what the conversion to it has dropped.
async fn take(bundle: &mut Reader, how: &How, converted: Report) -> Result<()> {
    let output = how.cluster.form();
    if how.dry_run {
        bundle.verify()?;
        let mut report = converted;
        if report.taken.is_empty() {
            report.took("accounts", bundle.manifest.accounts);
            report.took("conversations", bundle.manifest.conversations);
            report.took("events", bundle.manifest.events);
        }
        show(&report, output, true);
        return Ok(());
    }
    let cluster = Operator::reach(&how.cluster).await?;
    let options = import::Options { merge: how.merge, without_everyone: how.without_everyone };
    let run = Rng::from_os().bytes();
    let taken = match &how.one_time_passwords {
        Some(file) => import(&cluster, bundle, options, &mut SecretFile::open(file)?, run).await?,
        None => import(&cluster, bundle, options, &mut NoSecrets, run).await?,
    };
    // The counts of the conversion are those of the bundle, not of the cluster.
    let mut report = Report { dropped: converted.dropped, changed: converted.changed, ..taken.clone() };
    report.dropped.extend(taken.dropped);
    report.changed.extend(taken.changed);
    show(&report, output, false);
    ensure!(report.failed == 0, "{} were refused: the report says why; the others are in", report.failed);
    Ok(())
}

fn show(report: &Report, output: Output, dry_run: bool) {
    let lines = || {
        let last = dry_run.then(|| "nothing was imported: this was a dry run".to_owned());
        report.lines().into_iter().chain(last).map(|line| line + "\n").collect::<String>()
    };
    output.print(|| json!({ "dry_run": dry_run, "report": report }), lines);
}

/// The directory of a converted bundle: kept where it was asked for, removed otherwise.
struct Scratch {
    directory: PathBuf,
    keep: bool,
}

impl Scratch {
    fn new(keep: Option<PathBuf>) -> Scratch {
        let is_kept = keep.is_some();
        let fresh = || {
            let name: String = Rng::from_os().bytes::<8>().iter().map(|byte| format!("{byte:02x}")).collect();
            std::env::temp_dir().join(format!("troupe-import-{name}"))
        };
        Scratch { directory: keep.unwrap_or_else(fresh), keep: is_kept }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.keep {
            // It may never have been made.
            let _ = std::fs::remove_dir_all(&self.directory);
        }
    }
}

/// One-time passwords, a line each: name, tab, password. A line is on disk before its password is
/// used; of two lines of one name the last one holds.
struct SecretFile {
    file: std::fs::File,
    shown: String,
}

impl SecretFile {
    fn open(path: &Path) -> Result<SecretFile> {
        let shown = path.display().to_string();
        let opened = OpenOptions::new().append(true).create(true).mode(0o600).open(path);
        let file = opened.with_context(|| format!("cannot write {shown}"))?;
        private::tighten_file(&file).with_context(|| format!("cannot make {shown} private"))?;
        Ok(SecretFile { file, shown })
    }
}

impl Secrets for SecretFile {
    fn make(&mut self, name: &str) -> troupe_transfer::Result<Option<String>> {
        let password = Rng::from_os().password();
        let groups: Vec<&[u8]> = password.as_bytes().chunks(4).collect();
        let password = String::from_utf8_lossy(&groups.join(&b'-')).into_owned();
        let written = writeln!(self.file, "{name}\t{password}").and_then(|()| self.file.sync_data());
        written.map_err(troupe_transfer::Error::io(&self.shown))?;
        Ok(Some(password))
    }
}

/// The cluster, over the HTTP ports of its nodes.
pub struct Operator {
    addresses: Vec<String>,
    key: Option<String>,
    id: String,
}

/// For one answer.
const ANSWER: Duration = Duration::from_secs(20);
/// For a cluster that has no leader, or is restarted: longer than both take.
const PATIENCE: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(250);

impl Operator {
    pub async fn reach(target: &Target) -> Result<Operator> {
        let key = operator_key(&target.key)?;
        let mut asker = Asker::new(&target.http);
        asker.look().await?;
        let (address, seen) = asker.get("/v1/cluster").await?;
        let Some(id) = seen["cluster_id"].as_str() else { bail!("{address} does not name its cluster") };
        Ok(Operator { addresses: asker.addresses().to_vec(), key, id: id.to_owned() })
    }

    /// One attempt at one node. `Err(Ok)`: the answer is definite. `Err(Err)`: try again.
    async fn attempt(&self, address: &str, body: &[u8]) -> std::result::Result<Answer, Attempt> {
        let body = bytes::Bytes::copy_from_slice(body);
        let asked = fetch::post(address, operate::PATH, self.key.as_deref(), body, ANSWER).await;
        let (status, body) = asked.map_err(|error| Attempt::Again { after: PAUSE, why: format!("{error:#}") })?;
        if status == 200 {
            let answer = wire::AdminAnswer::decode(body).ok().and_then(|answer| answer.answer);
            return answer.ok_or(Attempt::Refused(Refused::here(Refused::BAD_ANSWER, "the node gives another answer")));
        }
        if let Ok(json) = serde_json::from_slice::<serde_json::Value>(&body) {
            let why = json["error"].as_str().unwrap_or("the node refuses").to_owned();
            return Err(match status {
                503 => Attempt::Again { after: PAUSE, why },
                404 | 405 => {
                    Attempt::Refused(Refused::here("upgrade_pending", "the node is of an earlier version: upgrade it"))
                }
                _ => Attempt::Refused(Refused::here(Refused::NOT_PERMITTED, why)),
            });
        }
        let Ok(wire::Failure { code, text, retry_after_ms, .. }) = wire::Failure::decode(body) else {
            return Err(Attempt::Refused(Refused::here(
                "bad_answer",
                format!("{address} answers with status {status}"),
            )));
        };
        match status {
            409 => Err(Attempt::Refused(Refused { code, text })),
            _ => Err(Attempt::Again { after: Duration::from_millis(retry_after_ms.into()).max(PAUSE), why: text }),
        }
    }
}

enum Attempt {
    Refused(Refused),
    Again { after: Duration, why: String },
}

impl Cluster for Operator {
    async fn perform(&self, admin: wire::Admin) -> std::result::Result<Answer, Refused> {
        let body = admin.encode_to_vec();
        let begin = tokio::time::Instant::now();
        let mut nodes = self.addresses.iter().cycle();
        loop {
            let Some(address) = nodes.next() else {
                return Err(Refused::here(Refused::UNAVAILABLE, "no node is named: --http host:port"));
            };
            match self.attempt(address, &body).await {
                Ok(answer) => return Ok(answer),
                Err(Attempt::Refused(refused)) => return Err(refused),
                Err(Attempt::Again { why, .. }) if begin.elapsed() > PATIENCE => {
                    return Err(Refused::here(Refused::UNAVAILABLE, why));
                }
                Err(Attempt::Again { after, .. }) => tokio::time::sleep(after).await,
            }
        }
    }

    fn id(&self) -> String {
        self.id.clone()
    }
}

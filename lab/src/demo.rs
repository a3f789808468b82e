//! `troupe demo`: a whole cluster of real processes on this machine, with accounts to try it.
//!
//! [`check`] plays a story on such a cluster by itself.

mod check;
mod faults;
mod storm;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use troupe_chaos::control::{self, Asked};
use troupe_chaos::local::{FolderLock, LocalCluster, write_secret};
use troupe_client::Client;
use troupe_fetch as fetch;
use troupe_raft::transport::token::Token;
use troupe_runtime::{Rng, private};

use crate::cluster::{Interrupted, plan, tempdir};

#[derive(Args)]
pub struct Demo {
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=7))]
    pub nodes: u8,
    /// Keep the cluster here
    #[arg(long, default_value = "./troupe-demo", conflicts_with = "ephemeral")]
    pub data_dir: PathBuf,
    /// Keep nothing: a temporary folder, removed at the end
    #[arg(long)]
    pub ephemeral: bool,
    /// One line of JSON when ready, for scripts
    #[arg(long)]
    pub json: bool,
    /// Leave a node that dies as it is, instead of starting it again after 5 seconds
    #[arg(long)]
    pub no_restart: bool,
    /// Put a proxy in front of every node, so that `troupe chaos partition` and `network` can break
    /// the network between them
    #[arg(long)]
    pub chaos: bool,
    /// Play conversations and walk the features by itself, kill a node in the middle, check
    /// everything, and end
    #[arg(long)]
    pub check: bool,
}

/// The join token of the cluster, for the commands of an operator.
const TOKEN_FILE: &str = "token";
const NAMES: [&str; 3] = ["alice", "bob", "carol"];
/// A cold start of three nodes takes a second or two; a busy machine more.
const START: Duration = Duration::from_secs(60);
/// A node that died comes back after this.
const RESTART: Duration = Duration::from_secs(5);

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Account {
    pub name: String,
    pub password: String,
}

pub async fn run(args: Demo, troupe: &Path) -> Result<ExitCode> {
    if args.check {
        return check::run(usize::from(args.nodes), troupe).await;
    }
    let temporary = if args.ephemeral { Some(tempdir()?) } else { None };
    let dir = temporary.as_ref().map_or(args.data_dir.clone(), |temporary| temporary.0.clone());
    private::create_dir(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
    let holder = FolderLock::take(&dir)?;
    let faults = faults::Control::bind().await?;
    let mut cluster = plan(troupe, dir, usize::from(args.nodes), &[("http.control", &faults.address())])?;
    write_secret(&cluster.dir().join(TOKEN_FILE), format!("{}\n", cluster.token()).as_bytes())?;
    if args.chaos {
        ensure!(
            troupe_chaos::proxy::is_possible(),
            "--chaos wants the loopback addresses 127.0.1.1 and up on this machine"
        );
        cluster.put_proxies(Rng::from_os().u64()).await?;
    }
    let orders = control::listen(cluster.dir(), &holder)?;
    let begun = Instant::now();
    let mut interrupted = Interrupted::new()?;
    let accounts = tokio::select! {
        accounts = bring_up(&mut cluster) => accounts?,
        () = interrupted.wait() => return stop(cluster).await,
    };
    let key = faults.key();
    faults.serve(stage(&cluster, &accounts).await?);
    if args.json {
        println!("{}", ready_line(&cluster, &accounts, &key).await?);
    } else {
        print!("{}", banner(&cluster, &accounts, &key, args.ephemeral, begun.elapsed()).await?);
    }
    tokio::select! {
        watched = supervise(&mut cluster, orders, !args.no_restart, args.json) => watched?,
        () = interrupted.wait() => {}
    }
    if !args.json {
        println!("\nstopping all nodes ...");
    }
    stop(cluster).await
}

async fn stop(mut cluster: LocalCluster) -> Result<ExitCode> {
    cluster.stop_all(Duration::from_secs(15)).await?;
    Ok(ExitCode::SUCCESS)
}

/// Starts all nodes and makes the accounts, or finds them.
async fn bring_up(cluster: &mut LocalCluster) -> Result<Vec<Account>> {
    let all: Vec<usize> = (0..cluster.len()).collect();
    cluster.start_all()?;
    cluster.wait_ready(&all, START).await?;
    accounts(cluster, &NAMES).await
}

/// Registers each name with a random password, once per directory.
pub async fn accounts(cluster: &LocalCluster, names: &[&str]) -> Result<Vec<Account>> {
    let path = cluster.dir().join("accounts.json");
    if let Ok(bytes) = std::fs::read(&path) {
        return serde_json::from_slice(&bytes).with_context(|| format!("{} is damaged", path.display()));
    }
    let rng = Rng::from_os();
    let mut accounts = Vec::new();
    for name in names {
        let account = Account { name: name.to_string(), password: rng.password() };
        Client::builder()
            .nodes(cluster.client_addresses())
            .credentials(&account.name, &account.password)
            .register()
            .await
            .with_context(|| format!("cannot register {name}"))?;
        accounts.push(account);
    }
    if let Some(first) = accounts.first() {
        make_admin(cluster, &first.name).await?;
    }
    write_secret(&path, &serde_json::to_vec_pretty(&accounts)?)?;
    Ok(accounts)
}

/// The first account administers the cluster: `troupe user list --as alice`.
async fn make_admin(cluster: &LocalCluster, name: &str) -> Result<()> {
    let key = Token::parse(cluster.token())?.operator_key();
    let path = format!("/v1/users/{name}/make-admin");
    let http = &cluster.addresses(0).http;
    let (status, answer) = fetch::post_json(http, &path, Some(key.reveal()), START).await?;
    ensure!(status == 200, "{name} is not made an administrator: {answer}");
    Ok(())
}

/// The cluster's own number of a node: it is given at birth, in the order of addresses.
async fn node_id(cluster: &LocalCluster, index: usize) -> Result<u64> {
    let (_, answer) = cluster.readiness(index).await?;
    answer["node"].as_u64().context("/readyz does not say which node it is")
}

async fn stage(cluster: &LocalCluster, accounts: &[Account]) -> Result<faults::Stage> {
    let (mut nodes, mut pages, mut http) = (Vec::new(), Vec::new(), Vec::new());
    for index in 0..cluster.len() {
        nodes.push(node_id(cluster, index).await?);
        let addresses = cluster.addresses(index);
        pages.extend([addresses.http.clone(), addresses.client.clone()]);
        http.push(addresses.http.clone());
    }
    Ok(faults::Stage {
        dir: cluster.dir().to_owned(),
        nodes,
        pages,
        cuts: cluster.proxy().is_some(),
        http,
        clients: cluster.client_addresses(),
        accounts: accounts.to_vec(),
    })
}

async fn ready_line(cluster: &LocalCluster, accounts: &[Account], key: &str) -> Result<String> {
    let mut nodes = Vec::new();
    for index in 0..cluster.len() {
        let addresses = cluster.addresses(index);
        nodes.push(serde_json::json!({
            "id": node_id(cluster, index).await?,
            "pid": cluster.pid(index),
            "client": addresses.client,
            "http": addresses.http,
        }));
    }
    Ok(serde_json::json!({ "nodes": nodes, "accounts": accounts, "control": key }).to_string())
}

async fn banner(
    cluster: &LocalCluster,
    accounts: &[Account],
    key: &str,
    ephemeral: bool,
    took: Duration,
) -> Result<String> {
    let kept = if ephemeral { "dropped at the end" } else { "kept; --ephemeral to drop" };
    let mut out = format!("troupe demo: {} nodes, data in {} ({kept})\n\n", cluster.len(), cluster.dir().display());
    for index in 0..cluster.len() {
        let addresses = cluster.addresses(index);
        out.push_str(&format!(
            "  node {}   clients {}   http://{}   process {}\n",
            node_id(cluster, index).await?,
            addresses.client,
            addresses.http,
            cluster.pid(index).unwrap_or_default()
        ));
    }
    out.push_str("\n  accounts (random passwords");
    out.push_str(if ephemeral { ")\n" } else { ", also in accounts.json there)\n" });
    for (place, account) in accounts.iter().enumerate() {
        let role = if place == 0 { "   (administrator)" } else { "" };
        out.push_str(&format!("    {:<8}{}{role}\n", account.name, account.password));
    }
    out.push('\n');
    for (place, account) in accounts.iter().enumerate().take(2) {
        let (label, remark) = if place == 0 { ("browser", "signed in") } else { ("", "in another window") };
        let http = &cluster.addresses(place % cluster.len()).http;
        out.push_str(&format!("  {label:<11}{}   # {remark}\n", web_link(http, account, key)));
    }
    for Printed { label, command, remark } in printed(cluster, accounts) {
        let remark = if remark.is_empty() { String::new() } else { format!("   # {remark}") };
        out.push_str(&format!("  {label:<11}{command}{remark}\n"));
    }
    out.push_str(&format!("\nReady in {:.1} s. Ctrl-C stops all nodes.\n", took.as_secs_f64()));
    Ok(out)
}

/// The web client, signed in, with the control of faults. A browser keeps the part behind `#` to
/// itself, and the page removes it from its address.
fn web_link(http: &str, account: &Account, key: &str) -> String {
    format!("http://{http}/#in/{}/{}/{key}", account.name, account.password)
}

/// A command that a person may paste into a shell as it stands; the remark behind it is a comment
/// there.
struct Printed {
    label: &'static str,
    command: String,
    remark: String,
}

fn printed(cluster: &LocalCluster, accounts: &[Account]) -> Vec<Printed> {
    let program = quoted(&crate::called(cluster.binary()));
    let http = &cluster.addresses(0).http;
    let chat = |account: &Account, index: usize| {
        let server = &cluster.addresses(index % cluster.len()).client;
        format!("TROUPE_PASSWORD={} {program} chat --as {} --server {server}", account.password, account.name)
    };
    let folder = match cluster.dir() == Path::new("./troupe-demo") {
        true => String::new(),
        false => format!(" --data-dir {}", quoted(&cluster.dir().display().to_string())),
    };
    let token = quoted(&cluster.dir().join(TOKEN_FILE).display().to_string());
    let last = cluster.len();
    let mut out = Vec::new();
    let mut say =
        |label, command: String, remark: &str| out.push(Printed { label, command, remark: remark.to_owned() });
    say("chat", chat(&accounts[0], 0), "");
    say("", chat(&accounts[1], 1), "in another terminal");
    say("look", format!("{program} cluster status --http {http}"), "");
    if last > 1 {
        let fewer = (last - 1).min(2);
        let drain = format!("{program} node drain {last} --replication {fewer} --http {http} --token-file {token}");
        say("plan", format!("{drain} --dry-run"), "what would move; without --dry-run it does");
    }
    let comes_back = format!("it comes back after {} seconds", RESTART.as_secs());
    say("break it", format!("{program} chaos kill leader{folder}"), &comes_back);
    if cluster.proxy().is_some() {
        say("", format!("{program} chaos partition leader{folder}; {program} chaos heal{folder}"), "");
    }
    out
}

/// As one word of a shell.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:=@%,~".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// Notices nodes that die, says so, and starts them again; obeys `troupe chaos`.
async fn supervise(
    cluster: &mut LocalCluster,
    mut orders: mpsc::Receiver<Asked>,
    restart: bool,
    quiet: bool,
) -> Result<()> {
    let mut due: Vec<Option<Instant>> = vec![None; cluster.len()];
    loop {
        for (index, due) in due.iter_mut().enumerate() {
            if let Some(status) = cluster.exited(index)? {
                if !quiet {
                    let then =
                        if restart { format!("; starting it again in {} s", RESTART.as_secs()) } else { String::new() };
                    println!("node {} ended ({status}){then}", index + 1);
                }
                *due = restart.then(|| Instant::now() + RESTART);
            }
            if due.is_some_and(|at| at <= Instant::now()) {
                *due = None;
                cluster.start(index)?;
                if !quiet {
                    println!("node {} runs again as process {}", index + 1, cluster.pid(index).unwrap_or_default());
                }
            }
        }
        let look = sleep(Duration::from_millis(100));
        let ordered = tokio::select! {
            () = look => continue,
            ordered = orders.recv() => ordered,
        };
        let Some((order, done)) = ordered else { bail!("nobody listens for orders any more") };
        let outcome = control::execute(cluster, order).await;
        if let (Ok(text), false) = (&outcome, quiet) {
            println!("chaos: {text}");
        }
        // The caller may be gone; the order is done nevertheless.
        drop(done.send(outcome));
    }
}

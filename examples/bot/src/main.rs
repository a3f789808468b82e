//! `troupe-bot --as NAME --server HOST:PORT`, with the password in `TROUPE_PASSWORD`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;
use troupe_client::{Client, FileStore, Trust};

#[derive(Parser)]
#[command(about = "Answers private texts, and texts in groups that begin with its name and a colon")]
struct Options {
    /// Account of the bot
    #[arg(long = "as", value_name = "NAME")]
    name: String,
    /// Nodes of the cluster, comma-separated
    #[arg(long, value_delimiter = ',', default_value = "127.0.0.1:7700")]
    server: Vec<String>,
    #[arg(long, env = "TROUPE_PASSWORD", hide_env_values = true)]
    password: String,
    /// Create the account first
    #[arg(long)]
    register: bool,
    /// Folder for session, outbox, cursors and trusted keys
    #[arg(long, default_value = "troupe-bot")]
    state_dir: PathBuf,
}

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::parse();
    std::fs::create_dir_all(&options.state_dir)?;
    let builder = Client::builder()
        .nodes(options.server)
        .credentials(&options.name, &options.password)
        .device("bot")
        .trust(Trust::kept_in(options.state_dir.join("known-clusters"))?)
        .store(FileStore::open(options.state_dir.join("store"))?);
    if options.register {
        builder.register().await?;
    }
    // Without waiting: a cluster that is down now is found later.
    let (client, mut events) = builder.start()?;
    println!("{} answers; Ctrl-C ends it", options.name);
    tokio::select! {
        ended = troupe_bot::run(&client, &mut events) => ended?,
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    // Flushes what the server should still know; the session stays for the next start.
    client.close().await;
    Ok(())
}

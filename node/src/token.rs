//! `troupe token`: the root secret of a cluster, generated before the first start or read from a
//! node.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Subcommand;
use serde_json::json;
use troupe_client::Fingerprint;
use troupe_raft::formation::ask_to_rotate;
use troupe_raft::transport::port::{Port, Security};
use troupe_raft::transport::token;
use troupe_runtime::{Platform, Rng};

use crate::arguments::{Access, Output};

#[derive(Subcommand)]
pub enum Token {
    /// Generate a token for a new cluster
    New,
    /// Show the token in the data folder of a node
    Show {
        #[arg(long, default_value = "./troupe-data")]
        data_dir: PathBuf,
    },
    /// Replace the token of a running cluster on all nodes and print the new one; the old one is
    /// then refused
    Rotate {
        #[command(flatten)]
        access: Access,
        /// Data folder of a node on this machine, if neither --token nor --token-file is set
        #[arg(long, default_value = "./troupe-data")]
        data_dir: PathBuf,
    },
    /// Print the public certificate of the cluster's authority, and the fingerprint by which
    /// clients trust the cluster
    Ca {
        #[arg(long, default_value = "./troupe-data")]
        data_dir: PathBuf,
        /// File that holds the join token, if the operator generated it
        #[arg(long, env = "TROUPE_CLUSTER_TOKEN_FILE")]
        token_file: Option<PathBuf>,
        /// The join token; prefer the variable
        #[arg(long, env = "TROUPE_CLUSTER_TOKEN", hide_env_values = true, conflicts_with = "token_file")]
        token: Option<String>,
        #[arg(short, long, value_enum, default_value = "table")]
        output: Output,
    },
}

/// A rotation has four steps, and a node waits at most 5 s for each other node in each of them.
const PATIENCE: Duration = Duration::from_secs(60);

/// A node keeps its token in this file, which only its owner may read.
pub const FILE: &str = "token";

pub async fn run(verb: Token) -> Result<()> {
    match verb {
        Token::New => println!("{}", generate()),
        Token::Show { data_dir } => {
            let path = data_dir.join(FILE);
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("{}: no token; start the node first", path.display()))?;
            println!("{}", text.trim());
        }
        Token::Rotate { access, data_dir } => println!("{}", rotate(&access, &data_dir).await?.reveal()),
        Token::Ca { data_dir, token_file, token, output } => {
            let text = match (token, token_file.unwrap_or_else(|| data_dir.join(FILE))) {
                (Some(text), _) => text,
                (None, path) => std::fs::read_to_string(&path).with_context(|| {
                    format!("{}: no token; set --token-file or TROUPE_CLUSTER_TOKEN", path.display())
                })?,
            };
            let authority = token::Token::parse(&text)?.authority();
            let fingerprint = Fingerprint::of_key(authority.certificate())?;
            let (fingerprint, certificate) = (fingerprint.to_string(), authority.pem());
            output.print(
                || json!({ "fingerprint": fingerprint, "certificate": certificate }),
                || format!("fingerprint {fingerprint}\n{certificate}"),
            );
        }
    }
    Ok(())
}

/// The first node that answers gets the order. The order may be repeated: an interrupted rotation
/// continues.
async fn rotate(access: &Access, data_dir: &Path) -> Result<token::Token> {
    ensure!(!access.insecure, "a cluster without TLS (--insecure) has no token to rotate");
    let near = || Some(token::Token::parse(&std::fs::read_to_string(data_dir.join(FILE)).ok()?));
    let present = match access.held_token()? {
        Some(given) => given,
        None => near().transpose()?.context(
            "the present join token is missing: set --token-file (see troupe token show), TROUPE_CLUSTER_TOKEN, or \
             the --data-dir of a node on this machine",
        )?,
    };
    let port = Port::dialer(&Platform::production(), Security::Token(present))?;
    let mut failed = Vec::new();
    for address in access.cluster.split(',').map(str::trim).filter(|address| !address.is_empty()) {
        match ask_to_rotate(&port, address, PATIENCE).await {
            Ok(Ok(token)) => {
                eprintln!(
                    "token rotated: nodes refuse the old one and keep the new one in their data folders; \
                     give the new one to tools and new nodes (TROUPE_CLUSTER_TOKEN, --token-file)"
                );
                return Ok(token);
            }
            Ok(Err(why)) => bail!("token not rotated on all nodes, repeat the order: {why}"),
            Err(error) => failed.push(error.to_string()),
        }
    }
    bail!("no node accepted the order: {}", failed.join("; "))
}

pub fn generate() -> String {
    token::Token::generate(&Rng::from_os()).reveal()
}

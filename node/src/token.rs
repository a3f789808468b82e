//! `troupe token`: the cluster's root secret, made before the first start or read from a node.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use troupe_client::Fingerprint;
use troupe_raft::formation::ask_to_rotate;
use troupe_raft::transport::port::{Port, Security};
use troupe_raft::transport::token;
use troupe_runtime::{Platform, Rng};

use crate::cli::{Access, Token};

/// A change takes a few seconds at most; a node gives each other one five for each of four steps.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where a node keeps the token that it made or was given, readable by its owner only.
pub const FILE: &str = "token";

pub async fn run(verb: Token) -> Result<()> {
    match verb {
        Token::New => println!("{}", generate()),
        Token::Show { data_dir } => {
            let path = data_dir.join(FILE);
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("{}: no token here; has this node been started?", path.display()))?;
            println!("{}", text.trim());
        }
        Token::Rotate { access, data_dir } => println!("{}", rotate(&access, &data_dir).await?.reveal()),
        Token::Ca { data_dir, token_file, token } => {
            let text = match (token, token_file.unwrap_or_else(|| data_dir.join(FILE))) {
                (Some(text), _) => text,
                (None, path) => std::fs::read_to_string(&path).with_context(|| {
                    format!("{}: no token here; give --token-file, or TROUPE_CLUSTER_TOKEN", path.display())
                })?,
            };
            let authority = token::Token::parse(&text)?.authority();
            let fingerprint = Fingerprint::of_key(authority.certificate())?;
            print!("fingerprint {fingerprint}\n{}", authority.pem());
        }
    }
    Ok(())
}

/// The order is given to the first node that answers. It may be repeated: a change that broke off
/// is gone on with.
async fn rotate(access: &Access, data_dir: &Path) -> Result<token::Token> {
    ensure!(!access.insecure, "a cluster that runs with --insecure has no token that protects anything");
    let near = || Some(token::Token::parse(&std::fs::read_to_string(data_dir.join(FILE)).ok()?));
    let present = match access.held_token()? {
        Some(given) => given,
        None => near().transpose()?.context(
            "the order wants the cluster's present join token: --token-file <file> (see troupe token show), TROUPE_CLUSTER_TOKEN, or \
             the --data-dir of a node on this machine",
        )?,
    };
    let port = Port::dialer(&Platform::production(), Security::Token(present))?;
    let mut failed = Vec::new();
    for address in access.cluster.split(',').map(str::trim).filter(|address| !address.is_empty()) {
        match ask_to_rotate(&port, address, PATIENCE).await {
            Ok(Ok(token)) => {
                eprintln!(
                    "the token has changed, and the one before opens nothing any more. All nodes keep the new one in their data \
                     directories; give it to tools and to new nodes (TROUPE_CLUSTER_TOKEN, --token-file)"
                );
                return Ok(token);
            }
            Ok(Err(why)) => bail!("the token has not changed everywhere: {why}"),
            Err(error) => failed.push(error.to_string()),
        }
    }
    bail!("no node took the order: {}", failed.join("; "))
}

pub fn generate() -> String {
    token::Token::generate(&Rng::from_os()).reveal()
}

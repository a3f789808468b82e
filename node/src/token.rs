//! `troupe token`: the cluster's root secret, made before the first start or read from a node.

use anyhow::{Context, Result};
use troupe_raft::token;
use troupe_runtime::Rng;

use crate::cli::Token;

/// Where a node keeps the token that it made or was given, readable by its owner only.
pub const FILE: &str = "token";

pub fn run(verb: Token) -> Result<()> {
    match verb {
        Token::New => println!("{}", generate()),
        Token::Show { data_dir } => {
            let path = data_dir.join(FILE);
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("{}: no token here; has this node been started?", path.display()))?;
            println!("{}", text.trim());
        }
    }
    Ok(())
}

pub fn generate() -> String {
    token::Token::generate(&Rng::from_os()).reveal()
}

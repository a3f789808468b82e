//! Arguments that several verbs share.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use troupe_raft::transport::token::Token;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    Table,
    Json,
}

/// The credentials of a tool that reads or writes the whole cluster.
#[derive(Args)]
pub struct Access {
    /// Cluster addresses (cluster.listen) of any nodes, comma-separated
    #[arg(long, default_value = "127.0.0.1:7800", env = "TROUPE_CLUSTER")]
    pub cluster: String,
    /// File with the cluster's join token
    #[arg(long, env = "TROUPE_CLUSTER_TOKEN_FILE")]
    pub token_file: Option<PathBuf>,
    /// The join token itself; prefer the variable
    #[arg(long, env = "TROUPE_CLUSTER_TOKEN", hide_env_values = true, conflicts_with = "token_file")]
    pub token: Option<String>,
    /// The cluster runs without TLS
    #[arg(long)]
    pub insecure: bool,
}

impl Access {
    /// The token of the flag, the variable or the file.
    pub fn held_token(&self) -> Result<Option<Token>> {
        let text = match (&self.token, &self.token_file) {
            // The file is that of a context: the parser refuses two that were given.
            (Some(text), _) => Some(text.clone()),
            (None, Some(path)) => {
                Some(std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?)
            }
            (None, None) => None,
        };
        Ok(text.map(|text| Token::parse(&text)).transpose()?)
    }
}

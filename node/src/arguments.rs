//! Arguments that several verbs share.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use serde_json::Value;
use troupe_core::text::clean_lines;
use troupe_raft::transport::token::Token;

/// The form of a result. `docs/cli.md` says what programs may rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    Table,
    Json,
}

impl Output {
    /// The result in this form: lines for people, or one JSON document over several lines. What
    /// users have written reaches no terminal as control characters.
    pub fn text(self, value: impl FnOnce() -> Value, table: impl FnOnce() -> String) -> String {
        clean_lines(&match self {
            Output::Json => format!("{:#}\n", value()),
            Output::Table => table(),
        })
    }

    /// The same on standard output.
    pub fn print(self, value: impl FnOnce() -> Value, table: impl FnOnce() -> String) {
        put(&self.text(value, table));
    }

    /// For verbs with several results, one behind another: a document is one line.
    pub fn print_line(self, value: impl FnOnce() -> Value, table: impl FnOnce() -> String) {
        match self {
            Output::Json => put(&clean_lines(&format!("{}\n", value()))),
            Output::Table => self.print(value, table),
        }
    }

    /// A line about the way to a result, which programs do not get.
    pub fn say(self, line: &str) {
        if self == Output::Table {
            put(&clean_lines(&format!("{line}\n")));
        }
    }
}

/// A reader that has seen enough closes the pipe, which is no failure.
fn put(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_result_has_two_forms_without_control_characters() {
        let (value, table) = (|| json!({ "name": "a\u{1b}[2J" }), || "NAME\na\u{1b}[2J\n".to_owned());
        let document = Output::Json.text(value, table);
        assert_eq!(serde_json::from_str::<Value>(&document).expect("JSON"), value(), "{document}");
        assert!(document.ends_with("}\n"), "{document}");
        let lines = Output::Table.text(value, table);
        assert!(lines.starts_with("NAME\na") && !lines.contains('\u{1b}'), "{lines}");
    }
}

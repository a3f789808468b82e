//! `troupe doctor`: what keeps a node from running well on this machine, with advice.
//!
//! It takes the configuration as `troupe start` does. [`local`] and [`network`] gather facts and
//! decide nothing; [`judge`] makes findings of facts and asks nothing. So each finding has a test
//! without a machine that has the fault.

mod facts;
mod judge;
mod local;
mod network;

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use crate::arguments::Output;
use crate::config::{Config, Keys, Settings};
use crate::exit::Exit;
use crate::{catalogue, cli};
use facts::Facts;
pub use judge::{Finding, Level};

#[derive(Args)]
pub struct Doctor {
    /// Configuration file (TOML) of the node
    #[arg(long, env = "TROUPE_CONFIG")]
    pub config: Option<PathBuf>,
    /// HTTP addresses of further nodes, comma-separated: clocks and versions are compared with them
    #[arg(long, env = "TROUPE_HTTP")]
    pub http: Option<String>,
    #[arg(short, long, value_enum, default_value = "table")]
    pub output: Output,
    #[command(flatten)]
    pub keys: Keys,
}

pub async fn run(args: Doctor) -> Result<Exit> {
    let findings = examine(args.config.as_deref(), &args.keys, args.http.as_deref()).await;
    args.output.print(|| as_json(&findings), || table(&findings));
    Ok(if findings.iter().any(|finding| finding.level == Level::Fail) { Exit::Unwell } else { Exit::Done })
}

/// All findings, in the order in which a person mends them.
pub async fn examine(file: Option<&std::path::Path>, keys: &Keys, http: Option<&str>) -> Vec<Finding> {
    let gathered = Settings::gather(file, std::env::vars(), &keys.0, &cli::variables());
    let mut facts = Facts { descriptors: local::descriptors(), ..Facts::default() };
    match gathered.and_then(|settings| Ok((Config::from_settings(&settings)?, settings))) {
        Err(wrong) => facts.wrong = Some(wrong.to_string()),
        Ok((config, settings)) => {
            facts.warnings = settings.warnings().to_vec();
            facts.connections = config.limits.connections;
            facts.mark = config.cluster.storage_low_mark;
            tokio::task::block_in_place(|| local::look(&config, &settings, file, &mut facts));
            network::look(&config, http, &mut facts).await;
        }
    }
    judge::judge(&facts)
}

pub fn as_json(findings: &[Finding]) -> Value {
    let one = |finding: &Finding| {
        json!({
            "check": finding.check,
            "level": finding.level.word(),
            "code": finding.code,
            "found": finding.found,
            "advice": finding.code.map(catalogue::remedy),
        })
    };
    findings.iter().map(one).collect()
}

fn table(findings: &[Finding]) -> String {
    let mut out = format!("{:<7}{:<14}{:<22}{}\n", "LEVEL", "CHECK", "CODE", "FOUND");
    for Finding { check, level, code, found } in findings {
        out.push_str(&format!("{:<7}{check:<14}{:<22}{found}\n", level.word(), code.unwrap_or("-")));
        if let Some(code) = code {
            out.push_str(&format!("{:<43}-> {}\n", "", catalogue::remedy(code)));
        }
    }
    let count = |level: Level| findings.iter().filter(|finding| finding.level == level).count();
    let (ok, warn, fail) = (count(Level::Ok), count(Level::Warn), count(Level::Fail));
    out.push_str(&format!("\n{ok} ok, {warn} warn, {fail} fail\n"));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_machine_is_examined_and_each_finding_has_advice() {
        let folder = tempfile::tempdir().expect("a folder");
        let keys = [
            ("data.dir", folder.path().join("data").display().to_string()),
            ("http.listen", "127.0.0.1:1".to_owned()),
            ("cluster.listen", "127.0.0.1:3".to_owned()),
            ("cluster.join", "127.0.0.1:2,127.0.0.1:3".to_owned()),
            ("cluster.insecure", "true".to_owned()),
        ];
        let findings = examine(None, &Keys(keys.to_vec()), None).await;
        let find = |code: &str| findings.iter().find(|finding| finding.code == Some(code));
        assert_eq!(find("peer_down").expect("nothing listens there").level, Level::Warn, "{}", table(&findings));
        assert!(findings.iter().any(|finding| finding.check == "disk"), "{}", table(&findings));
        assert!(std::fs::read_dir(folder.path()).expect("there").next().is_none(), "it leaves nothing behind");
        for line in as_json(&findings).as_array().expect("a list") {
            let advised = line["advice"].as_str().is_some_and(|advice| !advice.is_empty());
            assert_eq!(advised, line["level"] != "ok", "{line}");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_wrong_configuration_is_a_finding_of_its_own() {
        let keys = Keys(vec![("cluster.shards", "none".to_owned())]);
        let findings = examine(None, &keys, None).await;
        let wrong = findings.iter().find(|finding| finding.code == Some("configuration_wrong")).expect("a finding");
        assert!(wrong.level == Level::Fail && wrong.found.contains("cluster.shards"), "{}", wrong.found);
    }
}

//! The command line of `troupe`: verbs for servers, operators and users.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::{Args, CommandFactory as _, Parser, Subcommand};

use crate::accounts::{Audit, InviteVerb, Password, SettingsArgs, UserVerb};
use crate::arguments::Output;
use crate::backup::{Backup, Restore};
use crate::config::Keys;
use crate::contexts::ContextVerb;
use crate::debug::DebugVerb;
use crate::doctor::Doctor;
use crate::explain::Explain;
use crate::groups::GroupVerb;
use crate::lab::Lab;
use crate::operator::NodeVerb;
use crate::pages::{Completion, Man};
use crate::people::{Msg, Talk};
use crate::recover::Recover;
use crate::token::Token;
use crate::top::Top;
use crate::transfer::{Export, Import};
use crate::upgrade::UpgradeVerb;

#[derive(Parser)]
#[command(name = "troupe", version, about = "A chat server that is its own cluster", propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    pub verb: Verb,
}

#[derive(Subcommand)]
pub enum Verb {
    /// Run a node: alone, or with --cluster-join as part of a cluster
    Start(Start),
    /// Run a whole cluster on this machine, with accounts to try it
    #[command(disable_help_flag = true, disable_version_flag = true)]
    Demo(Lab),
    /// Chat in this terminal
    Chat(Talk),
    /// Send or follow messages, for scripts
    #[command(subcommand)]
    Msg(Msg),
    /// Status, settings and upgrades of a cluster
    #[command(subcommand)]
    Cluster(ClusterVerb),
    /// Show what the nodes do, live: rates, times, queues, busy shards
    Top(Top),
    /// Back up a cluster while it serves
    Backup(Backup),
    /// Restore a backup into a new cluster of any size
    Restore(Restore),
    /// Write accounts, conversations and messages of a running cluster as a bundle of JSON lines
    Export(Export),
    /// Import a bundle, or the data of CIM, WuKongIM or Tinode, into a running cluster
    Import(Box<Import>),
    /// Make one stopped node a new cluster, after a majority of nodes is lost forever
    Recover(Recover),
    /// List, drain, remove or replace nodes of a running cluster
    #[command(subcommand)]
    Node(NodeVerb),
    /// Manage accounts (administrators), or change your own password
    #[command(subcommand)]
    User(UserVerb),
    /// List the groups of a cluster (administrators and auditors)
    #[command(subcommand)]
    Group(GroupVerb),
    /// Manage invitation codes for registration
    #[command(subcommand)]
    Invite(InviteVerb),
    /// Show the acts of administrators and operators
    Audit(Audit),
    /// Change your own password, or replace a one-time password
    Passwd(Password),
    /// Generate, show or rotate the join token of a cluster
    #[command(subcommand)]
    Token(Token),
    /// Explain or check the configuration
    #[command(subcommand)]
    Config(ConfigVerb),
    /// Name clusters, so that other commands need no addresses
    #[command(subcommand)]
    Context(ContextVerb),
    /// Examine this machine, the node on it and its peers, with advice for each finding
    Doctor(Box<Doctor>),
    /// Explain the code of an error or of a finding
    Explain(Explain),
    /// Gather what helps to find a fault
    #[command(subcommand)]
    Debug(Box<DebugVerb>),
    /// Inject faults into a cluster and check the promises against what clients saw
    #[command(disable_help_flag = true, disable_version_flag = true)]
    Chaos(Lab),
    /// Measure a cluster
    #[command(disable_help_flag = true, disable_version_flag = true)]
    Bench(Lab),
    /// Print the script that completes commands in a shell
    Completion(Completion),
    /// Print the manual page, or write those of all verbs
    Man(Man),
    /// Print the version and the kind of build
    Version(Version),
}

#[derive(Args)]
pub struct Version {
    #[arg(short, long, value_enum, default_value = "table")]
    pub output: Output,
}

impl Verb {
    /// Whether its files hold messages or secrets. A report is for others to read, and verbs of
    /// `troupe-lab` set the mask of their files themselves.
    pub fn keeps_secrets(&self) -> bool {
        let runs_lab = matches!(self, Verb::Demo(_) | Verb::Bench(_) | Verb::Chaos(_));
        !runs_lab && !matches!(self, Verb::Config(_) | Verb::Completion(_) | Verb::Man(_) | Verb::Version(_))
    }
}

/// All variables that a verb of this program reads. None of them is a mistake in the environment of
/// another verb.
pub fn variables() -> BTreeSet<String> {
    fn gather(command: &clap::Command, found: &mut BTreeSet<String>) {
        let read = command.get_arguments().filter_map(clap::Arg::get_env);
        found.extend(read.map(|name| name.to_string_lossy().into_owned()));
        command.get_subcommands().for_each(|verb| gather(verb, found));
    }
    let mut found = BTreeSet::new();
    gather(&Cli::command(), &mut found);
    found
}

#[derive(Args)]
pub struct Start {
    /// Configuration file (TOML)
    #[arg(long, env = "TROUPE_CONFIG")]
    pub config: Option<PathBuf>,
    /// Stop when standard input closes, for a node that another process supervises
    #[arg(long)]
    pub exit_with_parent: bool,
    #[command(flatten)]
    pub keys: Keys,
}

#[derive(Subcommand)]
pub enum ClusterVerb {
    /// Nodes, shards, leaders, epochs and lag
    Status {
        /// HTTP addresses of any nodes, comma-separated; the next one is used if one does not
        /// answer
        #[arg(long, default_value = "127.0.0.1:7780", env = "TROUPE_HTTP")]
        http: String,
        #[arg(short, long, value_enum, default_value = "table")]
        output: Output,
    },
    /// Show or change settings of the whole cluster, such as registration and idle sessions
    Settings(Box<SettingsArgs>),
    /// Show or finalize the feature level of a rolling upgrade
    #[command(subcommand)]
    Upgrade(UpgradeVerb),
}

#[derive(Subcommand)]
pub enum ConfigVerb {
    /// Show each key: value, source, default, variable and flag
    Explain {
        key: Option<String>,
        #[arg(short, long, value_enum, default_value = "table")]
        output: Output,
        #[arg(long, env = "TROUPE_CONFIG")]
        config: Option<PathBuf>,
        #[command(flatten)]
        keys: Keys,
    },
    /// Write a file with every key, its default and its meaning, all commented out
    Init {
        /// A file that does not exist yet; without it the text is printed
        file: Option<PathBuf>,
    },
    /// Print a JSON Schema of the file, for editors that complete and check TOML
    Schema,
    /// Check the configuration
    Check {
        #[arg(long, env = "TROUPE_CONFIG")]
        config: Option<PathBuf>,
        #[arg(short, long, value_enum, default_value = "table")]
        output: Output,
        #[command(flatten)]
        keys: Keys,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Commands without a result that a program would read: they run until they are ended, talk to
    /// a person, or print a secret, a text of its own form, or nothing.
    const WITHOUT: [&str; 21] = [
        "start",
        "demo",
        "chaos",
        "bench",
        "chat",
        "msg send",
        "msg tail",
        "recover",
        "passwd",
        "user change-password",
        "token new",
        "token show",
        "token rotate",
        "config init",
        "config schema",
        "context add",
        "context use",
        "context remove",
        "debug zip",
        "completion",
        "man",
    ];

    fn gather(verb: &clap::Command, above: &str, found: &mut Vec<(String, bool)>) {
        let name = format!("{above} {}", verb.get_name()).trim_start().to_owned();
        if verb.is_hide_set() {
            return;
        }
        let is_form = |arg: &clap::Arg| {
            let known: Vec<String> =
                arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
            arg.get_short() == Some('o') && arg.get_long() == Some("output") && known == ["table", "json"]
        };
        if !verb.is_subcommand_required_set() {
            found.push((name.clone(), verb.get_arguments().any(is_form)));
        }
        verb.get_subcommands().for_each(|below| gather(below, &name, found));
    }

    #[test]
    fn every_listing_has_a_form_for_programs() {
        let mut found = Vec::new();
        Cli::command().get_subcommands().for_each(|verb| gather(verb, "", &mut found));
        for (name, has_form) in &found {
            assert_eq!(*has_form, !WITHOUT.contains(&name.as_str()), "troupe {name}");
        }
        for name in WITHOUT {
            assert!(found.iter().any(|(known, _)| known == name), "there is no troupe {name}");
        }
    }
}

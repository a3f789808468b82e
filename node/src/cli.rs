//! The command line: one binary, verbs for servers and for people.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};
use troupe_client::Fingerprint;

use crate::config::KEYS;

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
    Chat(Chat),
    /// Send or follow messages, for scripts
    #[command(subcommand)]
    Msg(Msg),
    /// Ask a cluster how it is
    #[command(subcommand)]
    Cluster(ClusterVerb),
    /// Take everything home, while the cluster serves
    Backup(Backup),
    /// Bring a backup into a new cluster, of any size
    Restore(Restore),
    /// Go on with one node, offline, when the majority of a cluster is lost for good
    Recover(Recover),
    /// List, drain, remove or replace nodes of a running cluster
    #[command(subcommand)]
    Node(crate::operator::NodeVerb),
    /// Accounts: list, create, disable, delete, reset passwords (for administrators), change one's
    /// own password
    #[command(subcommand)]
    User(crate::accounts::UserVerb),
    /// Codes with which people may register
    #[command(subcommand)]
    Invite(crate::accounts::InviteVerb),
    /// What administrators and operators have done
    Audit(crate::accounts::Audit),
    /// Change one's own password; a one-time password too
    Passwd(crate::accounts::Password),
    /// Make, show or change the cluster's join token
    #[command(subcommand)]
    Token(Token),
    /// Look at the configuration
    #[command(subcommand)]
    Config(ConfigVerb),
    /// Break a cluster and judge what its clients saw
    #[command(disable_help_flag = true, disable_version_flag = true)]
    Chaos(Lab),
    /// Measure a cluster
    #[command(disable_help_flag = true, disable_version_flag = true)]
    Bench(Lab),
    /// Print the version and what it was built from
    Version,
}

impl Verb {
    /// Whether its files hold messages or secrets, rather than a report for others to read. Verbs of
    /// another program decide there.
    pub fn keeps_secrets(&self) -> bool {
        !matches!(self, Verb::Demo(_) | Verb::Bench(_) | Verb::Chaos(_) | Verb::Config(_) | Verb::Version)
    }
}

/// The arguments of a verb that another program has (see [`crate::lab`]).
#[derive(Args)]
pub struct Lab {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
    pub arguments: Vec<OsString>,
}

/// All variables that some verb's command line reads: none of them is a mistake in the environment
/// of another verb.
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
    /// Stop when standard input closes: for a node that another process supervises
    #[arg(long)]
    pub exit_with_parent: bool,
    #[command(flatten)]
    pub keys: Keys,
}

/// One flag per configuration key; `troupe config explain` lists them with defaults.
#[derive(Clone, Debug, Default)]
pub struct Keys(pub Vec<(&'static str, String)>);

/// Short spellings of keys that people type often.
const SHORT: &[(&str, &str)] = &[("join", "cluster.join"), ("token-file", "cluster.token_file")];

impl clap::FromArgMatches for Keys {
    fn from_arg_matches(matches: &clap::ArgMatches) -> Result<Self, clap::Error> {
        let mut keys = Keys::default();
        keys.update_from_arg_matches(matches)?;
        Ok(keys)
    }

    fn update_from_arg_matches(&mut self, matches: &clap::ArgMatches) -> Result<(), clap::Error> {
        for key in KEYS {
            if let Some(value) = matches.get_one::<String>(key.name) {
                self.0.push((key.name, value.clone()));
            }
        }
        Ok(())
    }
}

/// Keys whose flag may stand alone: `--cluster-insecure` means true.
const BOOLEANS: &[&str] = &["client.insecure", "cluster.insecure", "debug.replica"];

impl clap::Args for Keys {
    fn augment_args(mut command: clap::Command) -> clap::Command {
        for key in KEYS {
            let mut arg = clap::Arg::new(key.name)
                .long(key.flag())
                .value_name("VALUE")
                .help(key.about)
                .help_heading("Configuration (see `troupe config explain`)");
            if BOOLEANS.contains(&key.name) {
                arg = arg.num_args(0..=1).default_missing_value("true");
            }
            for (short, _) in SHORT.iter().filter(|(_, name)| *name == key.name) {
                arg = arg.visible_alias(*short);
            }
            if key.name == "cluster.insecure" {
                arg = arg.visible_alias("insecure");
            }
            command = command.arg(arg);
        }
        command
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

#[derive(Args, Clone)]
pub struct Chat {
    /// Your name
    #[arg(long = "as", value_name = "NAME")]
    pub name: String,
    /// Any nodes of the cluster, comma-separated; with TLS, except on this machine or as
    /// tcp://host:port
    #[arg(long, default_value = "127.0.0.1:7700", env = "TROUPE_SERVER")]
    pub server: String,
    /// The cluster's fingerprint, as `troupe token ca` prints it on a node; without it the first
    /// one that is shown is believed
    #[arg(long, env = "TROUPE_FINGERPRINT")]
    pub fingerprint: Option<Fingerprint>,
    /// PEM file of authorities that judge the server's certificate and name, instead of the
    /// cluster's fingerprint
    #[arg(long, env = "TROUPE_CA", conflicts_with = "fingerprint")]
    pub ca: Option<PathBuf>,
    /// Better given by the variable or at the prompt
    #[arg(long, env = "TROUPE_PASSWORD", hide_env_values = true)]
    pub password: Option<String>,
    /// Create the account first
    #[arg(long)]
    pub register: bool,
    /// The invitation code to register with, where the cluster wants one
    #[arg(long)]
    pub invite: Option<String>,
    /// Where outbox, cursors and local history are kept; one folder per device
    #[arg(long)]
    pub state_dir: Option<PathBuf>,
    /// Name of this device
    #[arg(long)]
    pub device: Option<String>,
}

#[derive(Subcommand)]
pub enum Msg {
    /// Send one message, or one per line of standard input
    Send {
        #[command(flatten)]
        who: Chat,
        /// everyone, d<low>-<high>, g<id>, #<title of an own group>, or a user's name or id
        #[arg(long, default_value = "everyone")]
        to: String,
        text: Option<String>,
        #[arg(long)]
        json: bool,
    },
    /// Print messages as they come
    Tail {
        #[command(flatten)]
        who: Chat,
        /// Stop after this many
        #[arg(long)]
        count: Option<usize>,
        #[arg(long)]
        json: bool,
    },
}

/// How a tool shows that it may ask for everything.
#[derive(Args)]
pub struct Access {
    /// Cluster addresses (cluster.listen) of any nodes, comma-separated
    #[arg(long, default_value = "127.0.0.1:7800", env = "TROUPE_CLUSTER")]
    pub cluster: String,
    /// File with the cluster's join token
    #[arg(long, env = "TROUPE_CLUSTER_TOKEN_FILE")]
    pub token_file: Option<PathBuf>,
    /// The join token itself; better given by the variable
    #[arg(long, env = "TROUPE_CLUSTER_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// The cluster runs without TLS
    #[arg(long)]
    pub insecure: bool,
}

impl Access {
    /// The token that was given, in one way or the other.
    pub fn held_token(&self) -> anyhow::Result<Option<troupe_raft::transport::token::Token>> {
        let text = match (&self.token, &self.token_file) {
            (Some(_), Some(_)) => anyhow::bail!("give --token or --token-file, not both"),
            (Some(text), None) => Some(text.clone()),
            (None, Some(path)) => {
                Some(std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?)
            }
            (None, None) => None,
        };
        Ok(text.map(|text| troupe_raft::transport::token::Token::parse(&text)).transpose()?)
    }
}

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Backup {
    #[command(subcommand)]
    pub verb: Option<BackupVerb>,
    /// An empty directory, or one that does not exist yet
    pub directory: Option<PathBuf>,
    #[command(flatten)]
    pub access: Access,
}

#[derive(Subcommand)]
pub enum BackupVerb {
    /// Read a backup through, restore it into a scratch directory, and compare
    Verify { directory: PathBuf },
}

#[derive(Args)]
pub struct Restore {
    pub directory: PathBuf,
    #[command(flatten)]
    pub access: Access,
}

#[derive(Args)]
pub struct Recover {
    /// Data folder of the node, which must be stopped
    #[arg(long, default_value = "./troupe-data", env = "TROUPE_DATA_DIR")]
    pub data_dir: PathBuf,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
}

#[derive(Subcommand)]
pub enum ClusterVerb {
    /// Nodes, shards, leaders, epochs and lag
    Status {
        /// HTTP addresses of any nodes, comma-separated: the next one is asked when one does not
        /// answer
        #[arg(long, default_value = "127.0.0.1:7780", env = "TROUPE_HTTP")]
        http: String,
        #[arg(short, long, value_enum, default_value = "table")]
        output: Output,
    },
    /// Show or change settings of the whole cluster: who may register, when unused sessions end
    Settings(Box<crate::accounts::SettingsArgs>),
    /// What all nodes understand, and when what is new comes into force
    #[command(subcommand)]
    Upgrade(crate::upgrade::UpgradeVerb),
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Output {
    Table,
    Json,
}

#[derive(Subcommand)]
pub enum Token {
    /// Make a token for a cluster that is to be born
    New,
    /// Show the token of a node's data folder
    Show {
        #[arg(long, default_value = "./troupe-data")]
        data_dir: PathBuf,
    },
    /// Change the token while the cluster runs, and print the new one: all nodes take it, and the
    /// old one opens nothing any more
    Rotate {
        #[command(flatten)]
        access: Access,
        /// Data folder of a node on this machine, if no token is given
        #[arg(long, default_value = "./troupe-data")]
        data_dir: PathBuf,
    },
    /// Print the certificate of the cluster's authority and the fingerprint by which clients know
    /// the cluster; neither is secret
    Ca {
        #[arg(long, default_value = "./troupe-data")]
        data_dir: PathBuf,
        /// File that holds the join token, where the nodes were given one
        #[arg(long, env = "TROUPE_CLUSTER_TOKEN_FILE")]
        token_file: Option<PathBuf>,
        /// The join token; better given by the variable
        #[arg(long, env = "TROUPE_CLUSTER_TOKEN", hide_env_values = true, conflicts_with = "token_file")]
        token: Option<String>,
    },
}

#[derive(Subcommand)]
pub enum ConfigVerb {
    /// Every key: its value, where that came from, its default, variable and flag
    Explain {
        key: Option<String>,
        #[arg(long, env = "TROUPE_CONFIG")]
        config: Option<PathBuf>,
        #[command(flatten)]
        keys: Keys,
    },
    /// Whether the configuration is good
    Check {
        #[arg(long, env = "TROUPE_CONFIG")]
        config: Option<PathBuf>,
        #[command(flatten)]
        keys: Keys,
    },
}

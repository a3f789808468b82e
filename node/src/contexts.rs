//! `troupe context`: named clusters, so that commands of an operator need no addresses.
//!
//! The context in use fills in what neither a flag nor a variable says. [`fill`] makes it the
//! default value of the arguments that read these variables, so the order stays that of the help:
//! flag, variable, default. `troupe start` and the configuration know no contexts.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::{Args, Command, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use troupe_runtime::private;

use crate::arguments::Output;
use crate::exit::coded;

/// Names a context for one command, in the place of the one in use.
pub const VARIABLE: &str = "TROUPE_CONTEXT";

#[derive(Subcommand)]
pub enum ContextVerb {
    /// Name a cluster, or change one; the first one is used from then on
    Add(Add),
    /// Use a context from now on
    Use { name: String },
    /// All contexts
    List {
        #[arg(short, long, value_enum, default_value = "table")]
        output: Output,
    },
    /// Forget a context
    Remove { name: String },
}

#[derive(Args)]
pub struct Add {
    pub name: String,
    /// HTTP addresses of any nodes, comma-separated
    #[arg(long)]
    pub http: Option<String>,
    /// Addresses for clients of any nodes, comma-separated
    #[arg(long)]
    pub server: Option<String>,
    /// Cluster addresses of any nodes, comma-separated
    #[arg(long)]
    pub cluster: Option<String>,
    /// File that holds the join token; the context keeps its path only
    #[arg(long)]
    pub token_file: Option<PathBuf>,
    /// Fingerprint of the cluster, as `troupe token ca` prints it
    #[arg(long)]
    pub fingerprint: Option<troupe_client::Fingerprint>,
    /// PEM file of authorities that verify the servers
    #[arg(long, conflicts_with = "fingerprint")]
    pub ca: Option<PathBuf>,
}

/// Values by the variables whose place they take.
type Values = BTreeMap<String, String>;

/// The file: contexts by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Contexts {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current: Option<String>,
    pub context: BTreeMap<String, Values>,
}

/// Variables that a context can hold, with the words of the list.
const HELD: &[(&str, &str)] = &[
    ("TROUPE_HTTP", "http"),
    ("TROUPE_SERVER", "server"),
    ("TROUPE_CLUSTER", "cluster"),
    ("TROUPE_CLUSTER_TOKEN_FILE", "token_file"),
    ("TROUPE_FINGERPRINT", "fingerprint"),
    ("TROUPE_CA", "ca"),
];

/// The first of each is not filled in where the second is given: both say the same thing.
const RIVALS: &[(&str, &str, &str)] = &[
    ("TROUPE_CLUSTER_TOKEN_FILE", "TROUPE_CLUSTER_TOKEN", "--token"),
    ("TROUPE_CA", "TROUPE_FINGERPRINT", "--fingerprint"),
    ("TROUPE_FINGERPRINT", "TROUPE_CA", "--ca"),
];

impl Contexts {
    /// The values of the context in use, which `named` overrides.
    pub fn values(&self, named: Option<&str>) -> Result<Values> {
        let Some(name) = named.or(self.current.as_deref()) else { return Ok(Values::new()) };
        self.context.get(name).cloned().ok_or_else(|| no_context(name))
    }

    fn add(&mut self, add: &Add) -> Result<()> {
        let path = |path: &PathBuf| std::path::absolute(path).map(|path| path.display().to_string());
        let mut values = Values::new();
        let texts = [
            add.http.clone(),
            add.server.clone(),
            add.cluster.clone(),
            add.token_file.as_ref().map(path).transpose()?,
            add.fingerprint.as_ref().map(ToString::to_string),
            add.ca.as_ref().map(path).transpose()?,
        ];
        for ((variable, _), text) in HELD.iter().zip(texts) {
            values.extend(text.map(|text| ((*variable).to_owned(), text)));
        }
        self.context.insert(add.name.clone(), values);
        self.current.get_or_insert_with(|| add.name.clone());
        Ok(())
    }

    fn use_one(&mut self, name: &str) -> Result<()> {
        if !self.context.contains_key(name) {
            return Err(no_context(name));
        }
        self.current = Some(name.to_owned());
        Ok(())
    }

    fn remove(&mut self, name: &str) -> Result<()> {
        self.context.remove(name).ok_or_else(|| no_context(name))?;
        if self.current.as_deref() == Some(name) {
            self.current = None;
        }
        Ok(())
    }

    fn json(&self) -> Value {
        let one = |(name, values): (&String, &Values)| {
            let mut shown = json!({ "name": name, "current": self.current.as_ref() == Some(name) });
            for (variable, word) in HELD {
                shown[*word] = json!(values.get(*variable));
            }
            shown
        };
        self.context.iter().map(one).collect()
    }

    fn table(&self) -> String {
        let mut out = format!("{:<2}{:<18}{:<32}{:<32}{}\n", "", "NAME", "HTTP", "SERVER", "CLUSTER");
        for (name, values) in &self.context {
            let text = |variable: &str| values.get(variable).map_or("-", String::as_str);
            let mark = if self.current.as_ref() == Some(name) { "*" } else { "" };
            let (http, server, cluster) = (text("TROUPE_HTTP"), text("TROUPE_SERVER"), text("TROUPE_CLUSTER"));
            out.push_str(&format!("{mark:<2}{name:<18}{http:<32}{server:<32}{cluster}\n"));
        }
        out
    }
}

fn no_context(name: &str) -> anyhow::Error {
    coded("no_context", format!("there is no context \"{}\": troupe context list", name.escape_default()))
}

/// The file of this user.
fn file() -> Result<PathBuf> {
    let base = match std::env::var_os("XDG_CONFIG_HOME").filter(|base| Path::new(base).is_absolute()) {
        Some(base) => PathBuf::from(base),
        None => {
            PathBuf::from(std::env::var_os("HOME").context("HOME is not set: contexts have no place")?).join(".config")
        }
    };
    Ok(base.join("troupe/contexts.toml"))
}

fn read(file: &Path) -> Result<Contexts> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => String::new(),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", file.display())),
    };
    toml::from_str(&text).with_context(|| format!("{}: correct or remove it", file.display()))
}

/// By a new file in the place of the old one, so that none is ever half written.
fn write(file: &Path, contexts: &Contexts) -> Result<()> {
    let cannot = || format!("cannot write {}", file.display());
    if let Some(folder) = file.parent() {
        private::create_dir(folder).with_context(cannot)?;
    }
    let fresh = file.with_extension("toml.new");
    let mut opened = private::create(&fresh).with_context(cannot)?;
    opened.write_all(toml::to_string(contexts)?.as_bytes()).with_context(cannot)?;
    opened.sync_all().with_context(cannot)?;
    std::fs::rename(&fresh, file).with_context(cannot)
}

pub fn run(verb: ContextVerb) -> Result<()> {
    let file = file()?;
    let mut contexts = read(&file)?;
    match verb {
        ContextVerb::List { output } => output.print(|| contexts.json(), || contexts.table()),
        ContextVerb::Add(add) => {
            contexts.add(&add)?;
            write(&file, &contexts)?;
        }
        ContextVerb::Use { name } => {
            contexts.use_one(&name)?;
            write(&file, &contexts)?;
        }
        ContextVerb::Remove { name } => {
            contexts.remove(&name)?;
            write(&file, &contexts)?;
        }
    }
    Ok(())
}

/// The command line with the context in use as its defaults. Without a home directory, and without
/// a name in the variable, there is none.
pub fn fill(command: Command) -> Result<Command> {
    let named = std::env::var(VARIABLE).ok().filter(|name| !name.is_empty());
    let values = match (file(), &named) {
        (Ok(file), _) => read(&file)?.values(named.as_deref())?,
        (Err(error), Some(_)) => return Err(error),
        (Err(_), None) => return Ok(command),
    };
    let set: BTreeSet<String> = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).collect();
    let typed: Vec<String> = std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect();
    Ok(filled(command, &without_rivals(values, &set, &typed)))
}

/// The values that neither a variable nor a flag gives in another way.
fn without_rivals(mut values: Values, set: &BTreeSet<String>, typed: &[String]) -> Values {
    for (held, variable, flag) in RIVALS {
        let with_value = format!("{flag}=");
        if set.contains(*variable) || typed.iter().any(|word| word == flag || word.starts_with(&with_value)) {
            values.remove(*held);
        }
    }
    values
}

fn filled(command: Command, values: &Values) -> Command {
    let known = |arg: &clap::Arg| arg.get_env().and_then(|name| values.get(name.to_str()?)).cloned();
    command
        .mut_args(|arg| match known(&arg) {
            Some(value) => arg.default_value(value),
            None => arg,
        })
        .mut_subcommands(|verb| filled(verb, values))
}

#[cfg(test)]
mod tests;

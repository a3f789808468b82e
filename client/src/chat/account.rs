//! The account of a command line: its store, and its login.
//!
//! A store belongs to one cluster and one user. Its file lies in a folder named by the cluster id.
//! A second cluster at the same address therefore gets no cursor, outbox or token of the first.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use parking_lot::Mutex;
use troupe_core::NameKey;
use troupe_core::text::clean;
use troupe_proto::client::Refusal;
use troupe_proto::wire::client::Welcome;
use troupe_runtime::Platform;

use crate::builder::Builder;
use crate::client::{Client, Events};
use crate::error::Error;
use crate::store::{FileStore, Saved, Store};
use crate::trust::Trust;

/// Password prompts per start. After the last one a refusal is final.
const ATTEMPTS: usize = 3;
/// Stores of other clusters that are listed by name.
const OTHERS_NAMED: usize = 4;

/// Prompts for the password of an account. The argument is the prompt.
pub type AskPassword = Arc<dyn Fn(&str) -> Result<String> + Send + Sync>;

/// A user and its route to the cluster. All command-line logins share it.
#[derive(Clone)]
pub struct Account {
    pub context: Platform,
    pub name: String,
    /// Optional if `state_dir` holds a session.
    pub password: Option<String>,
    /// Used if the server requires a login and neither session nor password is available.
    pub ask: Option<AskPassword>,
    /// Registers the account first. An existing account with this password is accepted.
    pub register: bool,
    /// The invitation code for registration, if the cluster requires one.
    pub invite: Option<String>,
    pub servers: Vec<String>,
    /// The folder of outbox, cursors and history. `None` keeps them in memory.
    pub state_dir: Option<PathBuf>,
    pub device: Option<String>,
    pub trust: Trust,
}

/// A logged-in account.
pub struct Connected {
    pub client: Client,
    pub events: Events,
    /// Remarks about the state on this machine, for the user.
    pub notices: Vec<String>,
}

type SharedFile = Arc<Mutex<FileStore>>;

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account").field("name", &self.name).field("servers", &self.servers).finish_non_exhaustive()
    }
}

impl Account {
    pub fn new(name: impl Into<String>, servers: impl IntoIterator<Item = String>) -> Account {
        Account {
            context: Platform::production(),
            name: name.into(),
            password: None,
            ask: None,
            register: false,
            invite: None,
            servers: servers.into_iter().collect(),
            state_dir: None,
            device: None,
            trust: Trust::default(),
        }
    }

    /// Whether device, session and outbox outlive the process.
    pub fn keeps_state(&self) -> bool {
        self.state_dir.is_some()
    }

    /// Logs in by the stored session, by the given password, or by a password from the prompt.
    pub async fn connect(&self) -> Result<Connected> {
        let welcome = self.builder(None).welcome().await.context("looking for a node of the cluster")?;
        let (store, notices) = self.open_store(&welcome)?;
        let (mut password, mut asked) = (self.password.clone(), 0);
        if self.register {
            password = Some(password.map_or_else(|| self.ask("password of"), Ok)?);
            let registered = self.builder(password.as_deref()).register().await;
            if let Err(error) = registered
                && error.code() != Some(troupe_core::Rejection::NameTaken.code())
            {
                return Err(error).context("registering");
            }
        }
        loop {
            if password.is_none() && !has_session(store.as_ref())? {
                let prompt = if asked == 0 { "password of" } else { "wrong name or password; password of" };
                password = Some(self.ask(prompt)?);
                asked += 1;
            }
            let mut builder = self.builder(password.as_deref());
            if let Some(store) = &store {
                builder = builder.store(store.clone());
            }
            match builder.connect().await {
                Ok((client, events)) => return Ok(Connected { client, events, notices }),
                // The client has recorded the end of the session in the store.
                Err(error) if wants_login(&error) && self.ask.is_some() && asked < ATTEMPTS => password = None,
                Err(error) => return Err(error).with_context(|| format!("logging in as {}", self.name)),
            }
        }
    }

    fn builder(&self, password: Option<&str>) -> Builder {
        let mut builder = Client::builder().context(self.context.clone()).nodes(self.servers.iter().cloned());
        builder = builder.trust(self.trust.clone());
        if let Some(password) = password {
            builder = builder.credentials(self.name.clone(), password);
        }
        if let Some(code) = &self.invite {
            builder = builder.invite(code.clone());
        }
        if let Some(device) = &self.device {
            builder = builder.device(device.clone());
        }
        builder
    }

    fn ask(&self, prompt: &str) -> Result<String> {
        match &self.ask {
            Some(ask) => ask(&format!("{prompt} {}: ", clean(&self.name))),
            None => bail!("a password is needed: this device has no session"),
        }
    }

    fn open_store(&self, welcome: &Welcome) -> Result<(Option<SharedFile>, Vec<String>)> {
        let Some(folder) = &self.state_dir else { return Ok((None, Vec::new())) };
        let file = self.file_name();
        let path = folder.join(hex(&welcome.cluster_id)).join(&file);
        let mut notices = Vec::new();
        if !path.exists() {
            let earlier = welcome.continues.iter().rev().map(|id| folder.join(hex(id)).join(&file));
            match earlier.into_iter().find(|earlier| earlier.exists()) {
                Some(earlier) => {
                    let parent = path.parent().context("a store is in a folder")?;
                    std::fs::create_dir_all(parent).with_context(|| format!("creating {}", parent.display()))?;
                    std::fs::rename(&earlier, &path).with_context(|| format!("moving {}", earlier.display()))?;
                }
                None => notices = stores_of_others(folder, &file, &self.old_file_name()),
            }
        }
        let store = FileStore::open(&path).with_context(|| format!("opening {}", path.display()))?;
        Ok((Some(Arc::new(Mutex::new(store))), notices))
    }

    /// One file per user and device. A typed name may contain any character.
    fn file_name(&self) -> String {
        let plain = |text: &str| -> String {
            let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
            text.chars().map(|c| if plain(c) { c.to_string() } else { format!("%{:x}", u32::from(c)) }).collect()
        };
        let device = self.device.as_deref().map(|device| format!("@{}", plain(device))).unwrap_or_default();
        format!("{}{device}.troupe", plain(NameKey::of(&self.name).as_str()))
    }

    /// The path before version 0.2, which did not depend on the cluster.
    fn old_file_name(&self) -> String {
        let plain = |text: &str| -> String {
            text.chars().map(|c| if c.is_alphanumeric() || matches!(c, '_' | '-') { c } else { '_' }).collect()
        };
        let device = self.device.as_deref().map(|device| format!("-{}", plain(device))).unwrap_or_default();
        format!("{}{device}.troupe", plain(&troupe_core::fold(&self.name)))
    }
}

/// Whether an interactive login can help.
fn wants_login(error: &Error) -> bool {
    let codes = [Refusal::ExpiredToken.code(), Refusal::WrongCredentials.code(), Refusal::NotLoggedIn.code()];
    error.code().is_some_and(|code| codes.contains(&code))
}

fn has_session(store: Option<&SharedFile>) -> Result<bool> {
    let Some(store) = store else { return Ok(false) };
    let saved = store.lock().load()?;
    Ok(saved.session.is_some_and(|session| !session.token.is_empty()))
}

/// Lists the stores that this user has in other clusters. They are left unchanged.
fn stores_of_others(folder: &Path, file: &str, old_file: &str) -> Vec<String> {
    let mut paths: Vec<PathBuf> = vec![folder.join(old_file)];
    let folders = std::fs::read_dir(folder).into_iter().flatten().flatten();
    paths.extend(folders.map(|entry| entry.path().join(file)));
    paths.retain(|path| path.is_file());
    paths.sort();
    let more = paths.len().saturating_sub(OTHERS_NAMED);
    let mut notices: Vec<String> = paths.iter().take(OTHERS_NAMED).map(|path| named(path)).collect();
    if more > 0 {
        notices.push(format!("{more} more stores of other clusters are in {}", folder.display()));
    }
    notices
}

fn named(path: &Path) -> String {
    let saved = FileStore::open(path).and_then(|mut store| store.load()).unwrap_or_else(|_| Saved::default());
    let unsent = match saved.outbox.len() {
        0 => String::new(),
        1 => "; 1 message in it was not sent".to_owned(),
        count => format!("; {count} messages in it were not sent"),
    };
    format!("this is a new cluster for this device: the state of another one stays in {}{unsent}", path.display())
}

fn hex(id: &[u8]) -> String {
    if id.is_empty() {
        return "cluster".to_owned();
    }
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

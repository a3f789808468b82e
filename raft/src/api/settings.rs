//! Settings of the whole cluster: set when it is created, changed by an administrator.

use troupe_core::limits;

/// The default is the configuration of a cluster that was created before there were settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub registration: Registration,
    /// Seconds after which an unused session ends; zero: never.
    pub session_idle: u64,
    /// Name of the administrator that a new cluster creates; empty: none.
    pub first_admin: String,
    pub strangers: Strangers,
    /// Seconds in which the sender of a message may recall it.
    pub recall_seconds: u64,
    /// Bytes of the files of one user over all conversations.
    pub file_bytes: u64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            registration: Registration::default(),
            session_idle: 0,
            first_admin: String::new(),
            strangers: Strangers::default(),
            recall_seconds: limits::RECALL_SECONDS,
            file_bytes: limits::FILES_BYTES_OF_ALL,
        }
    }
}

/// The users that may register.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Registration {
    /// Every user that reaches the cluster.
    #[default]
    Open,
    /// Every user that has an invitation code.
    Invite,
    /// No user: administrators create accounts.
    Closed,
}

impl Registration {
    pub const ALL: [Registration; 3] = [Registration::Open, Registration::Invite, Registration::Closed];

    pub fn as_str(self) -> &'static str {
        match self {
            Registration::Open => "open",
            Registration::Invite => "invite",
            Registration::Closed => "closed",
        }
    }

    pub fn named(word: &str) -> Option<Registration> {
        Registration::ALL.into_iter().find(|registration| registration.as_str() == word)
    }
}

/// The effect of adding a user to a group of which the user has not heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strangers {
    /// The user is invited, and is a member after accepting.
    #[default]
    Invite,
    /// The user is a member at once.
    Add,
}

impl Strangers {
    pub const ALL: [Strangers; 2] = [Strangers::Invite, Strangers::Add];

    pub fn as_str(self) -> &'static str {
        match self {
            Strangers::Invite => "invite",
            Strangers::Add => "add",
        }
    }

    pub fn named(word: &str) -> Option<Strangers> {
        Strangers::ALL.into_iter().find(|strangers| strangers.as_str() == word)
    }
}

/// The settings to change; `None` keeps a setting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChangeSettings {
    pub registration: Option<Registration>,
    pub session_idle: Option<u64>,
    pub strangers: Option<Strangers>,
    pub recall_seconds: Option<u64>,
    pub file_bytes: Option<u64>,
}

impl Settings {
    pub fn change(&mut self, change: ChangeSettings) {
        self.registration = change.registration.unwrap_or(self.registration);
        self.session_idle = change.session_idle.unwrap_or(self.session_idle);
        self.strangers = change.strangers.unwrap_or(self.strangers);
        self.recall_seconds = change.recall_seconds.unwrap_or(self.recall_seconds);
        self.file_bytes = change.file_bytes.unwrap_or(self.file_bytes);
    }
}

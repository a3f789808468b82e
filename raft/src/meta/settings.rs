//! Settings of the whole cluster: given at its birth, changed by an administrator.

/// The default is what a cluster has that was born before there were settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    pub registration: Registration,
    /// Seconds after which a session that is not used ends; zero: never.
    pub session_idle: u64,
    /// Name of the administrator that the cluster makes at its birth; empty: none.
    pub first_admin: String,
    pub strangers: Strangers,
}

/// Who may register.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Registration {
    /// Everybody who reaches the cluster.
    #[default]
    Open,
    /// Whoever has an invitation code.
    Invite,
    /// Nobody: administrators make accounts.
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

/// What becomes of a user whom somebody adds to a group that it does not know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strangers {
    /// It is invited, and enters when it accepts.
    #[default]
    Invite,
    /// It is in at once.
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

/// What is to be another; the rest stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChangeSettings {
    pub registration: Option<Registration>,
    pub session_idle: Option<u64>,
    pub strangers: Option<Strangers>,
}

impl Settings {
    pub fn change(&mut self, change: ChangeSettings) {
        self.registration = change.registration.unwrap_or(self.registration);
        self.session_idle = change.session_idle.unwrap_or(self.session_idle);
        self.strangers = change.strangers.unwrap_or(self.strangers);
    }
}

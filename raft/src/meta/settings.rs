//! Settings of the whole cluster: given at its birth, changed by an administrator.

/// The default is what a cluster has that was born before there were settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    pub registration: Registration,
    /// Seconds after which a session that is not used ends; zero: never.
    pub session_idle: u64,
    /// Name of the administrator that the cluster makes at its birth; empty: none.
    pub first_admin: String,
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

/// What is to be another; the rest stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChangeSettings {
    pub registration: Option<Registration>,
    pub session_idle: Option<u64>,
}

impl Settings {
    pub(super) fn change(&mut self, change: ChangeSettings) {
        self.registration = change.registration.unwrap_or(self.registration);
        self.session_idle = change.session_idle.unwrap_or(self.session_idle);
    }
}

//! The words of these commands.

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use crate::arguments::Output;
use crate::people::Chat;

#[derive(Args)]
pub struct Who {
    #[command(flatten)]
    pub account: Chat,
    #[arg(short, long, value_enum, default_value = "table")]
    pub output: Output,
}

#[derive(Subcommand)]
pub enum UserVerb {
    /// All accounts
    List(Who),
    /// One account
    Show {
        /// Name, or id in decimal
        user: String,
        #[command(flatten)]
        who: Who,
    },
    /// Make an account; prints a one-time password
    Create {
        user: String,
        /// As an administrator
        #[arg(long)]
        admin: bool,
        #[command(flatten)]
        who: Who,
    },
    /// End all sessions of an account and refuse its logins
    Disable {
        user: String,
        #[command(flatten)]
        who: Who,
    },
    /// Let a disabled account log in again
    Enable {
        user: String,
        #[command(flatten)]
        who: Who,
    },
    /// Close an account for good: its name stays reserved, its messages stay
    Delete {
        user: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        who: Who,
    },
    /// Set a one-time password and print it; ends all sessions of the account
    ResetPassword {
        user: String,
        #[command(flatten)]
        who: Who,
    },
    /// Sessions of an account, or their end
    Sessions {
        user: String,
        /// Log this device out; `all` means every device
        #[arg(long, value_name = "DEVICE")]
        end: Option<String>,
        #[command(flatten)]
        who: Who,
    },
    /// Make a user an administrator
    MakeAdmin {
        user: String,
        /// Take the role away
        #[arg(long)]
        revoke: bool,
        #[command(flatten)]
        who: Who,
    },
    /// Set the role of a user: none, one that reads and changes nothing, or an administrator
    SetRole {
        user: String,
        role: Role,
        #[command(flatten)]
        who: Who,
    },
    /// Change one's own password; ends the sessions of the other devices
    ChangePassword(Password),
}

/// The role of an account.
#[derive(Clone, Copy, ValueEnum)]
pub enum Role {
    User,
    Auditor,
    Admin,
}

impl Role {
    pub fn name(self) -> &'static str {
        match self {
            Role::User => "user",
            Role::Auditor => "auditor",
            Role::Admin => "admin",
        }
    }
}

#[derive(Args)]
pub struct Password {
    #[command(flatten)]
    pub account: Chat,
    /// Better given at the prompt
    #[arg(long, env = "TROUPE_NEW_PASSWORD", hide_env_values = true)]
    pub new_password: Option<String>,
}

#[derive(Subcommand)]
pub enum InviteVerb {
    /// Make a code with which people may register; it is printed once
    Create {
        /// How many accounts
        #[arg(long, default_value_t = 1)]
        uses: u32,
        /// For how long: 90m, 12h, 7d
        #[arg(long, default_value = "7d", value_parser = duration)]
        expires: Duration,
        /// Purpose of the code
        #[arg(long, default_value = "")]
        note: String,
        #[command(flatten)]
        who: Who,
    },
    /// All codes that were made, by their ids
    List(Who),
    /// End a code: it admits no more registrations
    Revoke {
        id: String,
        #[command(flatten)]
        who: Who,
    },
}

#[derive(Args)]
pub struct Audit {
    /// Only what is not older: 90m, 12h, 7d
    #[arg(long, value_parser = duration)]
    pub since: Option<Duration>,
    #[command(flatten)]
    pub who: Who,
}

#[derive(Args)]
pub struct SettingsArgs {
    /// Registration from now on: open, invite or closed
    #[arg(long)]
    pub registration: Option<String>,
    /// After how long an unused session ends: 12h, 30d; 0: never
    #[arg(long, value_parser = duration)]
    pub session_idle: Option<Duration>,
    /// A user that a stranger adds to a group: invite (enters when it accepts) or add (is in at
    /// once)
    #[arg(long)]
    pub strangers: Option<String>,
    /// For how long the sender of a message may recall it: 2m, 24h; 0: never
    #[arg(long, value_parser = duration)]
    pub recall: Option<Duration>,
    /// Bytes that the files of one user may take over all conversations
    #[arg(long, value_name = "BYTES")]
    pub file_bytes: Option<u64>,
    #[command(flatten)]
    pub who: Who,
}

/// `90m`, `12h`, `7d`, `30s`; `0`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    const WANTS: &str = "wants a number with s, m, h or d, for instance 12h";
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let (number, unit) = text.split_at(text.len() - text.chars().next_back().map_or(0, char::len_utf8));
    let number: u64 = number.parse().map_err(|_| WANTS.to_owned())?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 24 * 3_600,
        _ => return Err(WANTS.to_owned()),
    };
    number.checked_mul(seconds).filter(|seconds| *seconds < 1 << 40).map(Duration::from_secs).ok_or(WANTS.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("90m"), Ok(Duration::from_secs(5_400)));
        assert_eq!(duration("7d"), Ok(Duration::from_secs(7 * 86_400)));
        assert_eq!(duration("0"), Ok(Duration::ZERO));
        for wrong in ["", "7", "d", "7w", "-1d", "99999999999999999999d", "9999999999999d", "1ü"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}

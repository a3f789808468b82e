//! Settings of groups as clients see them: the same bytes as core's.

use troupe_core::feature::{Meeting, Permission, Settings};

use crate::wire::client as wire;

/// A number that an enum does not have stays one, and core refuses it.
fn number(of: i32) -> u32 {
    u32::try_from(of).unwrap_or(u32::MAX)
}

fn of_number(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

impl From<wire::GroupSettings> for Settings {
    fn from(settings: wire::GroupSettings) -> Settings {
        let wire::GroupSettings {
            name,
            notice,
            avatar,
            join,
            history,
            slow_seconds,
            muted_until_ms,
            permissions,
            no_contact,
            retention_seconds,
        } = settings;
        let permission = |of: wire::Permission| Permission { act: number(of.act), role: number(of.role) };
        Settings {
            name,
            notice,
            avatar,
            join: number(join),
            history: number(history),
            slow_seconds,
            muted_until: muted_until_ms,
            permissions: permissions.into_iter().map(permission).collect(),
            no_contact,
            retention_seconds,
        }
    }
}

impl From<&Settings> for wire::GroupSettings {
    fn from(settings: &Settings) -> wire::GroupSettings {
        let permission = |of: &Permission| wire::Permission { act: of_number(of.act), role: of_number(of.role) };
        wire::GroupSettings {
            name: settings.name.clone(),
            notice: settings.notice.clone(),
            avatar: settings.avatar.clone(),
            join: of_number(settings.join),
            history: of_number(settings.history),
            slow_seconds: settings.slow_seconds,
            muted_until_ms: settings.muted_until,
            permissions: settings.permissions.iter().map(permission).collect(),
            no_contact: settings.no_contact,
            retention_seconds: settings.retention_seconds,
        }
    }
}

impl From<Meeting> for wire::Meeting {
    fn from(meeting: Meeting) -> wire::Meeting {
        match meeting {
            Meeting::Apart => wire::Meeting::Apart,
            Meeting::Allowed => wire::Meeting::Allowed,
            Meeting::Refused => wire::Meeting::Refused,
        }
    }
}

impl From<wire::Meeting> for Meeting {
    fn from(meeting: wire::Meeting) -> Meeting {
        match meeting {
            wire::Meeting::Apart => Meeting::Apart,
            wire::Meeting::Allowed => Meeting::Allowed,
            wire::Meeting::Refused => Meeting::Refused,
        }
    }
}

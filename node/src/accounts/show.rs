//! How accounts, sessions, invitations, settings and the audit log are shown: as JSON and as
//! tables.

use serde_json::{Value, json};
use troupe_client::SessionInfo;
use troupe_client::admin::{Account, AuditRow, Invite, Settings};

/// `2026-11-28 16:30:00` in UTC.
pub fn moment(ms: u64) -> String {
    let (days, rest) = (ms / 86_400_000, ms / 1_000 % 86_400);
    // Days since 0000-03-01, in eras of 400 years (Howard Hinnant's civil_from_days).
    let z = days + 719_468;
    let (era, day_of_era) = (z / 146_097, z % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}", rest / 3_600, rest / 60 % 60, rest % 60)
}

pub fn account_json(account: &Account) -> Value {
    json!({
        "id": account.user_id,
        "name": account.name,
        "status": account.status,
        "admin": account.admin,
        "role": account.role,
        "one_time_password": account.one_time_password,
        "created_ms": account.created_ms,
        "password_set_ms": account.password_set_ms.max(account.created_ms),
        "sessions": account.sessions,
        "online": account.online,
        "last_login_ms": account.last_login_ms,
        "last_login_from": account.last_login_from,
    })
}

pub fn account_table(accounts: &[Account]) -> String {
    let mut out = format!(
        "{:<10}{:<24}{:<10}{:<9}{:<10}{:<8}{:<21}{:<10}{:<21}{}\n",
        "ID", "NAME", "STATUS", "ROLE", "SESSIONS", "ONLINE", "CREATED (UTC)", "PASSWORD", "LAST LOGIN (UTC)", "FROM"
    );
    let yes = |so: bool| if so { "yes" } else { "no" };
    for account in accounts {
        out.push_str(&format!(
            "{:<10}{:<24}{:<10}{:<9}{:<10}{:<8}{:<21}{:<10}{:<21}{}\n",
            account.user_id,
            account.name,
            account.status,
            account.role,
            account.sessions,
            yes(account.online),
            moment(account.created_ms),
            if account.one_time_password { "one-time" } else { "set" },
            if account.last_login_ms == 0 { "-".to_owned() } else { moment(account.last_login_ms) },
            account.last_login_from
        ));
    }
    out
}

pub fn session_json(session: &SessionInfo) -> Value {
    json!({
        "device": session.device,
        "created_ms": session.created.0,
        "used_ms": session.used.0,
        "online": session.online,
    })
}

pub fn session_table(sessions: &[SessionInfo]) -> String {
    let mut out = format!("{:<32}{:<21}{:<21}{}\n", "DEVICE", "SINCE (UTC)", "USED (UTC)", "ONLINE");
    for session in sessions {
        let online = if session.online { "yes" } else { "no" };
        let (created, used) = (moment(session.created.0), moment(session.used.0));
        out.push_str(&format!("{:<32}{created:<21}{used:<21}{online}\n", session.device));
    }
    out
}

pub fn invite_json(invite: &Invite) -> Value {
    json!({
        "id": invite.id,
        "uses": invite.uses,
        "used": invite.used,
        "created_ms": invite.created_ms,
        "expires_ms": invite.expires_ms,
        "revoked": invite.revoked,
        "by": invite.by,
        "note": invite.note,
    })
}

pub fn invite_table(invites: &[Invite]) -> String {
    let mut out = format!("{:<18}{:<9}{:<21}{:<9}{:<16}{}\n", "ID", "USED", "UNTIL (UTC)", "REVOKED", "BY", "NOTE");
    for invite in invites {
        let used = format!("{}/{}", invite.used, invite.uses);
        let revoked = if invite.revoked { "yes" } else { "no" };
        let until = moment(invite.expires_ms);
        out.push_str(&format!("{:<18}{used:<9}{until:<21}{revoked:<9}{:<16}{}\n", invite.id, invite.by, invite.note));
    }
    out
}

pub fn audit_json(row: &AuditRow) -> Value {
    json!({
        "time_ms": row.place.map_or(0, |place| place.time_ms),
        "by": row.by_name,
        "by_id": row.by,
        "address": row.address,
        "action": row.action,
        "target": row.target,
        "detail": row.detail,
    })
}

pub fn audit_table(rows: &[AuditRow]) -> String {
    let mut out = format!("{:<21}{:<16}{:<22}{:<22}{}\n", "TIME (UTC)", "BY", "ADDRESS", "ACTION", "TARGET");
    for row in rows {
        let time = moment(row.place.map_or(0, |place| place.time_ms));
        let target = [row.target.as_str(), row.detail.as_str()].join(" ");
        let (by, address, action) = (&row.by_name, &row.address, &row.action);
        out.push_str(&format!("{time:<21}{by:<16}{address:<22}{action:<22}{}\n", target.trim()));
    }
    out
}

pub fn settings_json(settings: &Settings) -> Value {
    json!({
        "registration": settings.registration,
        "session_idle": settings.session_idle_seconds,
        "strangers": settings.strangers,
        "recall": settings.recall_seconds,
        "file_bytes": settings.file_bytes,
    })
}

pub fn settings_table(settings: &[Settings]) -> String {
    let mut out = String::new();
    for settings in settings {
        let idle = match settings.session_idle_seconds {
            0 => "never".to_owned(),
            seconds => format!("{seconds} s"),
        };
        out.push_str(&format!(
            "registration   {}\nsession idle   {idle}\nstrangers      {}\nrecall         {} s\nfile bytes     {}\n",
            settings.registration, settings.strangers, settings.recall_seconds, settings.file_bytes
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_the_calendar() {
        assert_eq!(moment(0), "1970-01-01 00:00:00");
        assert_eq!(moment(951_782_400_000), "2000-02-29 00:00:00");
        assert_eq!(moment(1_700_000_000_123), "2023-11-14 22:13:20");
    }
}

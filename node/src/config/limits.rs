//! The limits of users and addresses on a node: the keys under `limits`.

use troupe_actors::budgets::Limits;

use super::{ConfigError, Settings};

/// More than any machine does: what is above is a slip of the pen.
const MOST: u64 = 1_000_000_000;

pub(super) fn limits(settings: &Settings) -> Result<Limits, ConfigError> {
    let rate = |name: &str| settings.number(name, 0, MOST);
    let count = |name: &str| Ok::<_, ConfigError>(settings.number(name, 1, MOST)? as usize);
    Ok(Limits {
        user_rate: rate("limits.user_rate")?,
        user_burst: settings.number("limits.user_burst", 1, MOST)?,
        address_rate: rate("limits.address_rate")?,
        address_burst: settings.number("limits.address_burst", 1, MOST)?,
        entry_rate: rate("limits.entry_rate")?,
        entry_burst: settings.number("limits.entry_burst", 1, MOST)?,
        login_rate: rate("limits.login_rate")?,
        login_burst: settings.number("limits.login_burst", 1, MOST)?,
        accounts_per_day: rate("limits.accounts_per_day")?,
        accounts_burst: settings.number("limits.accounts_burst", 1, MOST)?,
        messages_per_day: rate("limits.messages_per_day")?,
        bytes_per_day: settings.number("limits.bytes_per_day", 0, 1 << 50)?,
        groups_per_day: rate("limits.groups_per_day")?,
        members_per_day: rate("limits.members_per_day")?,
        connections: count("limits.connections")?,
        address_connections: count("limits.address_connections")?,
        active_entities: count("limits.active_entities")?,
        output_bytes: settings.number("limits.output_bytes", 16 * 1024 * 1024, 1 << 40)? as usize,
        loopback_factor: settings.number("limits.loopback_factor", 1, 1_000)?,
    })
}

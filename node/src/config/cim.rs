//! The section `compat.cim`: clients of CIM, only where that is safe.

use super::{ConfigError, Settings};

/// Checked also while the edge is off, so that a mistake is found before it is switched on.
pub fn cim(settings: &Settings) -> Result<Option<troupe_edge_cim::Config>, ConfigError> {
    let enabled: bool = settings.parsed("compat.cim.enabled", "true or false")?;
    let (http, listen) = (settings.address("compat.cim.http")?, settings.address("compat.cim.listen")?);
    let (allow, advertise) = (settings.text("compat.cim.allow"), settings.text("compat.cim.advertise"));
    let config = troupe_edge_cim::Config::new(&http, &listen, allow, advertise).map_err(ConfigError)?;
    Ok(enabled.then_some(config))
}

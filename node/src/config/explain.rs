//! `troupe config explain`: each value, where it comes from, and what else it could be.

use serde_json::{Value, json};

use super::{ConfigError, KEYS, Key, Settings, find, unknown};

/// One key, or all. Secrets are not shown.
pub fn explain(settings: &Settings, only: Option<&str>) -> Result<String, ConfigError> {
    let line = |key: &&Key| {
        let (value, source) = shown(settings, key);
        let (name, about, default) = (key.name, key.about, key.default);
        let (variable, flag) = (key.variable(), key.flag());
        format!(
            "{name} = \"{value}\"  ({source})\n    {about}\n    default \"{default}\", variable {variable}, flag --{flag}\n"
        )
    };
    Ok(chosen(only)?.iter().map(line).collect())
}

/// The same for programs: a list.
pub fn explain_json(settings: &Settings, only: Option<&str>) -> Result<Value, ConfigError> {
    let one = |key: &&Key| {
        let (value, source) = shown(settings, key);
        json!({
            "key": key.name,
            "value": value,
            "source": source,
            "about": key.about,
            "default": key.default,
            "variable": key.variable(),
            "flag": format!("--{}", key.flag()),
        })
    };
    Ok(chosen(only)?.iter().map(one).collect())
}

fn chosen(only: Option<&str>) -> Result<Vec<&'static Key>, ConfigError> {
    match only {
        Some(name) => Ok(vec![find(name).ok_or_else(|| unknown("key", name, "config explain"))?]),
        None => Ok(KEYS.iter().collect()),
    }
}

fn shown<'a>(settings: &'a Settings, key: &Key) -> (&'a str, String) {
    let (value, source) = settings.get(key.name);
    let secret = key.name == "cluster.token" && !value.is_empty();
    (if secret { "(secret)" } else { value }, source.to_string())
}

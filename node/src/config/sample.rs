//! `troupe config init`: a file with every key, its default and its sentence, all commented out.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use super::{ConfigError, KEYS};

const HEAD: &str = "\
# Configuration of a node of Troupe. Every key stands here with its default; remove the # of a line to change it.
# `troupe config check` checks this file, `troupe config explain` shows where each value comes from.
# A variable such as TROUPE_CLIENT_LISTEN wins over the file, a flag such as --client-listen over both.
";

/// Writes the file, or prints it. A file that is there stays as it is.
pub fn init(file: Option<&Path>) -> Result<(), ConfigError> {
    let Some(path) = file else {
        print!("{}", sample());
        return Ok(());
    };
    let made = OpenOptions::new().write(true).create_new(true).open(path);
    let written = made.and_then(|mut file| file.write_all(sample().as_bytes()));
    written.map_err(|error| {
        ConfigError(format!("cannot write {}: {error}; name a file that does not exist", path.display()))
    })
}

/// The text. Keys of one table stand together, because their names begin alike.
fn sample() -> String {
    let mut text = HEAD.to_owned();
    let mut open = "";
    for key in KEYS {
        let (table, name) = key.name.rsplit_once('.').unwrap_or(("", key.name));
        if table != open {
            open = table;
            text.push_str(&format!("\n[{table}]\n"));
        }
        text.push_str(&format!("# {}\n# {name} = {}\n", key.about, value(key.default)));
    }
    text
}

fn value(default: &str) -> String {
    match default.parse::<u64>().is_ok() || default.parse::<bool>().is_ok() {
        true => default.to_owned(),
        false => toml::Value::String(default.to_owned()).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::config::{Settings, flatten};

    #[test]
    fn the_file_changes_nothing_and_each_of_its_lines_is_the_default() {
        let path = std::path::Path::new("troupe.toml");
        assert_eq!(flatten(&sample(), path), Ok(vec![]));
        let is_key = |line: &str| line.starts_with("# ") && line.contains(" = ");
        let uncommented = |line: &str| if is_key(line) { line[2..].to_owned() } else { line.to_owned() };
        let all: String = sample().lines().skip(3).map(|line| uncommented(line) + "\n").collect();
        let defaults = Settings::gather(None, std::iter::empty(), &[], &BTreeSet::new()).expect("the defaults");
        let written = flatten(&all, path).expect("TOML");
        assert_eq!(written.len(), KEYS.len(), "{all}");
        for (name, value) in written {
            assert_eq!(defaults.get(&name).0, value, "{name}");
        }
    }
}

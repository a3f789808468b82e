//! The pages of the book that are made of this program: its command line, its configuration and its
//! metrics. A test compares each with its file; with the variable `UPDATE` it writes the files.
//!
//! [`crate::catalogue`] makes the page of codes in the same way.

use clap::{Arg, Command, CommandFactory};

use crate::cli::Cli;
use crate::config::{KEYS, Key};
use crate::{metrics, reload};

const WRITTEN: &str = "A test writes this page from the program: `UPDATE=1 cargo t -p troupe the_pages_are`.\n";

/// `docs/reference/commands.md`.
pub fn commands() -> String {
    let mut page = format!(
        "# All commands and arguments\n\n\
         {WRITTEN}\
         `troupe help COMMAND` prints the same, and [Commands](../cli.md) says what they share.\n\
         `troupe demo`, `troupe chaos` and `troupe bench` have a help of their own: `troupe demo --help`.\n"
    );
    let mut root = Cli::command();
    root.build();
    root.get_subcommands().for_each(|verb| command(verb, "troupe", &mut page));
    page
}

/// A command that does something itself, or those below it.
fn command(verb: &Command, above: &str, page: &mut String) {
    let name = format!("{above} {}", verb.get_name());
    if verb.is_hide_set() || verb.get_name() == "help" {
        return;
    }
    if !verb.is_subcommand_required_set() {
        let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
        let usage = verb.clone().render_usage().to_string();
        let usage = usage.trim_start_matches("Usage:").trim().replace('\n', "\n    ");
        page.push_str(&format!("\n## {name}\n\n{}\n\n    {usage}\n", sentence(&about)));
        page.push_str(&arguments(verb));
    }
    verb.get_subcommands().for_each(|below| command(below, &name, page));
}

fn arguments(verb: &Command) -> String {
    let shown = |arg: &&Arg| !arg.is_hide_set() && !["help", "version"].contains(&arg.get_id().as_str());
    let is_key = |arg: &Arg| KEYS.iter().any(|key| arg.get_long() == Some(key.flag().as_str()));
    // A single one, such as the folder of the data, is an argument of the command itself.
    let takes_keys = verb.get_arguments().filter(|arg| is_key(arg)).count() > 1;
    let own: Vec<&Arg> = verb.get_arguments().filter(shown).filter(|arg| !takes_keys || !is_key(arg)).collect();
    let mut out = String::new();
    if !own.is_empty() {
        out.push_str("\n| argument | meaning | default | variable |\n| --- | --- | --- | --- |\n");
        own.into_iter().for_each(|arg| out.push_str(&row(arg)));
    }
    if takes_keys {
        out.push_str("\nEach key of the [configuration](configuration.md) is an argument too.\n");
    }
    out
}

fn row(arg: &Arg) -> String {
    let values: Vec<&str> = arg.get_value_names().into_iter().flatten().map(|name| name.as_str()).collect();
    let takes = arg.get_action().takes_values();
    let value = if takes { format!("<{}>", values.join("> <")) } else { String::new() };
    let flags = [arg.get_short().map(|short| format!("-{short}")), arg.get_long().map(|long| format!("--{long}"))];
    let flags: Vec<String> = flags.into_iter().flatten().collect();
    let name = format!("{} {value}", flags.join(", "));
    let mut help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let known = arg.get_possible_values();
    let known: Vec<&str> = known.iter().filter(|known| !known.is_hide_set()).map(|known| known.get_name()).collect();
    if takes && !known.is_empty() {
        help = format!("{help} ({})", known.join(", "));
    }
    let default: Vec<String> = arg.get_default_values().iter().map(|value| code(&value.to_string_lossy())).collect();
    let default = if takes { default.join(" ") } else { String::new() };
    let variable = arg.get_env().map(|name| code(&name.to_string_lossy())).unwrap_or_default();
    format!("| {} | {} | {default} | {variable} |\n", code(name.trim()), cell(help.trim()))
}

/// `docs/reference/configuration.md`.
pub fn configuration() -> String {
    let mut page = format!(
        "# Configuration\n\n\
         {WRITTEN}\
         A key is set in a TOML file (`--config`, `TROUPE_CONFIG`), by a variable, or by a flag; each later one wins.\n\
         `client.listen` is `listen` in the table `[client]`, `TROUPE_CLIENT_LISTEN` and `--client-listen`.\n\
         `troupe config init` writes a file with all keys, `troupe config check` checks it, and `troupe config explain KEY` says which source has set a value.\n\
         A key with *yes* in the last column follows a reload (SIGHUP); the others need a restart, and the log names those that have changed.\n"
    );
    let mut open = "";
    for key in KEYS {
        let table = key.name.rsplit_once('.').map_or("", |(table, _)| table);
        if table != open {
            open = table;
            page.push_str(&format!(
                "\n## {table}\n\n| key | default | meaning | reload |\n| --- | --- | --- | --- |\n"
            ));
        }
        page.push_str(&key_row(key));
    }
    page
}

fn key_row(key: &Key) -> String {
    let default = if key.default.is_empty() { String::new() } else { code(key.default) };
    let reload = if reload::follows(key.name) { "yes" } else { "" };
    format!("| {} | {default} | {} | {reload} |\n", code(key.name), cell(key.about))
}

/// The table of `docs/metrics.md`.
pub fn metrics() -> String {
    let mut table = String::from("| name | kind | label | meaning |\n| --- | --- | --- | --- |\n");
    for (name, kind, label, help) in metrics::catalogue() {
        let words: Vec<String> = help.split(' ').map(quoted).collect();
        table.push_str(&format!("| `{name}` | {kind} | {label} | {} |\n", cell(&words.join(" "))));
    }
    table
}

/// Names of metrics and paths as code.
fn quoted(word: &str) -> String {
    let is_name = word.starts_with("troupe_") || word.starts_with("/");
    if is_name { code(word) } else { word.to_owned() }
}

fn code(text: &str) -> String {
    if text.contains('`') || text.is_empty() { text.to_owned() } else { format!("`{}`", cell(text)) }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

fn sentence(text: &str) -> String {
    if text.is_empty() || text.ends_with('.') { text.to_owned() } else { format!("{text}.") }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::catalogue;

    const BEGIN: &str = "<!-- written from the program -->\n";
    const END: &str = "<!-- end -->\n";

    fn page(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name)
    }

    /// Compares a file with what the program makes, or writes it.
    fn compare(name: &str, made: &str) {
        let path = page(name);
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, made).expect("it can be written");
            return;
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        let line = written.lines().zip(made.lines()).position(|(written, made)| written != made);
        assert!(
            written == made,
            "docs/{name} differs from line {:?} on: run this test with UPDATE=1",
            line.map(|at| at + 1)
        );
    }

    #[test]
    fn the_pages_are_those_of_the_program() {
        compare("reference/commands.md", &commands());
        compare("reference/configuration.md", &configuration());
        compare("errors.md", &catalogue::page());
        let text = std::fs::read_to_string(page("metrics.md")).expect("a page");
        let (head, rest) = text.split_once(BEGIN).expect("a mark");
        let (_, tail) = rest.split_once(END).expect("a second mark");
        compare("metrics.md", &format!("{head}{BEGIN}{}{END}{tail}", metrics()));
    }

    #[test]
    fn every_command_and_every_key_is_described() {
        let (commands, configuration) = (commands(), configuration());
        for name in ["troupe start", "troupe node drain", "troupe backup keep", "troupe top", "troupe context add"] {
            assert!(commands.contains(&format!("\n## {name}\n")), "{name}: {commands}");
        }
        for key in KEYS {
            assert!(configuration.contains(&format!("| `{}` |", key.name)), "{}", key.name);
        }
        assert!(!commands.contains("--client-listen") && !commands.contains("## troupe help"), "{commands}");
    }
}

//! The catalogue of codes: what an error or a finding of `troupe doctor` means, and the remedy.
//!
//! `troupe explain` prints it, and docs/errors.md is its text ([`crate::reference`] has the test).
//! Codes of the client protocol come from the program that answers them
//! ([`troupe_edge_http::problems`]).

use std::collections::BTreeMap;

use serde_json::Value;

mod commands;
mod findings;

/// Where a code occurs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Area {
    Command,
    Doctor,
    Protocol,
}

impl Area {
    pub fn title(self) -> &'static str {
        match self {
            Area::Command => "Errors of commands",
            Area::Doctor => "Findings of `troupe doctor`",
            Area::Protocol => "Refusals of the client protocol and the HTTP API",
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            Area::Command => "command",
            Area::Doctor => "doctor",
            Area::Protocol => "protocol",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub code: String,
    pub area: Area,
    pub cause: String,
    pub remedy: String,
}

/// Code, cause and remedy.
type Row = (&'static str, &'static str, &'static str);

/// All entries, by area and code.
pub fn all() -> Vec<Entry> {
    let own = [(Area::Command, commands::ROWS), (Area::Doctor, findings::ROWS)];
    let mut entries: Vec<Entry> = Vec::new();
    for (area, rows) in own {
        let entry = |(code, cause, remedy): &Row| Entry {
            code: (*code).to_owned(),
            area,
            cause: (*cause).to_owned(),
            remedy: (*remedy).to_owned(),
        };
        entries.extend(rows.iter().map(entry));
    }
    entries.extend(of_protocol());
    entries
}

pub fn find(code: &str) -> Option<Entry> {
    all().into_iter().find(|entry| entry.code == code)
}

/// The remedy of a finding. A test shows that each has one.
pub fn remedy(code: &str) -> &'static str {
    findings::ROWS.iter().find(|(known, ..)| *known == code).map_or("", |(_, _, remedy)| *remedy)
}

/// One entry per code: some codes have several texts.
fn of_protocol() -> Vec<Entry> {
    let mut entries: BTreeMap<String, Entry> = BTreeMap::new();
    for problem in serde_json::to_value(troupe_edge_http::problems()).iter().flat_map(Value::as_array).flatten() {
        let text = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
        let code = text("code");
        let entry = Entry {
            code: code.clone(),
            area: Area::Protocol,
            cause: text("detail"),
            remedy: by_kind(&text("kind")).to_owned(),
        };
        entries.entry(code).or_insert(entry);
    }
    entries.into_values().collect()
}

fn by_kind(kind: &str) -> &'static str {
    match kind {
        "failed_precondition" => "It was not applied. Send the same again once its predecessor is acknowledged.",
        "overloaded" => "It was not accepted. Send the same again after `retry_after_ms`.",
        "unavailable" => "It may have been applied. Send the same again, with the same id.",
        _ => "It was not applied and never will be. Correct the request before it is sent again.",
    }
}

/// The text of docs/errors.md.
pub fn page() -> String {
    let mut page = String::from(
        "# Codes\n\n\
         `troupe explain CODE` prints cause and remedy of a code, and `troupe explain` prints this list.\n\
         A test writes this page from the program: `UPDATE=1 cargo t -p troupe the_pages_are`.\n\n\
         ## Exit codes\n\n\
         | code | meaning |\n| --- | --- |\n",
    );
    for exit in crate::exit::Exit::ALL {
        page.push_str(&format!("| {} | {} |\n", exit.number(), exit.meaning()));
    }
    let entries = all();
    for area in [Area::Command, Area::Doctor] {
        page.push_str(&format!("\n## {}\n\n| code | cause | remedy |\n| --- | --- | --- |\n", area.title()));
        for entry in entries.iter().filter(|entry| entry.area == area) {
            page.push_str(&format!("| `{}` | {} | {} |\n", entry.code, cell(&entry.cause), cell(&entry.remedy)));
        }
    }
    page.push_str(&format!(
        "\n## {}\n\n[protocol.md](protocol.md#failures) lists the codes that clients get; `troupe explain` knows them too.\n",
        Area::Protocol.title()
    ));
    page
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_stands_once_with_cause_and_remedy() {
        let mut seen = std::collections::BTreeSet::new();
        for entry in all() {
            assert!(!entry.cause.is_empty() && !entry.remedy.is_empty(), "{}", entry.code);
            assert!(seen.insert((entry.area.word(), entry.code.clone())), "{} twice", entry.code);
        }
        assert!(seen.contains(&("protocol", "storage_low".to_owned())));
    }
}

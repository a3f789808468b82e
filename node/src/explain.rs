//! `troupe explain`: cause and remedy of a code.

use std::io::Write;

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use crate::arguments::Output;
use crate::catalogue::{self, Entry};
use crate::exit::coded;

#[derive(Args)]
pub struct Explain {
    /// The code of an error or of a finding; without it all codes are listed
    pub code: Option<String>,
    #[arg(short, long, value_enum, default_value = "table")]
    pub output: Output,
    /// Print docs/errors.md
    #[arg(long, hide = true, conflicts_with = "code")]
    pub page: bool,
}

pub fn run(args: &Explain) -> Result<()> {
    let text = match &args.code {
        _ if args.page => catalogue::page(),
        Some(code) => one(code, args.output)?,
        None => all(args.output),
    };
    // A reader that has seen enough closes the pipe, which is no failure.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(())
}

fn one(code: &str, output: Output) -> Result<String> {
    let entry = catalogue::find(code).ok_or_else(|| coded("unknown_code", unknown(code)))?;
    let (code, area, cause, remedy) = (&entry.code, entry.area.word(), &entry.cause, &entry.remedy);
    Ok(output.text(|| as_json(&entry), || format!("{code}   ({area})\n\ncause   {cause}\nremedy  {remedy}\n")))
}

fn all(output: Output) -> String {
    let entries = catalogue::all();
    let table = || {
        let line = |entry: &Entry| format!("{:<28}{:<10}{}\n", entry.code, entry.area.word(), entry.cause);
        let head = format!("{:<28}{:<10}{}\n", "CODE", "AREA", "CAUSE");
        head + &entries.iter().map(line).collect::<String>()
    };
    output.text(|| entries.iter().map(as_json).collect(), table)
}

fn as_json(entry: &Entry) -> Value {
    json!({ "code": entry.code, "area": entry.area.word(), "cause": entry.cause, "remedy": entry.remedy })
}

fn unknown(code: &str) -> String {
    let entries = catalogue::all();
    let near =
        entries.iter().map(|entry| entry.code.as_str()).min_by_key(|known| strsim::damerau_levenshtein(known, code));
    format!("no code is named \"{}\"; did you mean {}?", code.escape_default(), near.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_cause_and_remedy() {
        let text = one("no_answer", Output::Table).expect("known");
        assert!(text.contains("cause") && text.contains("remedy"), "{text}");
        let value: Value = serde_json::from_str(&one("disk_slow", Output::Json).expect("known")).expect("JSON");
        assert_eq!(value["area"], "doctor");
        let error = one("no_anwser", Output::Table).expect_err("unknown");
        assert!(error.to_string().contains("did you mean no_answer"), "{error}");
        assert!(all(Output::Table).contains("name_taken"));
    }
}

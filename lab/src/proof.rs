//! Generates `docs/proof.md` from the output of the harnesses.
//!
//! `scripts/proof` runs them and stores their lines of JSON in one folder:
//!
//! | file                     | lines of                                           |
//! | ------------------------ | -------------------------------------------------- |
//! | `machine.txt`            | plain text: the machine it was run on              |
//! | `sim.jsonl`              | `scripts/chaos sim --json`                         |
//! | `mutants.jsonl`          | `scripts/chaos mutants --blind --json`             |
//! | `mutants-processes.jsonl`| `scripts/chaos mutants --processes --json`         |
//! | `runs.jsonl`             | `scripts/chaos run --all --json`                   |
//! | `runs.log`               | its standard error, skipped scenarios included     |
//! | `controls.jsonl`         | `scripts/controls`                                 |

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// A section without its file says so. An unreadable line is an error.
pub fn write(folder: &Path) -> Result<String> {
    let text = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
    let mut page = String::from(
        "# Proof\n\n`scripts/proof` writes this page from the output of the commands below.\n\
         [chaos.md](chaos.md) explains the terms.\n\
         The [track record](../chaos-tests/track-record.md) lists the faults that the harnesses found in Troupe.\n",
    );
    let machine = text("machine.txt");
    if !machine.is_empty() {
        write!(page, "\n```\n{}\n```\n", machine.trim_end())?;
    }
    part(&mut page, folder, "Simulation", "scripts/chaos sim", "sim.jsonl", simulation)?;
    part(&mut page, folder, "Faults on real processes", "scripts/chaos run --all", "runs.jsonl", |rows| {
        let skipped = text("runs.log");
        let skipped = skipped.lines().filter_map(|line| line.strip_prefix("skipped: "));
        Ok(runs(rows)? + &skipped.map(|line| format!("\nNot played there: {line}\n")).collect::<String>())
    })?;
    part(&mut page, folder, "Controls", "scripts/controls", "controls.jsonl", controls)?;
    part(&mut page, folder, "Planted bugs", "scripts/chaos mutants --blind", "mutants.jsonl", mutants)?;
    part(
        &mut page,
        folder,
        "Planted bugs, on real processes",
        "scripts/chaos mutants --processes",
        "mutants-processes.jsonl",
        mutants,
    )?;
    Ok(page)
}

fn part(
    page: &mut String,
    folder: &Path,
    title: &str,
    command: &str,
    file: &str,
    table: impl FnOnce(&[Value]) -> Result<String>,
) -> Result<()> {
    write!(page, "\n## {title}\n\n`{command}`\n\n")?;
    let Ok(text) = fs::read_to_string(folder.join(file)) else {
        page.push_str("Not run.\n");
        return Ok(());
    };
    let rows: Vec<Value> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| serde_json::from_str(line).with_context(|| format!("{file}: not a line of JSON: {line}")))
        .collect::<Result<_>>()?;
    page.push_str(&table(&rows).with_context(|| file.to_owned())?);
    Ok(())
}

/// A table cell. A missing field is an error, because an incomplete table proves nothing.
fn cell(row: &Value, field: &str) -> Result<String> {
    Ok(match row.get(field).with_context(|| format!("no \"{field}\" in {row}"))? {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.replace('|', "\\|").replace('\n', " "),
        other => other.to_string(),
    })
}

fn table(rows: &[Value], columns: &[(&str, &str)]) -> Result<String> {
    let heads: Vec<&str> = columns.iter().map(|(head, _)| *head).collect();
    let mut out = format!("| {} |\n|{}\n", heads.join(" | "), " --- |".repeat(columns.len()));
    for row in rows {
        let cells: Result<Vec<String>> = columns.iter().map(|(_, field)| cell(row, field)).collect();
        writeln!(out, "| {} |", cells?.join(" | "))?;
    }
    Ok(out)
}

fn simulation(rows: &[Value]) -> Result<String> {
    table(
        rows,
        &[
            ("seeds", "seeds"),
            ("simulated s", "simulated_s"),
            ("faults", "faults"),
            ("messages acknowledged", "messages"),
            ("violations", "violations"),
            ("simulated s per s", "simulated_s_per_s"),
        ],
    )
}

fn runs(rows: &[Value]) -> Result<String> {
    let columns = [
        ("scenario", "scenario"),
        ("verdict", "verdict"),
        ("faults", "faults"),
        ("acked", "acked"),
        ("delivered", "delivered"),
        ("lost", "lost"),
        ("duplicated", "duplicated"),
        ("reordered", "reordered"),
        ("gaps", "gaps"),
        ("diverged", "diverged"),
        ("never answered", "unknown"),
        ("longest gap ms", "max_send_gap_ms"),
        ("seconds", "seconds"),
        ("seed", "seed"),
    ];
    let held = rows.iter().filter(|row| row["verdict"] == "held").count();
    let acked: u64 = rows.iter().filter_map(|row| row["acked"].as_u64()).sum();
    Ok(format!(
        "{}\n{held} of {} held; {acked} messages acknowledged. The gap is the longest time in which no message was \
         acknowledged, faults of a majority included.\n",
        table(rows, &columns)?,
        rows.len()
    ))
}

/// Troupe's rows come from its own scenarios.
fn as_control(row: &Value) -> Result<Value> {
    if row.get("control").is_some() {
        return Ok(row.clone());
    }
    let mut control = json!({ "control": "**troupe**", "version": env!("CARGO_PKG_VERSION") });
    for (field, from) in [
        ("fault", "scenario"),
        ("acked", "acked"),
        ("lost", "lost"),
        ("seconds", "seconds"),
        ("gap_ms", "max_send_gap_ms"),
    ] {
        control[field] = row.get(from).with_context(|| format!("no \"{from}\" in {row}"))?.clone();
    }
    Ok(control)
}

fn controls(rows: &[Value]) -> Result<String> {
    let mut rows: Vec<Value> = rows.iter().map(as_control).collect::<Result<_>>()?;
    for row in &mut rows {
        // The gap of a power loss of all servers only measures how long it lasted.
        if row["fault"] == "power-loss-all" || row.get("gap_ms").is_none() {
            row["gap_ms"] = Value::Null;
        }
    }
    rows.sort_by_key(|row| (row["fault"] != "power-loss-all", row["fault"].to_string()));
    let columns = [
        ("system", "control"),
        ("version", "version"),
        ("fault", "fault"),
        ("acknowledged", "acked"),
        ("of these lost", "lost"),
        ("longest gap ms", "gap_ms"),
        ("seconds", "seconds"),
    ];
    Ok(format!(
        "A harness that cannot show a known loss proves nothing: NATS JetStream as it comes (file, R=3) must lose, RabbitMQ's \
         quorum queues must not. Each has three nodes on this machine. Only Troupe's faults come while people send, many times in a \
         run; the others are hit once, and the gap is the longest of all.\n\n{}",
        table(&rows, &columns)?
    ))
}

fn mutants(rows: &[Value]) -> Result<String> {
    let caught = rows.iter().filter(|row| !row["caught_by"].is_null()).count();
    let columns = [
        ("bug", "bug"),
        ("caught by", "caught_by"),
        ("seeds to catch", "seeds"),
        ("seconds", "seconds"),
        ("seed", "seed"),
        ("shown as", "shown_as"),
    ];
    Ok(format!(
        "Each bug is planted into the node or the SDK, and seeds are run until one shows it. {caught} of {} are caught.\n\n{}",
        rows.len(),
        table(rows, &columns)?
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_made_of_what_was_printed_and_says_what_was_not_run() {
        let folder = tempfile::tempdir().expect("a folder");
        let put = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("written");
        put(
            "mutants.jsonl",
            "{\"bug\":\"ack-early\",\"caught_by\":\"simulation\",\"seeds\":3,\"seconds\":1.5,\"seed\":2,\"shown_as\":\"lost | a\\nb\"}\n\
             {\"bug\":\"quiet\",\"caught_by\":null,\"seeds\":null,\"seconds\":9.0,\"seed\":null,\"shown_as\":null}\n",
        );
        put(
            "sim.jsonl",
            "{\"seeds\":2,\"simulated_s\":1,\"faults\":4,\"messages\":5,\"violations\":0,\"simulated_s_per_s\":20.5}",
        );
        let page = write(folder.path()).expect("a page");
        assert!(page.contains("| ack-early | simulation | 3 | 1.5 | 2 | lost \\| a b |"), "{page}");
        assert!(page.contains("1 of 2 are caught"), "{page}");
        assert!(page.contains("| 2 | 1 | 4 | 5 | 0 | 20.5 |"), "{page}");
        assert!(page.contains("## Controls\n\n`scripts/controls`\n\nNot run."), "{page}");
        put(
            "controls.jsonl",
            "{\"scenario\":\"kill-leader\",\"acked\":7,\"lost\":0,\"seconds\":20,\"max_send_gap_ms\":300}\n\
             {\"control\":\"nats\",\"version\":\"2.9\",\"fault\":\"power-loss-all\",\"acked\":9,\"lost\":9,\"seconds\":20}\n",
        );
        let page = write(folder.path()).expect("a page");
        let (nats, ours) = ("| nats | 2.9 | power-loss-all | 9 | 9 | - | 20 |", "| kill-leader | 7 | 0 | 300 | 20 |");
        assert!(page.find(nats).expect("nats") < page.find(ours).expect("ours"), "{page}");
        put("sim.jsonl", "{\"seeds\":2}");
        let error = format!("{:#}", write(folder.path()).expect_err("a hole"));
        assert!(error.contains("sim.jsonl") && error.contains("simulated_s"), "{error}");
    }
}

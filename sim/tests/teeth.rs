//! The simulation has teeth: every planted bug that a disk in memory can show is caught, most by
//! the first seed that is tried. `scripts/chaos teeth` prints the table.

use std::process::Command;

use serde_json::Value;
use troupe_chaos::teeth::Tooth;
use troupe_core::plant::Plant;

/// Where the known seed does not catch a bug any more, so many others may: then the known one is to
/// be renewed.
const TRIES: &str = "12";

#[test]
fn every_planted_bug_is_caught() {
    let run = Command::new(env!("CARGO_BIN_EXE_chaos-sim")).args(["teeth", "--json", "--tries", TRIES]).output();
    let run = run.expect("the program was built for this test");
    let said = String::from_utf8_lossy(&run.stdout);
    let rows: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).expect("a row is JSON")).collect();
    eprintln!("{said}");
    assert!(rows.len() >= 25, "{} rows: {}", rows.len(), String::from_utf8_lossy(&run.stderr));
    let here = |plant: &Plant| rows.iter().any(|row| row["bug"] == plant.name());
    // Wants members of two versions, which a simulated cluster does not have: a test of
    // `troupe-raft` catches it.
    let elsewhere = |plant: &Plant| *plant == Plant::LevelIgnored;
    let caught = |plant: &Plant| here(plant) || Tooth::of(*plant).is_some() || elsewhere(plant);
    let nobody: Vec<Plant> = Plant::ALL.into_iter().filter(|plant| !caught(plant)).collect();
    assert_eq!(nobody, [], "neither here nor among the teeth of real processes");
    let missed: Vec<&Value> = rows.iter().filter(|row| row["caught_by"].is_null()).map(|row| &row["bug"]).collect();
    assert!(missed.is_empty(), "nobody notices {missed:?}");
    assert!(run.status.success());
}

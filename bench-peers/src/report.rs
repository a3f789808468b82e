//! Medians over the rounds, ratios of Troupe to each peer, and the table.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::load::{Shape, Step};

/// A rate counts as reached from this share on.
const REACHED: f64 = 0.99;

/// One system in one round.
#[derive(Clone, Debug, Serialize)]
pub struct Round {
    /// Of the disk, right before this run.
    pub fsync_p50_ms: f64,
    pub fsync_p99_ms: f64,
    pub steps: Vec<Step>,
}

/// One system in all rounds.
#[derive(Clone, Debug, Default, Serialize)]
pub struct System {
    pub version: String,
    /// Whether a message is on the disks of a majority before its acknowledgement.
    pub syncs_before_ack: bool,
    pub settings: Vec<String>,
    pub rounds: Vec<Round>,
}

#[derive(Clone, Debug, Default)]
pub struct Report {
    pub seconds: u64,
    pub load: Option<Shape>,
    /// By name: troupe, rabbitmq, nats.
    pub systems: BTreeMap<&'static str, System>,
}

impl System {
    /// The step of the medians, for each rate.
    fn medians(&self) -> Vec<Step> {
        let Some(first) = self.rounds.first() else { return Vec::new() };
        let step = |place: usize| {
            let steps: Vec<&Step> = self.rounds.iter().filter_map(|round| round.steps.get(place)).collect();
            let of = |figure: fn(&Step) -> f64| median(steps.iter().map(|step| figure(step)).collect());
            Step {
                rate: first.steps[place].rate,
                acked_per_s: of(|step| step.acked_per_s),
                ack_p50_ms: of(|step| step.ack_p50_ms),
                ack_p99_ms: of(|step| step.ack_p99_ms),
                ack_p999_ms: of(|step| step.ack_p999_ms),
                cpu_ms: of(|step| step.cpu_ms),
                errors: steps.iter().map(|step| step.errors).sum(),
                unacked: steps.iter().map(|step| step.unacked).sum(),
                first_error: steps.iter().find_map(|step| step.first_error.clone()),
            }
        };
        (0..first.steps.len()).map(step).collect()
    }
}

impl Report {
    /// Troupe's figure divided by the peer's: `PEER_saturation_ratio` and `PEER_p99_ratio_RATE`,
    /// with the smallest and largest ratio of a round in `_spread`.
    pub fn ratios(&self) -> Map<String, Value> {
        let mut ratios = Map::new();
        let Some(troupe) = self.systems.get("troupe") else { return ratios };
        let peers = self.systems.iter().filter(|(name, _)| **name != "troupe");
        for (name, peer) in peers {
            for (place, (ours, theirs)) in troupe.medians().iter().zip(peer.medians()).enumerate() {
                let key = match ours.rate {
                    None => format!("{name}_saturation_ratio"),
                    Some(rate) => format!("{name}_p99_ratio_{rate}"),
                };
                let rounds = troupe.rounds.iter().zip(&peer.rounds);
                let each: Vec<f64> =
                    rounds.filter_map(|(a, b)| ratio(a.steps.get(place)?, b.steps.get(place)?)).collect();
                let (low, high) =
                    each.iter().fold((f64::MAX, f64::MIN), |(low, high), it| (low.min(*it), high.max(*it)));
                if !each.is_empty() {
                    ratios.insert(format!("{key}_spread"), json!([low, high]));
                }
                ratios.insert(key, json!(ratio(ours, &theirs)));
            }
        }
        ratios
    }

    pub fn json(&self) -> Value {
        let mut all = self.ratios();
        let system = |system: &System| {
            let mut value = json!(system);
            value["medians"] = json!(system.medians());
            value
        };
        let systems: Map<_, _> = self.systems.iter().map(|(name, it)| (name.to_string(), system(it))).collect();
        all.extend([("systems".to_owned(), Value::Object(systems))]);
        all.extend([("load".to_owned(), json!(self.load)), ("seconds".to_owned(), json!(self.seconds))]);
        Value::Object(all)
    }

    pub fn print(&self) {
        println!();
        println!("medians of all rounds");
        println!("{}", head());
        for (name, system) in &self.systems {
            for step in system.medians() {
                println!("{}", line(name, &step));
            }
        }
        println!();
        for (name, system) in &self.systems {
            let synced = if system.syncs_before_ack { "synced before each ack" } else { "NOT synced before an ack" };
            let fsync = |figure: fn(&Round) -> f64| median(system.rounds.iter().map(figure).collect());
            let (p50, p99) = (fsync(|round| round.fsync_p50_ms), fsync(|round| round.fsync_p99_ms));
            println!("{name} {}: {synced}; fsync p50 {p50:.2} ms, p99 {p99:.2} ms", system.version);
            for setting in &system.settings {
                println!("  {setting}");
            }
        }
        println!();
        for (name, ratio) in self.ratios() {
            println!("{name:<34}{ratio}");
        }
    }
}

/// Of acknowledgements per second at saturation, of the 99th percentile at a rate.
fn ratio(ours: &Step, theirs: &Step) -> Option<f64> {
    let (ours, theirs) = match ours.rate {
        None => (ours.acked_per_s, theirs.acked_per_s),
        Some(_) => (ours.ack_p99_ms, theirs.ack_p99_ms),
    };
    (theirs != 0.0).then(|| ours / theirs)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        count => (values[(count - 1) / 2] + values[count / 2]) / 2.0,
    }
}

pub fn head() -> String {
    let [rate, acked, p50, p99, p999, cpu] = ["rate/s", "acked/s", "p50 ms", "p99 ms", "p99.9 ms", "cpu ms"];
    format!("{:<10}{rate:>8}{acked:>10}{p50:>10}{p99:>10}{p999:>10}{cpu:>9}", "")
}

pub fn line(name: &str, step: &Step) -> String {
    let rate = step.rate.map_or_else(|| "most".to_owned(), |rate| rate.to_string());
    let Step { acked_per_s, ack_p50_ms, ack_p99_ms, ack_p999_ms, cpu_ms, errors, unacked, .. } = step;
    let mut line = format!(
        "{name:<10}{rate:>8}{acked_per_s:>10.0}{ack_p50_ms:>10.2}{ack_p99_ms:>10.2}{ack_p999_ms:>10.2}{cpu_ms:>9.3}"
    );
    if step.rate.is_some_and(|rate| *acked_per_s < REACHED * rate) {
        line += "  the rate is not reached";
    }
    if *unacked > 0 {
        line += &format!("  {unacked} not acknowledged");
    }
    if *errors > 0 {
        line += &format!("  {errors} errors: {}", step.first_error.as_deref().unwrap_or("unknown"));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(rate: Option<f64>, acked_per_s: f64, ack_p99_ms: f64) -> Step {
        let (ack_p50_ms, ack_p999_ms, cpu_ms) = (1.0, 9.0, 0.5);
        Step {
            rate,
            acked_per_s,
            ack_p50_ms,
            ack_p99_ms,
            ack_p999_ms,
            cpu_ms,
            errors: 0,
            unacked: 0,
            first_error: None,
        }
    }

    fn system(rounds: &[(f64, f64)]) -> System {
        let round = |(saturation, p99): &(f64, f64)| Round {
            fsync_p50_ms: 0.1,
            fsync_p99_ms: 0.2,
            steps: vec![step(Some(1000.0), 1000.0, *p99), step(None, *saturation, 80.0)],
        };
        System { rounds: rounds.iter().map(round).collect(), ..System::default() }
    }

    fn report() -> Report {
        let systems = [
            ("troupe", system(&[(10_000.0, 4.0), (30_000.0, 6.0)])),
            ("rabbitmq", system(&[(2_000.0, 40.0), (3_000.0, 10.0)])),
            ("nats", system(&[(40_000.0, 0.0), (40_000.0, 0.0)])),
        ];
        Report { seconds: 10, load: None, systems: BTreeMap::from(systems) }
    }

    #[test]
    fn ratios_are_of_medians_ours_over_theirs() {
        let all = report().json();
        assert_eq!(all["rabbitmq_saturation_ratio"], json!(8.0));
        assert_eq!(all["rabbitmq_saturation_ratio_spread"], json!([5.0, 10.0]));
        assert_eq!(all["rabbitmq_p99_ratio_1000"], json!(0.2));
        assert_eq!(all["nats_saturation_ratio"], json!(0.5));
        assert_eq!(all["systems"]["troupe"]["medians"][0]["ack_p99_ms"], json!(5.0));
    }

    #[test]
    fn there_is_no_ratio_to_nothing_and_none_without_troupe() {
        let mut report = report();
        assert_eq!(report.ratios()["nats_p99_ratio_1000"], Value::Null);
        report.systems.remove("troupe");
        assert!(report.ratios().is_empty());
    }

    #[test]
    fn a_line_says_what_a_figure_hides() {
        let mut behind = step(Some(1000.0), 600.0, 9_000.0);
        assert!(line("nats", &behind).ends_with("the rate is not reached"));
        (behind.unacked, behind.errors, behind.first_error) = (3, 1, Some("timed out".into()));
        assert!(line("nats", &behind).ends_with("3 not acknowledged  1 errors: timed out"));
        assert!(line("nats", &step(Some(1000.0), 995.0, 9.0)).ends_with("0.500"));
    }
}

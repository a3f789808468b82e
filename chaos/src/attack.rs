//! Attacks: one account or one address against all others, on a fresh cluster of real processes.
//!
//! Each [`Attack`] does what a single account or address could once do to the whole cluster, while
//! two honest users exchange messages. The [`Report`] compares their acknowledgements and the
//! nodes' memory and disk before, during and after the attack. [`Report::judge`] decides whether
//! the attack did harm. Each attack has its own file below this module.

mod accounts;
mod asking;
mod before;
mod contacts;
mod descriptors;
mod entry;
mod forwards;
mod frames;
mod growing;
mod heads;
mod honest;
mod hooks;
mod http2;
mod invitations;
mod joins;
mod kinds;
mod listing;
mod names;
mod outsider;
mod page;
mod places;
mod pretender;
mod pushes;
mod reading;
mod site;
mod streams;
mod uploads;
mod votes;
mod waking;
mod web;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;
use tokio::time::Instant;

use self::honest::{Honest, Phase};
pub use self::kinds::Attack;
use self::site::{Load, Site};

#[derive(Args)]
pub struct Options {
    /// One attack; see `--list`
    #[arg(long, required_unless_present_any = ["all", "list"], conflicts_with = "all")]
    scenario: Option<String>,
    /// Every attack, each against a fresh cluster
    #[arg(long)]
    all: bool,
    /// List the attacks
    #[arg(long)]
    list: bool,
    /// How long each attack lasts
    #[arg(long, default_value_t = 12)]
    seconds: u64,
    /// How long after the end of an attack all figures must be calm again
    #[arg(long, default_value_t = 30)]
    after: u64,
    /// One line of JSON for each attack, and one at the end
    #[arg(long)]
    json: bool,
}

/// The effect of one attack on the others.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub scenario: &'static str,
    pub calm: Figures,
    pub during: Figures,
    pub after: Figures,
    /// Forbidden effects of the attack. Empty if it did no harm.
    pub findings: Vec<String>,
    /// Phases with slow acknowledgements. Separate, because a busy machine is slow as well.
    pub slow: Vec<String>,
    /// Figures of the attack itself.
    pub notes: Vec<String>,
}

/// The honest user's acknowledgements in one phase, and the peak cost to the nodes.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Figures {
    pub sent: u64,
    pub acked: u64,
    pub ack_p99_ms: f64,
    pub memory_mib: u64,
    pub disk_mib: u64,
}

/// A p99 below this is noise. Multiples count from here.
const CALM_P99_MS: f64 = 6.0;
const TIMES_CALM: f64 = 5.0;
/// Allowed growth of a node's memory above its calm figure.
const MEMORY_MIB: u64 = 256;

impl Report {
    /// Adds violations of the limits to the attack's own findings.
    fn judge(mut self) -> Report {
        let phases = [("before", self.calm), ("during", self.during), ("after", self.after)];
        for (phase, figures) in phases {
            if figures.acked < figures.sent || figures.sent == 0 {
                self.findings.push(format!("{phase}: {} of {} honest sends acknowledged", figures.acked, figures.sent));
            }
        }
        let calm = self.calm.ack_p99_ms.max(CALM_P99_MS);
        for (phase, figures) in &phases[1..] {
            if figures.ack_p99_ms > TIMES_CALM * calm {
                self.slow.push(format!(
                    "{phase}: honest p99 {:.1} ms, calm {:.1} ms",
                    figures.ack_p99_ms, self.calm.ack_p99_ms
                ));
            }
            if figures.memory_mib > self.calm.memory_mib + MEMORY_MIB {
                self.findings.push(format!(
                    "{phase}: a node holds {} MiB, calm {} MiB",
                    figures.memory_mib, self.calm.memory_mib
                ));
            }
        }
        self
    }

    pub fn held(&self) -> bool {
        self.findings.is_empty() && self.slow.is_empty()
    }

    pub fn table(&self) -> String {
        let verdict = if self.held() { "held" } else { "HARM" };
        let mut text = format!("{:<20} {verdict}\n", self.scenario);
        for (phase, f) in [("before", self.calm), ("during", self.during), ("after", self.after)] {
            text.push_str(&format!(
                "  {phase:<8} {:>5} of {:>5} acknowledged, p99 {:>7.1} ms, memory {:>5} MiB, disk {:>6} MiB\n",
                f.acked, f.sent, f.ack_p99_ms, f.memory_mib, f.disk_mib
            ));
        }
        for line in self.findings.iter().chain(&self.slow).chain(&self.notes) {
            text.push_str(&format!("  {line}\n"));
        }
        text.trim_end().to_owned()
    }
}

/// Durations of measurement before, during and after an attack.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    pub calm: Duration,
    pub attack: Duration,
    pub after: Duration,
}

/// The final window after an attack in which all figures must be calm.
const LAST: Duration = Duration::from_secs(5);

/// Minimum duration of an attack.
const SHORTEST: Duration = Duration::from_secs(1);

/// Runs one attack against a fresh cluster whose first port is `port`.
pub async fn play(troupe: PathBuf, attack: Attack, times: Times, port: u16) -> Result<Report> {
    let mut site = Site::open(troupe, attack.setup(), port).await?;
    let honest = Honest::start(&site).await.context("the honest users")?;
    honest.enter(Phase::Calm);
    let mut load = Load::default();
    site.watch(times.calm, &mut load).await;
    let calm = load;

    honest.enter(Phase::During);
    let begun = Instant::now();
    let mut load = Load::default();
    let watched = site.watcher();
    let mut findings = {
        let attacked = attack.run(&mut site, times.attack);
        tokio::pin!(attacked);
        loop {
            tokio::select! {
                done = &mut attacked => break done.with_context(|| attack.name())?,
                () = tokio::time::sleep(site::SAMPLE) => load.take(&watched),
            }
        }
    };
    // Some attacks end at once, and their effects show a moment later.
    site.watch(SHORTEST.saturating_sub(begun.elapsed()), &mut load).await;
    let during = load;

    honest.enter(Phase::Between);
    let mut load = Load::default();
    site.watch(times.after.saturating_sub(LAST), &mut load).await;
    honest.enter(Phase::After);
    let mut load = Load::default();
    site.watch(LAST, &mut load).await;
    let after = load;

    findings.extend(site.unwell().await);
    let sent = honest.stop().await?;
    let notes = std::mem::take(&mut site.notes);
    site.close().await?;
    let figures = |phase, load: Load| {
        let (sent, acked, ack_p99_ms) = sent.of(phase);
        Figures { sent, acked, ack_p99_ms, memory_mib: load.memory_mib, disk_mib: load.disk_mib }
    };
    Ok(Report {
        scenario: attack.name(),
        calm: figures(Phase::Calm, calm),
        during: figures(Phase::During, during),
        after: figures(Phase::After, after),
        findings,
        slow: Vec::new(),
        notes,
    }
    .judge())
}

/// First port of the attacked clusters.
const PORT: u16 = 28_000;

/// `troupe chaos attack`. Returns whether every attack was harmless.
pub async fn run(options: Options, troupe: PathBuf) -> Result<bool> {
    if options.list {
        for attack in Attack::ALL {
            println!("{:<20}{}", attack.name(), attack.about());
        }
        return Ok(true);
    }
    let attacks = match &options.scenario {
        Some(name) => vec![Attack::named(name).with_context(|| format!("no attack \"{name}\"; see --list"))?],
        None => Attack::ALL.to_vec(),
    };
    let times = Times {
        calm: Duration::from_secs(options.seconds.min(10)),
        attack: Duration::from_secs(options.seconds),
        after: Duration::from_secs(options.after),
    };
    let mut failed = 0;
    for attack in &attacks {
        let report = match play(troupe.clone(), *attack, times, PORT).await {
            Ok(report) => report,
            // A failed run does not hide the other attacks.
            Err(error) => Report {
                scenario: attack.name(),
                calm: Figures::default(),
                during: Figures::default(),
                after: Figures::default(),
                findings: vec![format!("not played to its end: {error:#}")],
                slow: Vec::new(),
                notes: Vec::new(),
            },
        };
        failed += usize::from(!report.held());
        match options.json {
            true => println!("{}", serde_json::to_string(&report)?),
            false => println!("{}", report.table()),
        }
    }
    match options.json {
        true => println!("{}", serde_json::json!({ "scenarios": attacks.len(), "failed": failed })),
        false => println!("{} attacks, {failed} did harm", attacks.len()),
    }
    Ok(failed == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(during: Figures) -> Report {
        let calm = Figures { sent: 100, acked: 100, ack_p99_ms: 10.0, memory_mib: 100, disk_mib: 1 };
        Report { scenario: "x", calm, during, after: calm, findings: Vec::new(), slow: Vec::new(), notes: Vec::new() }
            .judge()
    }

    #[test]
    fn harm_is_a_lost_ack_a_slow_one_or_memory() {
        let calm = Figures { sent: 100, acked: 100, ack_p99_ms: 49.0, memory_mib: 356, disk_mib: 1 };
        assert!(report(calm).held());
        assert!(!report(Figures { acked: 99, ..calm }).held());
        assert!(!report(Figures { sent: 0, acked: 0, ..calm }).held());
        assert!(!report(Figures { ack_p99_ms: 51.0, ..calm }).held());
        assert!(!report(Figures { memory_mib: 357, ..calm }).held());
    }

    #[test]
    fn every_attack_is_found_by_its_name() {
        for attack in Attack::ALL {
            assert_eq!(Attack::named(attack.name()), Some(attack));
        }
    }
}

//! The live view of a run in a terminal: current faults, throughput, and the verdict so far.
//! Redrawn in place.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::recorder::{Glance, Recorder};

/// Interval between two frames.
const FRAME: Duration = Duration::from_millis(250);
/// Width of the bar that shows recent rates.
const BARS: usize = 48;

/// Whether the output is a terminal.
pub fn is_possible() -> bool {
    std::io::stderr().is_terminal()
}

/// Draws until it is dropped.
pub async fn show(title: String, recorder: Arc<Recorder>) -> Infallible {
    let mut rates: Vec<u64> = Vec::new();
    let mut before = 0;
    let mut drawn = 0;
    loop {
        let glance = recorder.glance();
        rates.push((glance.acked - before) * 1000 / FRAME.as_millis() as u64);
        before = glance.acked;
        let picture = picture(&title, &glance, &rates);
        // Moves to the start of the last frame and overwrites it.
        let mut out = if drawn > 0 { format!("\x1b[{drawn}A") } else { String::new() };
        for line in picture.lines() {
            let _ = writeln!(out, "\x1b[2K{line}");
        }
        drawn = picture.lines().count();
        // A closed terminal cannot be reported.
        let _ = std::io::stderr().lock().write_all(out.as_bytes());
        sleep(FRAME).await;
    }
}

fn picture(title: &str, glance: &Glance, rates: &[u64]) -> String {
    let seconds = |micros: u64| micros as f64 / 1e6;
    let mut out = format!("{title}   {:.0} s\n", seconds(glance.at));
    let rate = rates.iter().rev().take(4).sum::<u64>() / rates.len().clamp(1, 4) as u64;
    let waiting = glance.invoked - glance.acked.min(glance.invoked) - glance.rejected;
    let _ = writeln!(
        out,
        "  sends     {rate:>6}/s   acked {}   waiting {waiting}   delivered {}",
        glance.acked, glance.delivered
    );
    let _ = writeln!(out, "            {}", bars(rates));
    let quiet = glance.at.saturating_sub(glance.last_ack);
    let longest = glance.longest_gap.max(if glance.acked > 0 { quiet } else { 0 });
    let _ = writeln!(out, "  gap       now {:.2} s   longest {:.2} s", seconds(quiet), seconds(longest));
    let now = if glance.open.is_empty() { "nothing".to_owned() } else { glance.open.join(", ") };
    let _ = writeln!(out, "  faults    {:>6}      now: {now}", glance.faults);
    for (at, text) in &glance.recent {
        let _ = writeln!(out, "            {:>7.2} s  {text}", seconds(*at));
    }
    let verdict = match &glance.broken {
        None => "no violation until now; the verdict follows after the drain".to_owned(),
        Some(text) => format!("BROKEN: {text}"),
    };
    let _ = writeln!(out, "  verdict   {verdict}");
    out
}

/// One character per recent frame, relative to the highest rate.
fn bars(rates: &[u64]) -> String {
    const LEVELS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let shown = &rates[rates.len().saturating_sub(BARS)..];
    let highest = shown.iter().copied().max().unwrap_or(0).max(1);
    shown.iter().map(|rate| LEVELS[(rate * 8).div_ceil(highest) as usize]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_says_what_is_broken_now_and_what_comes_through() {
        let glance = Glance {
            at: 12_000_000,
            invoked: 110,
            acked: 100,
            last_ack: 11_000_000,
            longest_gap: 500_000,
            faults: 2,
            open: vec!["kill leader".into()],
            recent: vec![(11_000_000, "SIGKILL node 2".into())],
            ..Glance::default()
        };
        let text = picture("kill-leader", &glance, &[0, 10, 20]);
        for part in
            ["12 s", "acked 100", "waiting 10", "now 1.00 s   longest 1.00 s", "now: kill leader", "SIGKILL node 2"]
        {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        assert!(text.contains("no violation until now"));
    }

    #[test]
    fn bars_end_with_the_latest_and_zero_is_empty() {
        assert_eq!(bars(&[0, 5, 10]), " ▄█");
        assert_eq!(bars(&[]), "");
        assert_eq!(bars(&[0; 100]).chars().count(), BARS);
    }
}

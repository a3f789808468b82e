//! The report as one self-contained HTML page: faults over send rate and latency, a verdict per
//! promise, and the command to repeat the run.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::checkers::Promise;
use crate::history::Record;
use crate::report::Verdict;
use crate::run::Finished;

mod made;

pub use made::Made;
use made::utc;

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 120.0;
const BLUE: &str = "#3b7dd0";
const ORANGE: &str = "#d0792a";
/// Maximum points of a curve.
const POINTS: u64 = 240;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:1000px;margin:2em auto;padding:0 1em;color:#222}\
table{border-collapse:collapse;margin:1em 0}td,th{border-bottom:1px solid #ddd;padding:.2em .8em;text-align:left}\
td.n{text-align:right;font-variant-numeric:tabular-nums}.held{color:#14722e}.broken{color:#b3131b}.inconclusive{color:#a15c00}\
pre{background:#f4f4f4;padding:.8em;overflow-x:auto}svg{width:100%;height:auto;background:#fafafa}\
svg text{font:11px system-ui,sans-serif;fill:#777}svg text.mark{fill:#c0392b}h2{margin-top:2em}.fault{color:#c0392b}.wide{overflow-x:auto}\
@media(prefers-color-scheme:dark){body{background:#16181c;color:#ddd}td,th{border-color:#333}pre,svg{background:#202329}a{color:#7ab0f0}\
.held{color:#4cc26a}.broken{color:#ff6b6b}.inconclusive{color:#e0a040}}";

/// One page for one or several runs. `command` repeats a run; `skipped` lists scenarios that could
/// not run here, with reasons.
pub fn page(
    runs: &[Finished],
    made: &Made,
    command: &dyn Fn(&Finished) -> String,
    skipped: &[(String, String)],
) -> String {
    let mut out = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>troupe chaos</title><style>{STYLE}</style><h1>troupe chaos</h1><p>{} with {} on {}</p>",
        utc(made.at),
        escape(&made.version),
        escape(&made.machine)
    );
    out.push_str("<table><tr><th>scenario<th>verdict<th>acked<th>faults<th>violations<th>longest gap</tr>");
    for (number, run) in runs.iter().enumerate() {
        let report = &run.report;
        let _ = write!(
            out,
            "<tr><td><a href=\"#run-{number}\">{}</a><td class=\"{verdict}\">{verdict}<td class=n>{}<td class=n>{}\
             <td class=n>{}<td class=n>{} ms</tr>",
            escape(report.scenario),
            report.acked,
            report.faults,
            run.violations.len(),
            report.max_send_gap_ms,
            verdict = verdict(report.verdict),
        );
    }
    out.push_str("</table>");
    if !skipped.is_empty() {
        out.push_str("<p>Not run here:</p><ul>");
        for (name, why) in skipped {
            let _ = write!(out, "<li>{}: {}</li>", escape(name), escape(why));
        }
        out.push_str("</ul>");
    }
    for (number, run) in runs.iter().enumerate() {
        section(&mut out, number, run, &command(run));
    }
    out.push_str("</html>\n");
    out
}

fn section(out: &mut String, number: usize, run: &Finished, command: &str) {
    let report = &run.report;
    let _ = write!(
        out,
        "<h2 id=\"run-{number}\">{}: <span class=\"{1}\">{1}</span></h2><p>seed {2}, {3} s</p><pre>{4}</pre>",
        escape(report.scenario),
        verdict(report.verdict),
        report.seed,
        report.seconds,
        escape(command)
    );
    let curves = Curves::of(run);
    out.push_str(&curves.draw("acknowledged per second", "/s", &[("all devices", BLUE, &curves.rate)], run));
    let latencies = [("median", BLUE, &curves.median), ("highest", ORANGE, &curves.highest)];
    out.push_str(&curves.draw("time until acknowledged, by when it was sent", " ms", &latencies, run));
    promises(out, run);
    // The numbers match the charts.
    out.push_str("<div class=wide><table><tr><th>#<th>fault<th>at<th>lasted<th>acked meanwhile<th>longest gap</tr>");
    for (number, during) in report.windows.iter().enumerate() {
        let _ = write!(
            out,
            "<tr><td class=n>{}<td>{}<td class=n>{:.1} s<td class=n>{:.1} s<td class=n>{}<td class=n>{} ms</tr>",
            number + 1,
            escape(&during.fault),
            during.at_ms as f64 / 1000.0,
            during.lasted_ms as f64 / 1000.0,
            during.acked,
            during.max_send_gap_ms
        );
    }
    out.push_str("</table></div>");
    for reason in &report.reasons {
        let _ = write!(out, "<p class=inconclusive>inconclusive: {}</p>", escape(reason));
    }
    for violation in &report.violations {
        let _ = write!(out, "<p class=broken>{}</p>", escape(violation));
    }
}

fn promises(out: &mut String, run: &Finished) {
    out.push_str("<table><tr><th>promise<th>verdict<th>violations</tr>");
    for promise in Promise::ALL {
        let count = run.violations.iter().filter(|violation| violation.promise == promise).count();
        // A promise without a violation has held only if the run is conclusive.
        let verdict = match (count, run.report.reasons.is_empty()) {
            (0, true) => "held",
            (0, false) => "inconclusive",
            _ => "broken",
        };
        let about = promise.about();
        let _ = write!(out, "<tr><td>{about}<td class={verdict}>{verdict}<td class=n>{count}</tr>");
    }
    out.push_str("</table>");
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Held => "held",
        Verdict::Broken => "broken",
        Verdict::Inconclusive => "inconclusive",
    }
}

/// Chart data: one value per step of the run.
struct Curves {
    begin: u64,
    length: u64,
    rate: Vec<f64>,
    median: Vec<f64>,
    highest: Vec<f64>,
}

impl Curves {
    fn of(run: &Finished) -> Curves {
        let (begin, end) = run.span;
        let length = (end.saturating_sub(begin)).max(1);
        let step = (length / POINTS).max(250_000);
        let count = length.div_ceil(step) as usize;
        let place = |at: u64| (at.checked_sub(begin)? / step < count as u64).then_some(((at - begin) / step) as usize);
        let mut acked = vec![0u64; count];
        let mut latencies: Vec<Vec<u64>> = vec![Vec::new(); count];
        let mut sent: BTreeMap<(&str, &str), u64> = BTreeMap::new();
        for record in &run.history.records {
            match record {
                Record::Invoke { at, conversation, id, .. } => {
                    sent.insert((conversation, id), *at);
                }
                Record::Ack { at, conversation, id, .. } => {
                    if let Some(place) = place(*at) {
                        acked[place] += 1;
                    }
                    let invoked = sent.get(&(conversation.as_str(), id.as_str())).copied();
                    if let Some((invoked, place)) = invoked.and_then(|at| Some((at, place(at)?))) {
                        latencies[place].push(at - invoked);
                    }
                }
                _ => {}
            }
        }
        let ms = |micros: u64| micros as f64 / 1000.0;
        latencies.iter_mut().for_each(|of| of.sort_unstable());
        Curves {
            begin,
            length,
            rate: acked.iter().map(|count| *count as f64 * 1e6 / step as f64).collect(),
            median: latencies.iter().map(|of| of.get(of.len() / 2).map_or(0.0, |at| ms(*at))).collect(),
            highest: latencies.iter().map(|of| of.last().map_or(0.0, |at| ms(*at))).collect(),
        }
    }

    /// One chart: named, coloured curves, with faults shaded behind them.
    fn draw(&self, title: &str, unit: &str, curves: &[(&str, &str, &Vec<f64>)], run: &Finished) -> String {
        let top = curves.iter().flat_map(|(_, _, values)| values.iter()).fold(1.0f64, |top, value| top.max(*value));
        let x = |at: u64| at.saturating_sub(self.begin).min(self.length) as f64 / self.length as f64 * WIDTH;
        let mut out = format!("<p>{title}:");
        for (name, colour, _) in curves {
            let _ = write!(out, " <span style=\"color:{colour}\">&#9644; {name}</span>");
        }
        let _ = write!(
            out,
            " <span class=fault>&#9632; fault, by its number in the table</span></p><svg viewBox=\"0 0 {WIDTH} {}\">",
            HEIGHT + 20.0
        );
        let mut free_from = 0.0;
        for (number, window) in run.windows.iter().enumerate() {
            let (from, to) = (x(window.from), x(window.to));
            let _ = write!(
                out,
                "<rect x=\"{from:.1}\" y=\"0\" width=\"{:.1}\" height=\"{HEIGHT}\" fill=\"#c0392b\" opacity=\"0.13\"><title>{}</title></rect>",
                (to - from).max(1.0),
                escape(&window.text)
            );
            // If faults are close together, an overlapping number is omitted; the table has it.
            if from >= free_from {
                let label = (number + 1).to_string();
                let _ = write!(out, "<text class=mark x=\"{from:.1}\" y=\"{:.1}\">{label}</text>", HEIGHT - 3.0);
                free_from = from + 7.0 * (label.len() as f64 + 0.5);
            }
        }
        for (_, colour, values) in curves {
            let width = WIDTH / values.len().max(1) as f64;
            let points: Vec<String> = values
                .iter()
                .enumerate()
                .map(|(at, value)| {
                    format!("{:.1},{:.1}", (at as f64 + 0.5) * width, HEIGHT - value / top * (HEIGHT - 14.0))
                })
                .collect();
            let _ = write!(
                out,
                "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\" points=\"{}\"/>",
                points.join(" ")
            );
        }
        let seconds = self.length as f64 / 1e6;
        let _ = write!(
            out,
            "<text x=\"4\" y=\"11\">{top:.0}{unit}</text><text x=\"4\" y=\"{0}\">0 s</text><text x=\"{WIDTH}\" y=\"{0}\" text-anchor=\"end\">{seconds:.0} s</text></svg>",
            HEIGHT + 15.0
        );
        out
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use troupe_core::Timestamp;

    use super::*;
    use crate::checkers::{Kind, Violation};
    use crate::history::History;
    use crate::recorder::Window;
    use crate::report::{Report, Run};
    use crate::scenario::Scenario;

    fn finished() -> Finished {
        let conversation = || "g1".to_owned();
        let id = |number: u64| format!("1/{number}");
        let mut history = History::default();
        for number in 0..2000u64 {
            let at = number * 2000;
            history.records.push(Record::Invoke {
                at,
                device: 0,
                user: 1,
                conversation: conversation(),
                id: id(number),
            });
            let seq = number + 1;
            history.records.push(Record::Ack {
                at: at + 1500,
                device: 0,
                conversation: conversation(),
                id: id(number),
                seq,
            });
        }
        let windows = vec![Window { text: "kill <leader>".into(), from: 1_000_000, to: 2_000_000 }];
        let text = "g1: lost".to_owned();
        let violations = vec![Violation { promise: Promise::Durable, kind: Kind::Lost, text }];
        let span = (0, 4_000_000);
        let report = Report::new(Run {
            scenario: Scenario::KillLeader,
            seed: 3,
            seconds: 4,
            faults: 1,
            history: &history,
            violations: &violations,
            windows: &windows,
            span,
            reasons: Vec::new(),
            edges: BTreeMap::new(),
        });
        Finished { report, history, windows, violations, span }
    }

    #[test]
    fn the_page_says_verdicts_faults_and_the_command_and_loads_nothing() {
        let made =
            Made { at: Timestamp(1_795_878_240_000), version: "troupe 0.1.0".into(), machine: "host <a>".into() };
        let command = |_: &Finished| "troupe chaos run --seed 3".to_owned();
        let text = page(&[finished()], &made, &command, &[("disk".into(), "no root".into())]);
        for part in [
            "<meta name=\"viewport\"",
            "2026-11-28 15:04 UTC with troupe 0.1.0 on host &lt;a&gt;",
            // Without hovering, a fault is identified by its number in the chart and its name in
            // the table.
            ">1</text>",
            "<td class=n>1<td>kill &lt;leader&gt;",
            "troupe chaos run --seed 3",
            "kill &lt;leader&gt;",
            "class=broken>broken",
            "<polyline",
            "no root",
            "g1: lost",
        ] {
            assert!(text.contains(part), "{part} is missing");
        }
        for outside in ["http://", "https://", "<script", "<link", "src="] {
            assert!(!text.contains(outside), "{outside}");
        }
    }

    #[test]
    fn the_curves_are_those_of_the_run() {
        let curves = Curves::of(&finished());
        assert_eq!(curves.rate.len(), 16);
        assert!(curves.rate.iter().all(|rate| (*rate - 500.0).abs() < 10.0), "{:?}", curves.rate);
        assert!(curves.median.iter().all(|ms| *ms == 1.5), "{:?}", curves.median);
    }
}

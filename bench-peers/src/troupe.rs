//! Troupe's own bench, in a process of its own: `troupe bench ladder --json`.

use std::path::Path;
use std::pin::pin;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::Deserialize;
use tokio::time::{sleep, timeout};

use crate::Interrupted;
use crate::load::{Shape, Step};
use crate::servers::bound_to_us;

/// Start and end of a cluster, and the set-up of a load.
const BESIDE: Duration = Duration::from_secs(180);
/// An interrupted bench gets this long to end its nodes.
const END: Duration = Duration::from_secs(30);

/// The part of the bench's report that is used here.
#[derive(Clone, Debug, Deserialize)]
pub struct Ladder {
    pub load: Shape,
    pub steps: Vec<Step>,
    pub fsync_p50_ms: f64,
    pub fsync_p99_ms: f64,
}

/// These rates one after another on a fresh cluster, then saturation.
pub async fn ladder(troupe: &Path, rates: &[f64], seconds: u64, interrupted: &mut Interrupted) -> Result<Ladder> {
    let rates: Vec<String> = rates.iter().map(f64::to_string).collect();
    let mut command = bound_to_us(troupe);
    command
        .args(["bench", "ladder", "--json", "--rates", &rates.join(","), "--seconds", &seconds.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    let child = command.spawn().with_context(|| format!("cannot run {}", troupe.display()))?;
    let pid = child.id().context("the bench has no process id")?;
    let limit = BESIDE + 4 * Duration::from_secs(seconds) * (rates.len() as u32 + 1);
    let mut output = pin!(child.wait_with_output());
    let why = tokio::select! {
        output = &mut output => {
            let output = output?;
            ensure!(output.status.success(), "troupe bench ladder ended with {}", output.status);
            return parse(&output.stdout);
        }
        () = sleep(limit) => "troupe bench ladder does not end",
        () = interrupted.wait() => "interrupted",
    };
    // The bench ends its nodes and removes its folder by itself.
    kill(Pid::from_raw(pid as i32), Signal::SIGTERM)?;
    let _ = timeout(END, output).await;
    bail!(why)
}

/// The version that the program reports.
pub async fn version(troupe: &Path) -> Result<String> {
    let asked = bound_to_us(troupe).arg("--version").kill_on_drop(true).output();
    let output = timeout(END, asked).await.context("troupe --version does not end")??;
    let said = String::from_utf8_lossy(&output.stdout);
    said.split_whitespace().nth(1).map(str::to_owned).with_context(|| format!("no version in {said:?}"))
}

fn parse(line: &[u8]) -> Result<Ladder> {
    serde_json::from_slice(line)
        .context("not a report of `troupe bench ladder`: build troupe and this program from one commit")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_gives_the_load_and_the_steps() {
        let line = br#"{"seconds":10,"load":{"senders":48,"in_flight":32,"window":256,"body_bytes":128,"shards":12},
            "steps":[{"rate":null,"acked_per_s":9.5,"ack_p50_ms":1.0,"ack_p99_ms":2.0,"ack_p999_ms":3.0,"cpu_cores":1.1,
            "cpu_ms":0.2,"errors":1}],"fsync_p50_ms":0.1,"fsync_p99_ms":0.2,"bare_append_fsync_per_s":3.0}"#;
        let ladder = parse(line).expect("a report");
        assert_eq!((ladder.load.senders, ladder.load.shards, ladder.steps.len()), (48, 12, 1));
        assert_eq!((ladder.steps[0].rate, ladder.steps[0].errors, ladder.steps[0].unacked), (None, 1, 0));
        assert!(parse(b"{}").expect_err("refused").to_string().contains("one commit"));
    }
}

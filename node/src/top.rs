//! `troupe top`: what the nodes of a cluster do at this moment, from `/v1/cluster` and `/metrics`.
//!
//! [`sample`] asks all nodes, [`view`] makes rates of two samples, and [`text`] shows them. The
//! last two are pure.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use tokio::time::Instant;
use troupe_core::text::clean_lines;

use crate::arguments::Output;

mod sample;
mod text;
mod view;

use sample::Sample;
use view::View;

/// To the upper left corner, and nothing below it: plain enough for every terminal.
const REDRAW: &str = "\x1b[H\x1b[J";

#[derive(Args)]
pub struct Top {
    /// HTTP addresses of any nodes, comma-separated; the next one is used if one does not answer
    #[arg(long, default_value = "127.0.0.1:7780", env = "TROUPE_HTTP")]
    pub http: String,
    /// Show one interval and end
    #[arg(long)]
    pub once: bool,
    /// Seconds between two looks
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=60))]
    pub interval: u64,
    #[arg(short, long, value_enum, default_value = "table")]
    pub output: Output,
}

/// Ends by an interrupt, or after one interval.
pub async fn run(args: &Top) -> Result<()> {
    let begin = Instant::now();
    let every = Duration::from_secs(args.interval);
    let mut before = Sample::take(&args.http, begin).await?;
    let redraw = args.output == Output::Table && !args.once && std::io::stdout().is_terminal();
    loop {
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            _ = tokio::signal::ctrl_c() => return Ok(()),
        }
        let shown = match Sample::take(&args.http, begin).await {
            Ok(now) => {
                let view = View::between(&before, &now);
                before = now;
                show(&view, args.output)?
            }
            Err(error) if args.once => return Err(error),
            // A cluster that is away may return.
            Err(error) => format!("{error:#}\n"),
        };
        let mut out = std::io::stdout();
        let clear = if redraw { REDRAW } else { "" };
        // The reader of a pipe that has gone ends the command.
        if write!(out, "{clear}{}", clean_lines(&shown)).and_then(|()| out.flush()).is_err() || args.once {
            return Ok(());
        }
    }
}

/// A table, or one line of JSON.
fn show(view: &View, output: Output) -> Result<String> {
    Ok(match output {
        Output::Table => text::table(view),
        // One line for each interval.
        Output::Json => serde_json::to_string(view)? + "\n",
    })
}

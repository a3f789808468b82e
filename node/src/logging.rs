//! Logs: for people on a terminal, JSON otherwise. They go to standard error; standard output belongs to the command.

use std::io::{self, IsTerminal, Write};

use tracing_subscriber::EnvFilter;
use troupe_core::text::clean_event;

/// Libraries that would drown everything, one of which logs message contents at debug level.
const QUIET: &str = "openraft=error,ractor=warn,ractor_cluster=warn,hyper=warn,rustls=warn";

/// Standard error, where a line that cannot be written is dropped. The log is often on the very disk that is full, and the logging library
/// panics over a line it cannot get rid of: that killed the threads that were to stop the node in order, and left it running half dead.
/// What comes in by values of others is cleaned: an event is one line, and steers no terminal.
struct Unfailing {
    output: io::Stderr,
    colours: bool,
}

impl Write for Unfailing {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // Whole lines, and whether they arrive is nobody's to know: there is no second place to say it.
        let text = clean_event(&String::from_utf8_lossy(line), self.colours);
        let _ = self.output.write_all(text.as_bytes());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let _ = self.output.flush();
        Ok(())
    }
}

/// `format` is `auto`, `human` or `json`. The text of an error says what was wrong with the filter.
pub fn start(filter: &str, format: &str) -> Result<(), String> {
    let filter =
        EnvFilter::try_new(format!("{QUIET},{filter}")).map_err(|e| format!("log.filter = \"{filter}\": {e}"))?;
    let human = match format {
        "human" => true,
        "json" => false,
        "auto" => std::io::stderr().is_terminal(),
        other => return Err(format!("log.format = \"{other}\": wants auto, human or json")),
    };
    let colours = human && io::stderr().is_terminal();
    let writer = move || Unfailing { output: io::stderr(), colours };
    let builder = tracing_subscriber::fmt().with_ansi(colours).with_env_filter(filter).with_writer(writer);
    let started = if human { builder.with_target(false).try_init() } else { builder.json().try_init() };
    started.map_err(|e| e.to_string())
}

//! Logs: for people on a terminal, JSON otherwise. They go to standard error; standard output
//! belongs to the command.

use std::io::{self, IsTerminal, Write};
use std::str::FromStr;

use tracing_subscriber::EnvFilter;
use troupe_core::text::clean_event;

/// Libraries that would drown everything, one of which logs message contents at debug level.
const QUIET: &str = "openraft=error,ractor=warn,ractor_cluster=warn,hyper=warn,rustls=warn";

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Human,
    Json,
    /// Human on a terminal.
    Auto,
}

impl FromStr for Format {
    type Err = ();

    fn from_str(text: &str) -> Result<Format, ()> {
        match text {
            "human" => Ok(Format::Human),
            "json" => Ok(Format::Json),
            "auto" => Ok(Format::Auto),
            _ => Err(()),
        }
    }
}

/// Sets another filter while the process runs. The text of an error says what was wrong with it.
pub type SetFilter = Box<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

/// Standard error that drops lines which cannot be written. The log is often on the very disk that
/// is full, and the logging library panics when it cannot write a line. Those panics killed the
/// threads that should have stopped the node in order. Values from outside are cleaned: an event is
/// one line, and steers no terminal.
struct Unfailing {
    output: io::Stderr,
    colours: bool,
}

impl Write for Unfailing {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // Whole lines; a failure cannot be reported, because there is no second place for it.
        let text = clean_event(&String::from_utf8_lossy(line), self.colours);
        let _ = self.output.write_all(text.as_bytes());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let _ = self.output.flush();
        Ok(())
    }
}

/// The meaning of `log.filter`. The text of an error names the fault.
pub fn filter(text: &str) -> Result<EnvFilter, String> {
    EnvFilter::try_new(format!("{QUIET},{text}")).map_err(|error| error.to_string())
}

/// Colours are for terminals: in a file or a pipe they are noise, whatever the format.
pub fn start(text: &str, format: Format) -> Result<SetFilter, String> {
    let terminal = io::stderr().is_terminal();
    let human = match format {
        Format::Human => true,
        Format::Json => false,
        Format::Auto => terminal,
    };
    let colours = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter(text).map_err(|why| format!("log.filter = \"{text}\": {why}"))?)
        .with_ansi(human && colours)
        .with_writer(move || Unfailing { output: io::stderr(), colours: human && colours });
    // The two have different types, and so have their handles.
    if human {
        let builder = builder.with_target(false).with_filter_reloading();
        let handle = builder.reload_handle();
        builder.try_init().map_err(|error| error.to_string())?;
        Ok(Box::new(move |text| handle.reload(filter(text)?).map_err(|error| error.to_string())))
    } else {
        let builder = builder.json().with_filter_reloading();
        let handle = builder.reload_handle();
        builder.try_init().map_err(|error| error.to_string())?;
        Ok(Box::new(move |text| handle.reload(filter(text)?).map_err(|error| error.to_string())))
    }
}

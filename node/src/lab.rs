//! `troupe demo`, `troupe bench` and `troupe chaos`: verbs of a program of their own, so that the
//! server contains no test bench.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Error, Result, anyhow};
use clap::Args;

/// Is built of the folder `lab`, and installed beside this program.
const PROGRAM: &str = "troupe-lab";

/// The arguments of such a verb, which the other program reads.
#[derive(Args)]
pub struct Lab {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
    pub arguments: Vec<OsString>,
}

/// Replaces this process by the other program. Returns only the reason why it cannot.
pub fn run(verb: &str, arguments: &[OsString]) -> Error {
    match exec(verb, arguments) {
        Ok(never) => match never {},
        Err(error) => error,
    }
}

fn exec(verb: &str, arguments: &[OsString]) -> Result<std::convert::Infallible> {
    let this = std::env::current_exe().context("cannot find this program on disk")?;
    let program = this.with_file_name(PROGRAM);
    let mut command = Command::new(&program);
    // The verb prints commands that name the program as the user did.
    if let Some(typed) = std::env::args_os().next() {
        command.arg0(typed);
    }
    let error = command.arg("--troupe").arg(&this).arg(verb).args(arguments).exec();
    Err(match error.kind() {
        ErrorKind::NotFound => anyhow!(
            "`troupe {verb}` is a verb of {PROGRAM}, and {} does not exist: build it with `cargo build --release -p {PROGRAM}`, or \
             put it beside this program",
            program.display()
        ),
        _ => Error::from(error).context(format!("cannot run {}", program.display())),
    })
}

//! Conversions from other systems: their files into a bundle. A conversion asks no cluster, and
//! gives the same bundle for the same files.

pub mod cim;
mod conversation;
pub mod tinode;
pub mod wukongim;

use std::path::Path;

pub use conversation::Log;

use crate::Result;
use crate::bundle::{Manifest, Writer};
use crate::line::{Account, Line, Status};
use crate::report::Report;

/// A system that people come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Cim,
    WuKongIm,
    Tinode,
}

/// Reads the files of another system, and writes a bundle of what is in them. `now_ms`: the wall
/// clock. Times that a file gives relative to its own age begin at its time of change.
pub fn convert(origin: Origin, inputs: &[&Path], directory: &Path, now_ms: u64) -> Result<(Manifest, Report)> {
    let source = match origin {
        Origin::Cim => "cim",
        Origin::WuKongIm => "wukongim",
        Origin::Tinode => "tinode",
    };
    let by = concat!("troupe ", env!("CARGO_PKG_VERSION"));
    let mut writer = Writer::create(directory, source, by, now_ms)?;
    let mut report = Report::default();
    match origin {
        Origin::Cim => cim::convert(inputs, &mut writer, &mut report)?,
        Origin::WuKongIm => wukongim::convert(inputs, &mut writer, &mut report)?,
        Origin::Tinode => tinode::convert(inputs, &mut writer, &mut report)?,
    }
    let manifest = writer.finish(now_ms)?;
    report.took("accounts", manifest.accounts);
    report.took("conversations", manifest.conversations);
    report.took("events", manifest.events);
    Ok((manifest, report))
}

/// An account without anything but its name.
fn account(name: &str, created_ms: u64) -> Account {
    Account {
        name: name.to_owned(),
        status: Status::Active,
        admin: false,
        created_ms,
        password_hash: String::new(),
        one_time_password: false,
        born_with_cluster: false,
        profile: None,
    }
}

fn write_accounts(writer: &mut Writer, mut accounts: Vec<Account>) -> Result<()> {
    accounts.sort_by(|a, b| a.name.cmp(&b.name));
    accounts.into_iter().try_for_each(|account| writer.write(&Line::Account(account)))
}

/// The nearest title of a group: no control characters, and not too long.
fn title(wanted: &str, otherwise: &str) -> String {
    let clean = |text: &str| {
        let text: String =
            text.chars().filter(|c| !c.is_control()).take(troupe_core::limits::GROUP_NAME_CHARS).collect();
        text.trim().to_owned()
    };
    let titles = [clean(wanted), clean(otherwise), "group".to_owned()];
    titles.into_iter().find(|title| troupe_core::text::is_title(title)).unwrap_or_default()
}

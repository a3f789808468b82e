//! Names that look like those of others, and reserved names.

use anyhow::Result;
use troupe_client::error::Error;
use troupe_runtime::Platform;

use super::site::{PASSWORD, Site, address, connect};

/// Each of these could pass for alice, for the server, or for a conversation.
const FALSE_NAMES: [&str; 12] = [
    "\u{430}lice",
    "\u{ff41}lice",
    "al\u{200b}ice",
    "ali\u{202e}ce",
    "ALICE",
    "everyone",
    "admin",
    "root",
    "g49319",
    "d1-2",
    "\u{3164}\u{3164}\u{3164}",
    "alice\u{2066}",
];

/// Each of these is a legitimate name.
const TRUE_NAMES: [&str; 6] = ["张三", "हिन्दी", "ไม่รู้", "தமிழ்", "Ünal", "οδυσσευς"];

pub async fn run(site: &mut Site) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    let names = FALSE_NAMES.iter().map(|name| (name, false)).chain(TRUE_NAMES.iter().map(|name| (name, true)));
    for (n, (name, wanted)) in names.enumerate() {
        let request = Platform::production().rng.bytes::<16>();
        let (connection, _pushes) = connect(address(66, n as u16), site.node(n)).await?;
        match (connection.register(name, PASSWORD, request).await, wanted) {
            (Ok(_), false) => findings.push(format!("{:?} was registered", name.escape_unicode().to_string())),
            (Err(Error::Rejected { code, .. }), true) => findings.push(format!("{name} was refused: {code}")),
            _ => {}
        }
    }
    Ok(findings)
}

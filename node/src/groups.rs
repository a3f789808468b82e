//! `troupe group list`: the groups of the cluster with their sizes, for administrators and
//! auditors.

use anyhow::Result;
use clap::Subcommand;
use serde_json::{Value, json};
use troupe_client::admin::GroupRow;
use troupe_core::text::clean;

use crate::accounts::{Who, moment};

#[derive(Subcommand)]
pub enum GroupVerb {
    /// All groups with their sizes, those that have ended too
    List(Who),
}

pub async fn run(verb: GroupVerb) -> Result<()> {
    let GroupVerb::List(who) = verb;
    let mut groups = who.run(|client| async move { Ok(client.all_groups().await?) }).await?;
    groups.sort_by(|a, b| a.name.cmp(&b.name).then_with(|| a.conversation.cmp(&b.conversation)));
    who.show(&groups, as_json, table)
}

fn as_json(group: &GroupRow) -> Value {
    json!({
        "conversation": group.conversation,
        "name": group.name,
        "members": group.members,
        "head": group.head,
        "file_bytes": group.file_bytes,
        "last_ms": group.last_ms,
        "created_ms": group.created_ms,
        "open": group.open,
        "disbanded": group.disbanded,
    })
}

fn table(groups: &[GroupRow]) -> String {
    let mut out = format!(
        "{:<18}{:<9}{:<11}{:<14}{:<21}{:<11}{}\n",
        "ID", "MEMBERS", "HEAD", "FILE BYTES", "LAST EVENT (UTC)", "STATE", "NAME"
    );
    for group in groups {
        let state = match (group.disbanded, group.open) {
            (true, _) => "disbanded",
            (_, true) => "open",
            _ => "closed",
        };
        out.push_str(&format!(
            "{:<18}{:<9}{:<11}{:<14}{:<21}{state:<11}{}\n",
            group.conversation,
            group.members,
            group.head,
            group.file_bytes,
            moment(group.last_ms),
            clean(&group.name)
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_moves_no_column_and_no_cursor() {
        let group =
            GroupRow { conversation: "g7".into(), name: "a\u{1b}[2J b".into(), members: 3, ..Default::default() };
        let shown = table(&[group]);
        assert!(!shown.contains('\u{1b}'), "{shown:?}");
        assert_eq!(shown.lines().count(), 2);
    }
}

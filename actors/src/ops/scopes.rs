//! The scope that a bot's token needs for each operation. An operation that is not listed is for
//! users only.

use troupe_core::record::Bot;

/// Reads, and the positions and the own states of the bot itself.
const READ: &[&str] = &[
    "accept_invitation",
    "acknowledge",
    "change_favourite",
    "change_personal",
    "check_file_link",
    "count_readers",
    "delete_for_me",
    "fetch",
    "get_conversations",
    "get_upload",
    "list_bans",
    "list_conversations",
    "list_favourites",
    "list_invitations",
    "list_links",
    "list_members",
    "list_pins",
    "list_readers",
    "list_votes",
    "mark_read",
    "preview_link",
    "read_file",
    "search",
    "show_file",
    "show_group",
    "show_personal",
];
const SEND: &[&str] = &[
    "cancel_scheduled",
    "cancel_upload",
    "close_poll",
    "create_upload",
    "edit_message",
    "list_scheduled",
    "pin_message",
    "react",
    "recall_message",
    "schedule",
    "send",
    "signal",
    "vote",
    "write_chunk",
];
const MANAGE: &[&str] =
    &["change_group", "change_hook", "create_group", "list_dead", "list_hooks", "list_join_requests"];
/// Of the bot itself, and public.
const ANY: &[&str] = &["change_presence", "change_profile", "find_users", "get_users", "list_online", "show_profile"];

/// Whether the token of this bot is for the operation of this name.
pub fn permits(bot: &Bot, operation: &str) -> bool {
    let scopes = [(READ, Bot::READ), (SEND, Bot::SEND), (MANAGE, Bot::MANAGE), (ANY, 0)];
    scopes.into_iter().any(|(names, needed)| names.contains(&operation) && bot.may(needed))
}

#[cfg(test)]
mod tests {
    use troupe_core::{ClientMessageId, Timestamp};

    use super::*;

    fn bot(scopes: u32) -> Bot {
        let (name, at) = ("weather".to_owned(), Timestamp(1));
        Bot { name, scopes, created: at, token_set: at, request: ClientMessageId([1; 16]) }
    }

    #[test]
    fn a_token_is_for_its_scopes_and_never_for_the_acts_of_users() {
        let listed = [READ, SEND, MANAGE, ANY].concat();
        for name in crate::ops::NAMES.iter().filter(|name| !listed.contains(name)) {
            assert!(!permits(&bot(Bot::ALL), name), "{name}");
        }
        assert!(listed.iter().all(|name| crate::ops::NAMES.contains(name)), "each is an operation");
        assert!(permits(&bot(Bot::READ), "fetch") && !permits(&bot(Bot::READ), "send"));
        assert!(permits(&bot(Bot::SEND), "send") && !permits(&bot(Bot::SEND), "fetch"));
        assert!(permits(&bot(Bot::MANAGE), "change_group") && !permits(&bot(Bot::SEND), "change_group"));
        for of_users in ["change_password", "admin", "change_bot", "list_sessions", "change_contact", "report"] {
            assert!(!permits(&bot(Bot::ALL), of_users), "{of_users}");
        }
    }
}

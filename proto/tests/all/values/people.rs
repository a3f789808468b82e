//! Strategies for what people show of themselves.

use proptest::option;
use proptest::prelude::*;
use troupe_core::Command;
use troupe_core::command::{ChangeProfile, ProfileChange};

use super::{message_id, text, user};

fn change() -> impl Strategy<Value = ProfileChange> {
    let text = || option::of(text());
    (text(), text(), text(), text()).prop_map(|(display_name, avatar, about, language)| ProfileChange {
        display_name,
        avatar,
        about,
        language,
    })
}

pub fn command() -> impl Strategy<Value = Command> {
    (user(), message_id(), change())
        .prop_map(|(user, request, change)| Command::from(ChangeProfile { user, request, change }))
}

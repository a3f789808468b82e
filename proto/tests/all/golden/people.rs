//! Rows of people.

use troupe_core::Command;
use troupe_core::command::{ChangeProfile, ProfileChange};
use troupe_core::record::{Change, Profile};

use super::{ALICE, BEFORE, ID, record};

#[test]
fn profile() {
    let profile = Profile {
        display_name: "Alice B.".into(),
        avatar: "sha256:0a".into(),
        about: "one\ntwo".into(),
        language: "de".into(),
        version: 2,
        changes: vec![Change { request: BEFORE, digest: 1 << 63 }, Change { request: ID, digest: 7 }],
    };
    record("profile", &[("unset", Profile::default()), ("profile", profile)]);
}

#[test]
fn people_command() {
    let change = |change| Command::from(ChangeProfile { user: ALICE, request: ID, change });
    let named = ProfileChange { display_name: Some("Alice B.".into()), ..ProfileChange::default() };
    let text = |text: &str| Some(text.to_owned());
    let all =
        ProfileChange { display_name: text(""), avatar: text("sha256:0a"), about: text("one"), language: text("de") };
    record("people_command", &[("change_profile", change(named)), ("change_all", change(all))]);
}

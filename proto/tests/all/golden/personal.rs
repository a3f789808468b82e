//! Rows and commands of users' own states of conversations.

use troupe_core::command::{ChangeFavourite, ChangePersonal, DeleteForMe, PersonalChange};
use troupe_core::record::{Change, Favourite, FavouriteBook, Personal};
use troupe_core::{Command, Seq};

use super::{ALICE, BEFORE, DIRECT, ID, NOW, record};

#[test]
fn personal() {
    let state = Personal {
        version: 9,
        pin: 2,
        pin_version: 1,
        muted_until: NOW,
        muted_version: 3,
        archived: true,
        archived_version: 4,
        hidden_before: Seq(8),
        hidden_version: 5,
        draft: "I am".into(),
        draft_version: 6,
        marked_before: Seq(7),
        marked_version: 7,
        cleared: Seq(5),
        deleted: vec![Seq(6), Seq(300)],
        deleted_unread: vec![Seq(300)],
        changes: vec![Change { request: BEFORE, digest: 1 << 63 }, Change { request: ID, digest: 7 }],
    };
    record("personal", &[("unset", Personal::default()), ("personal", state)]);
}

#[test]
fn personal_command() {
    let asks =
        |seen, change| Command::from(ChangePersonal { conversation: DIRECT, user: ALICE, request: ID, seen, change });
    let all = PersonalChange {
        pin: Some(2),
        muted_until: Some(NOW),
        archived: Some(false),
        hidden: Some(true),
        draft: Some(String::new()),
        marked_unread: Some(true),
        clear_to: Some(Seq(5)),
    };
    let pin = PersonalChange { pin: Some(0), ..PersonalChange::default() };
    let delete = DeleteForMe { conversation: DIRECT, user: ALICE, seqs: vec![Seq(6), Seq(300)] };
    let commands = [("pin", asks(None, pin)), ("all", asks(Some(3), all)), ("delete", Command::DeleteForMe(delete))];
    record("personal_command", &commands);
}

#[test]
fn favourite() {
    record("favourite", &[("favourite", Favourite { conversation: DIRECT, seq: Seq(300), saved: NOW })]);
    let changes = vec![Change { request: ID, digest: 7 }];
    let book = FavouriteBook { last: 9, count: 3, version: 12, changes };
    record("favourite_book", &[("none", FavouriteBook::default()), ("book", book)]);
    let change = |removed| {
        let (user, request, conversation, seq) = (ALICE, ID, DIRECT, Seq(300));
        Command::ChangeFavourite(ChangeFavourite { user, request, conversation, seq, removed })
    };
    record("favourite_command", &[("save", change(false)), ("drop", change(true))]);
}

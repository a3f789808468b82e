//! Strategies for users' own states of conversations.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use troupe_core::command::{ChangeFavourite, ChangePersonal, DeleteForMe, PersonalChange};
use troupe_core::{Command, Timestamp};

use super::{conversation, message_id, number, seq, text, user};

prop_compose! {
    fn change()(
        pin in option::of(number()),
        until in option::of(number()),
        archived in any::<Option<bool>>(),
        hidden in any::<Option<bool>>(),
        draft in option::of(text()),
        marked_unread in any::<Option<bool>>(),
        clear_to in option::of(seq()),
    ) -> PersonalChange {
        let muted_until = until.map(Timestamp);
        PersonalChange { pin, muted_until, archived, hidden, draft, marked_unread, clear_to }
    }
}

pub fn command() -> impl Strategy<Value = Command> {
    let delete = (conversation(), user(), vec(seq(), 0..4));
    prop_oneof![
        (conversation(), user(), message_id(), option::of(number()), change()).prop_map(
            |(conversation, user, request, seen, change)| {
                Command::from(ChangePersonal { conversation, user, request, seen, change })
            },
        ),
        (user(), message_id(), conversation(), seq(), any::<bool>()).prop_map(
            |(user, request, conversation, seq, removed)| {
                Command::ChangeFavourite(ChangeFavourite { user, request, conversation, seq, removed })
            }
        ),
        delete.prop_map(|(conversation, user, seqs)| Command::DeleteForMe(DeleteForMe { conversation, user, seqs })),
    ]
}

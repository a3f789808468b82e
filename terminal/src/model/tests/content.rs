//! The state of messages, mentions, and the guard before a long paste.

use troupe_client::chat::{Change, ShownPoll};
use troupe_client::{PollState, Reaction};
use troupe_core::content::Poll;

use super::*;

fn shows(model: &mut Model, wanted: &str) {
    let rows = screen(model, 90, 20);
    assert!(rows.iter().any(|row| row.contains(wanted)), "{wanted:?} in {rows:#?}");
}

fn hides(model: &mut Model, unwanted: &str) {
    let rows = screen(model, 90, 20);
    assert!(!rows.iter().any(|row| row.contains(unwanted)), "{unwanted:?} in {rows:#?}");
}

fn changed(model: &mut Model, seq: u64, who: &str, to: u64, change: Change) {
    let what = What::Change { to: Seq(to), change, words: format!("changed {to}") };
    model.said(GROUP, "everyone", &event(seq, who, what));
}

#[test]
fn messages_have_a_time_and_a_number() {
    let mut model = model();
    model.said(GROUP, "everyone", &message(7, "bob", "hello"));
    shows(&mut model, "14:13 #7   bob: hello");
    shows(&mut model, "──── 2026-09-21 ─");
}

#[test]
fn an_answer_shows_the_message_that_it_answers() {
    let mut model = model();
    model.said(GROUP, "everyone", &message(1, "bob", "shall we?\nnow"));
    let answer = |to| What::Message(Message { reply_to: Some(Seq(to)), ..Message::text("yes") });
    model.said(GROUP, "everyone", &event(2, "carol", answer(1)));
    shows(&mut model, "↪ #1 bob: shall we?");
    model.said(GROUP, "everyone", &event(99, "carol", answer(50)));
    shows(&mut model, "↪ #50");
}

#[test]
fn reactions_edits_and_recalls_change_the_row_of_their_message() {
    let mut model = model();
    model.said(GROUP, "everyone", &message(1, "bob", "helo"));
    let like = |removed| Change::Reacted { emoji: "👍".into(), removed };
    changed(&mut model, 2, "carol", 1, like(false));
    changed(&mut model, 3, "alice", 1, like(false));
    shows(&mut model, "bob: helo   (👍 2)");
    changed(&mut model, 4, "alice", 1, like(true));
    shows(&mut model, "bob: helo   👍 1");
    changed(&mut model, 5, "bob", 1, Change::Edited { text: "hello 你好".into() });
    shows(&mut model, "bob: hello 你好  (edited)   👍 1");
    hides(&mut model, "changed 1");
    changed(&mut model, 6, "bob", 1, Change::Erased);
    shows(&mut model, "bob (message whose content was erased)");
    hides(&mut model, "hello");
    changed(&mut model, 8, "bob", 77, Change::Erased);
    shows(&mut model, "bob changed 77");
}

#[test]
fn changes_of_own_messages_are_shown_too() {
    let mut model = model();
    model.sending(1, GROUP, "everyone", &Message::text("mine"));
    model.outcome(1, Mark::Sent, Some(Seq(3)), "");
    changed(&mut model, 4, "bob", 3, Change::Reacted { emoji: "❤".into(), removed: false });
    shows(&mut model, "#3   alice: mine   ❤ 1  ✓");
    model.page(GROUP, vec![message(3, "alice", "mine")], false);
    shows(&mut model, "#3   alice: mine   ❤ 1  ✓");
}

#[test]
fn a_poll_is_shown_as_text_with_its_votes() {
    let mut model = model();
    let options = vec!["Yes".into(), "No".into()];
    let poll = Poll { question: "Lunch?".into(), options, ..Poll::default() };
    let shown = |state| {
        let poll = Some(Box::new(ShownPoll { poll: poll.clone(), state }));
        What::Message(Message { poll, ..Message::text("(poll) Lunch?: Yes, No") })
    };
    model.said(GROUP, "everyone", &event(1, "bob", shown(PollState::default())));
    shows(&mut model, "bob: poll: Lunch?");
    shows(&mut model, "  2. No");
    assert!(model.holds(GROUP, Seq(1)), "so the chat asks for its state");
    changed(&mut model, 2, "carol", 1, Change::Voted);
    let state = PollState { counts: vec![2, 1], voters: 3, mine: vec![0], closed: true };
    model.refreshed(GROUP, Said { as_of: Seq(2), ..event(1, "", shown(state)) });
    shows(&mut model, "  1. Yes  2 (yours)");
    shows(&mut model, "  3 have voted, closed");
    shows(&mut model, "bob: poll");
}

#[test]
fn pages_show_messages_in_their_present_state() {
    let mut model = model();
    let like = Reaction { emoji: "👍".into(), users: 3, mine: false };
    let edited = Message { edited: true, reactions: vec![like], ..Message::text("better") };
    let change = What::Change { to: Seq(1), change: Change::Voted, words: "changed".into() };
    let page = vec![event(1, "bob", What::Message(edited)), event(2, "bob", change)];
    model.page(GROUP, page, false);
    shows(&mut model, "bob: better  (edited)   👍 3");
    hides(&mut model, "changed");
}

#[test]
fn mentions_are_counted_as_the_servers_and_the_eyes_count_them() {
    let mut model = model();
    let named = What::Message(Message { names_me: true, ..Message::text("all of you") });
    model.said(direct(), "@bob", &event(1, "bob", named));
    model.said(direct(), "@bob", &message(2, "bob", "nothing"));
    shows(&mut model, " 2 @1");
    let listed = Listed {
        conversation: direct(),
        label: "@bob".into(),
        unread: 9,
        mentions: 4,
        read: Seq::ZERO,
        time: Timestamp(3),
    };
    model.overview(vec![listed]);
    shows(&mut model, " 9 @4");
}

#[test]
fn a_long_paste_is_shown_and_waits_for_an_answer() {
    let mut model = model();
    let text: String = (1..=40).map(|n| format!("row {n} 第\n")).collect();
    model.question = Some(Question::new(&text));
    shows(&mut model, "pasted: 40 lines,");
    shows(&mut model, "│ row 1 第");
    shows(&mut model, "y sends it as one message");
    hides(&mut model, "row 40");
    (0..9).for_each(|_| {
        model.key(Key::PageDown);
        screen(&mut model, 90, 20);
    });
    shows(&mut model, "│ row 40 第");
    types(&mut model, "x");
    assert_eq!(model.key(Key::Enter), Wish::Nothing, "only an answer counts");
    assert_eq!(model.key(Key::NextConversation), Wish::Nothing);
    assert_eq!(model.key(Key::Char('y')), Wish::Enter(Entered::typed("y")));
    hides(&mut model, "row 1");
    model.question = Some(Question::new(":leave\nnow"));
    assert_eq!(model.key(Key::Escape), Wish::Enter(Entered::typed("n")));
    let line = model.here().line.take();
    assert_eq!(line, Entered { text: ":leave\nnow".into(), typed: 0 }, "back in the line, as pasted text");
}

#[test]
fn nothing_of_a_paste_is_cut() {
    let mut model = model();
    model.key(Key::Paste("x".repeat(LINE_BYTES + 1)));
    assert!(model.here().line.is_empty());
    shows(&mut model, "nothing was pasted");
    model.key(Key::Paste("y".repeat(5_000)));
    let Wish::Enter(entered) = model.key(Key::Enter) else { panic!("it is entered") };
    assert_eq!((entered.text.len(), entered.typed), (5_000, 0));
}

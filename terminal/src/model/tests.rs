use jiff::tz::TimeZone;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::*;
use crate::view::draw;

mod content;

const GROUP: ConversationId = ConversationId::Everyone;

fn direct() -> ConversationId {
    "d1-2".parse().expect("an id")
}

fn message(seq: u64, who: &str, text: &str) -> Said {
    event(seq, who, What::Message(Message::text(text)))
}

fn event(seq: u64, who: &str, what: What) -> Said {
    let time = Timestamp(1_790_000_000_000 + seq * 1_000);
    Said { seq: Seq(seq), time, who: who.into(), mine: who == "alice", what, as_of: Seq(seq) }
}

fn model() -> Model {
    let mut model = Model::new("alice".into());
    model.now = Timestamp(1_790_000_000_000);
    let listed = |conversation, label: &str, time| Listed {
        conversation,
        label: label.into(),
        unread: 0,
        mentions: 0,
        read: Seq::ZERO,
        time: Timestamp(time),
    };
    model.opened(Some(GROUP), "everyone");
    model.overview(vec![listed(GROUP, "everyone", 2), listed(direct(), "@bob", 1)]);
    model.place = "everyone".into();
    model
}

fn screen(model: &mut Model, columns: u16, rows: u16) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).expect("a terminal in memory");
    terminal.draw(|frame| draw(frame, model, &TimeZone::UTC)).expect("it draws");
    let buffer = terminal.backend().buffer();
    let row = |y| {
        let mut row = String::new();
        let mut x = 0;
        while x < columns {
            let symbol = buffer[(x, y)].symbol();
            row.push_str(symbol);
            x += u16::try_from(crate::wrap::width(symbol)).expect("narrow").max(1);
        }
        row.trim_end().to_owned()
    };
    (0..rows).map(row).collect()
}

fn types(model: &mut Model, text: &str) {
    text.chars().for_each(|c| assert_eq!(model.key(Key::Char(c)), Wish::Nothing));
}

#[test]
fn an_incoming_line_never_disturbs_typing() {
    let mut model = model();
    types(&mut model, "half a sen");
    let before = screen(&mut model, 60, 8);
    model.said(GROUP, "everyone", &message(1, "bob", "hello\u{1b}[2J 你好"));
    let after = screen(&mut model, 60, 8);
    assert_eq!(before[6], "everyone> half a sen");
    assert_eq!(before[6..], after[6..], "the line and the status are where they were");
    assert!(after.iter().any(|row| row.ends_with("bob: hello [2J 你好")), "{after:?}");
    assert_eq!(model.key(Key::Enter), Wish::Enter(troupe_client::chat::Entered::typed("half a sen")));
}

#[test]
fn unread_messages_and_mentions_are_counted_until_they_are_seen() {
    let mut model = model();
    model.said(direct(), "@bob", &message(4, "bob", "one"));
    model.said(direct(), "@bob", &message(5, "bob", "for @Alice, and @alicea"));
    model.said(direct(), "@bob", &message(6, "alice", "from another device"));
    let rows = screen(&mut model, 80, 8);
    assert!(rows.iter().any(|row| row.starts_with("@bob") && row.contains(" 2 @1")), "{rows:?}");
    assert_eq!(model.key(Key::NextUnread), Wish::Open(direct()));
    model.opened(Some(direct()), "@bob");
    let room = model.room().expect("it is open");
    assert_eq!((room.unread, room.mentions), (0, 0));
    assert!(!model.is_named_in("mail to x@alices.example"));
}

#[test]
fn what_is_scrolled_to_stays_while_messages_arrive() {
    let mut model = model();
    let page = (1..=50).map(|seq| message(seq, "bob", &format!("text {seq}"))).collect();
    model.page(GROUP, page, true);
    screen(&mut model, 60, 12);
    assert_eq!(model.key(Key::PageUp), Wish::Nothing);
    let before = screen(&mut model, 60, 12);
    (51..=80).for_each(|seq| model.said(GROUP, "everyone", &message(seq, "bob", &format!("text {seq}"))));
    let after = screen(&mut model, 60, 12);
    assert_eq!(before[1..10], after[1..10]);
    assert!(after[0].contains("Ctrl-End"));
    assert!(!model.sees(GROUP), "new rows are out of sight: they are not read");
    let mut wish = Wish::Nothing;
    for _ in 0..10 {
        screen(&mut model, 60, 12);
        wish = model.key(Key::PageUp);
        if wish != Wish::Nothing {
            break;
        }
    }
    assert_eq!(wish, Wish::Older(GROUP, Seq(1)), "the top asks for earlier events, once");
    assert_eq!(model.key(Key::PageUp), Wish::Nothing);
    for _ in 0..100 {
        screen(&mut model, 60, 12);
        model.key(Key::PageDown);
    }
    assert!(model.sees(GROUP), "the way down ends at the newest");
}

#[test]
fn a_message_shows_how_far_it_has_come() {
    let mut model = model();
    model.sending(1, GROUP, "everyone", &Message::text("hello"));
    let shown = |model: &mut Model, what: &str| {
        let rows = screen(model, 60, 8);
        assert!(rows.iter().any(|row| row.ends_with(what)), "{what:?} in {rows:?}");
    };
    shown(&mut model, "alice: hello  …");
    model.outcome(1, Mark::Sent, Some(Seq(1)), "");
    shown(&mut model, "alice: hello  ✓");
    model.outcome(1, Mark::Delivered, Some(Seq(1)), "");
    shown(&mut model, "alice: hello  ✓✓");
    model.sending(2, GROUP, "everyone", &Message::text("too much"));
    model.outcome(2, Mark::Failed, None, "slow mode: wait");
    shown(&mut model, "alice: too much  ✗ slow mode: wait");
}

#[test]
fn the_line_follows_its_conversation() {
    let mut model = model();
    types(&mut model, "for everyone");
    model.opened(Some(direct()), "@bob");
    types(&mut model, "for bob");
    model.opened(Some(GROUP), "everyone");
    assert_eq!(model.room().expect("it is open").line.text(), "for everyone");
    model.opened(None, "no conversation");
    types(&mut model, "for nobody");
    model.opened(Some("g7".parse().expect("an id")), "#team g7");
    assert_eq!(model.room().expect("it is open").line.text(), "for nobody");
}

#[test]
fn tab_completes_commands_names_and_groups() {
    let mut model = model();
    model.said(GROUP, "everyone", &message(1, "carol", "hi"));
    model.opened(Some("g7".parse().expect("an id")), "#team g7");
    model.opened(Some(GROUP), "everyone");
    let completed = |model: &mut Model, typed: &str, presses: usize| {
        model.key(Key::DeleteToStart);
        types(model, typed);
        (0..presses).for_each(|_| drop(model.key(Key::Complete)));
        model.room().expect("it is open").line.text().to_owned()
    };
    assert_eq!(completed(&mut model, ":his", 1), ":history ");
    assert_eq!(completed(&mut model, "/his", 1), "/history ");
    assert_eq!(completed(&mut model, ":rec", 1), ":recall ");
    assert_eq!(completed(&mut model, "ca", 1), "carol;;");
    assert_eq!(completed(&mut model, "ask ca", 1), "ask carol ");
    assert_eq!(completed(&mut model, "ask @b", 1), "ask @bob ");
    assert_eq!(completed(&mut model, ":to #te", 1), ":to g7 ");
    assert_eq!(completed(&mut model, "你好 zz", 1), "你好 zz");
    let (one, two) = (completed(&mut model, ":in", 1), completed(&mut model, ":in", 2));
    assert_eq!((one.as_str(), two.as_str()), (":info ", ":invite "));
}

#[test]
fn any_size_can_be_drawn() {
    let mut model = model();
    let long = "long 长 👩🏽\u{200d}🚀 ".repeat(50);
    model.said(GROUP, "everyone", &message(1, &"n".repeat(200), &long));
    model.notice(&long);
    model.key(Key::Paste(long.clone()));
    for (columns, rows) in [(1, 1), (2, 3), (5, 2), (20, 4), (72, 3), (200, 60)] {
        screen(&mut model, columns, rows);
        model.key(Key::PageUp);
        screen(&mut model, columns, rows);
        model.key(Key::PageDown);
    }
}

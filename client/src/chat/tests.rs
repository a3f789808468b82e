use std::time::Duration;

use troupe_core::Seq;

use super::command::{Act, Line, OnMessage, parse};
use super::plain::Lines;

#[test]
fn lines_mean_what_cim_users_expect() {
    assert_eq!(parse("hello there"), Line::Say("hello there".into()));
    assert_eq!(parse("bob;;hello; you"), Line::Whisper { to: "bob".into(), text: "hello; you".into() });
    assert_eq!(parse("42;;hi"), Line::Whisper { to: "42".into(), text: "hi".into() });
    assert_eq!(parse("I like this;; really"), Line::Say("I like this;; really".into()));
    assert_eq!(parse(":q!"), Line::Quit);
    assert_eq!(parse(":q needle in hay"), Line::Search("needle in hay".into()));
    assert_eq!(parse(":search needle hay"), Line::Find("needle hay".into()));
    assert_eq!(parse(":olu"), Line::OnlineUsers);
    assert_eq!(parse(":pu al"), Line::Prefix("al".into()));
    assert_eq!(parse(":ai"), Line::Bot(true));
    assert_eq!(parse(":qai"), Line::Bot(false));
    assert_eq!(parse(":emoji"), Line::Emoji(1));
    assert_eq!(parse(":emoji 3"), Line::Emoji(3));
    assert_eq!(parse(":delay 5 tea is ready"), Line::Delay(Duration::from_secs(5), "tea is ready".into()));
    let members = vec!["bob".to_owned(), "carol".to_owned()];
    let react = OnMessage::React { emoji: "👍".into(), remove: false };
    assert_eq!(parse("/react 12 👍"), Line::About { to: Seq(12), act: react });
    let mute = |minutes| Line::Moderate(Act::Mute { name: "bob".into(), minutes });
    assert_eq!((parse(":mute bob 30"), parse(":unmute bob")), (mute(30), mute(0)));
    assert_eq!(parse(":unban bob"), Line::Moderate(Act::Ban { name: "bob".into(), lift: true }));
    assert_eq!(parse(":notice Be kind, all"), Line::Moderate(Act::Notice("Be kind, all".into())));
    assert_eq!((parse(":link"), parse(":link 5")), (Line::Link(1), Line::Link(5)));
    assert_eq!(parse(":slow 30"), Line::Moderate(Act::Slow(30)));
    assert_eq!(parse(":new team bob carol"), Line::New { name: "team".into(), open: false, members });
    assert_eq!(parse(":open team"), Line::New { name: "team".into(), open: true, members: Vec::new() });
    assert_eq!((parse(":scheduled"), parse(":cancel 00ff")), (Line::Scheduled, Line::Cancel("00ff".into())));
    assert_eq!(parse(":rename The best team"), Line::Moderate(Act::Rename("The best team".into())));
    let admin = Act::Role { name: "bob".into(), role: troupe_core::event::Role::Admin };
    assert_eq!(parse("/role bob admin"), Line::Moderate(admin));
    assert_eq!(parse("   "), Line::Nothing);
}

#[test]
fn text_with_signs_is_text() {
    for text in [":-)", ":)", "/ or", "for(;;) {}", "for(;;)", "a;b;;c d", ";;", ":;;"] {
        assert_eq!(parse(text), Line::Say(text.into()));
    }
    assert_eq!(parse("//etc/hosts"), Line::Say("/etc/hosts".into()));
    assert_eq!(parse("::smile"), Line::Say(":smile".into()));
    assert_eq!(parse("/q!"), Line::Quit);
}

#[test]
fn a_line_that_is_not_understood_is_never_sent_to_anybody() {
    for line in [
        ":quit",
        ":q",
        ":delay soon tea",
        ":delay 999999999 tea",
        ":history 0",
        ":emoji x",
        ":to",
        "bob;;",
        ":react",
        ":react 12",
        ":react last 👍",
        ":unreact 👍",
        ":mute bob",
        ":mute bob 0",
        ":ban",
        ":slow now",
        ":link many",
        ":rename",
        ":cancel",
        ":cancel 1",
        ":role bob king",
        "/etc/hosts",
    ] {
        assert!(matches!(parse(line), Line::Usage(_)), "{line}");
    }
}

#[tokio::test]
async fn lines_are_cut_at_newlines_and_bounded() {
    let mut lines = Lines::new(&b"one\r\ntwo\n\nlast"[..]);
    let mut seen = Vec::new();
    while let Some(line) = lines.next().await.expect("short lines") {
        seen.push(line);
    }
    assert_eq!(seen, ["one", "two", "", "last"]);
    let long = vec![b'x'; super::LINE_BYTES + 1];
    assert!(Lines::new(&long[..]).next().await.is_err());
}

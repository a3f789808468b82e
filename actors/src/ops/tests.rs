//! The list of operations agrees with `client.proto` and with `docs/protocol.md`.

use std::collections::BTreeSet;

use super::*;

const PROTOCOL: &str = include_str!("../../../proto/proto/client.proto");
const DOCUMENT: &str = include_str!("../../../docs/protocol.md");

/// Names and types of the fields of a `oneof` in `client.proto`.
fn fields(message: &str, oneof: &str) -> Vec<(&'static str, &'static str)> {
    let body = PROTOCOL.split_once(&format!("message {message} {{")).expect("the message").1;
    let body = body.split_once(&format!("oneof {oneof} {{")).expect("the oneof").1;
    let body = body.split_once('}').expect("its end").0;
    let field = |line: &'static str| {
        let mut words = line.split("//").next()?.split_whitespace();
        let (of, name) = (words.next()?, words.next()?);
        Some((name, of))
    };
    body.lines().filter_map(field).collect()
}

/// The first cells of the rows of a table in `docs/protocol.md`, under its heading, with the second
/// ones.
fn rows(heading: &str) -> Vec<(&'static str, &'static str)> {
    let section = DOCUMENT.split_once(&format!("\n## {heading}\n")).expect("the section").1;
    let section = section.split("\n##").next().expect("its text");
    let row = |line: &'static str| {
        let mut cells = line.strip_prefix("| `")?.split('|').map(|cell| cell.trim().trim_matches('`'));
        Some((cells.next()?, cells.next()?))
    };
    section.lines().filter_map(row).collect()
}

#[test]
fn each_request_of_the_protocol_is_listed_once() {
    let listed: BTreeSet<&str> = NAMES.iter().copied().collect();
    assert_eq!(listed.len(), NAMES.len());
    let asked: BTreeSet<&str> = fields("ClientFrame", "request").into_iter().map(|(name, _)| name).collect();
    assert_eq!(listed, asked);
}

#[test]
fn the_document_has_each_request_with_its_answer() {
    let documented = rows("Requests");
    let named: BTreeSet<&str> = documented.iter().map(|(name, _)| *name).collect();
    assert_eq!(named, NAMES.iter().copied().collect());
    let answers = fields("ServerFrame", "message");
    let of = |field: &str| answers.iter().find(|(name, _)| *name == field).map(|(_, of)| *of);
    for (name, answer) in documented {
        let typed = ANSWERS.iter().find(|(listed, _)| *listed == name).map(|(_, answer)| *answer);
        // `acknowledge` has no answer on the wire, and `Done` within the cluster.
        let documented = if answer == "none" { typed.map(|_| "Done") } else { of(answer) };
        if typed.is_some() {
            assert_eq!(typed, documented, "{name}");
        }
    }
}

#[test]
fn a_request_has_the_name_of_its_field() {
    for (request, name) in [
        (ClientRequest::Hello(Default::default()), "hello"),
        (ClientRequest::MarkRead(Default::default()), "mark_read"),
        (ClientRequest::ListMembers(Default::default()), "list_members"),
    ] {
        assert_eq!(super::name(&request), name);
    }
    assert_eq!(<wire::ListMembers as Framed>::NAME, "list_members");
}

/// Every message is such a future, and is moved into a task: an async block around a future holds
/// it twice, so an unboxed inner one doubles at each layer.
#[test]
fn the_future_of_a_message_is_small() {
    fn size<A, B, C, F: Future>(_: fn(A, B, C) -> F) -> usize {
        size_of::<F>()
    }
    let bytes = size(<wire::Send as Operation>::perform);
    assert!(bytes <= 512, "{bytes} bytes");
}

//! Files: an acknowledged one is kept by each replica, each answer has its bytes, and events refer
//! only to files that are there. A name is a hash of the bytes, so that equal names mean equal
//! bytes.

use std::collections::BTreeSet;

use super::{Kind, Promise, Violation};
use crate::history::{History, Record};

pub fn check(history: &History) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut wrong = |kind, text: String| violations.push(Violation { promise: Promise::Attachments, kind, text });
    let (mut begun, mut whole) = (BTreeSet::new(), BTreeSet::new());
    for record in &history.records {
        match record {
            Record::Upload { conversation, file, done, .. } => {
                begun.insert((conversation, file));
                if *done {
                    whole.insert((conversation, file));
                }
            }
            Record::Download { device, conversation, file, received, .. } => match received {
                Some(name) if name != file => {
                    let text = format!("{conversation}: device {device} asked for {file}, and received {name}");
                    wrong(Kind::Diverged, text);
                }
                Some(_) if !begun.contains(&(conversation, file)) => {
                    wrong(
                        Kind::Phantom,
                        format!("{conversation}: device {device} received {file}, which none uploaded"),
                    );
                }
                None if whole.contains(&(conversation, file)) => {
                    wrong(
                        Kind::Lost,
                        format!("{conversation}: {file} was acknowledged, and device {device} has no answer"),
                    );
                }
                Some(_) | None => {}
            },
            _ => {}
        }
    }
    for (node, conversations) in &history.files {
        for (conversation, files) in conversations {
            for (_, file) in whole.iter().filter(|(of, file)| *of == conversation && !files.contains_key(*file)) {
                wrong(Kind::Lost, format!("{conversation}: {file} was acknowledged, and node {node} does not keep it"));
            }
            for (file, kept) in files {
                if file != kept {
                    wrong(Kind::Diverged, format!("{conversation}: node {node} keeps {kept} under the name {file}"));
                }
                if !begun.contains(&(conversation, file)) {
                    wrong(Kind::Phantom, format!("{conversation}: node {node} keeps {file}, which none uploaded"));
                }
            }
        }
    }
    for (node, conversations) in &history.references {
        for (conversation, shown) in conversations {
            let kept = history.files.get(node).and_then(|files| files.get(conversation));
            for file in shown.iter().filter(|file| kept.is_none_or(|kept| !kept.contains_key(*file))) {
                wrong(
                    Kind::Lost,
                    format!("{conversation}: an event refers to {file}, and node {node} does not keep it"),
                );
            }
        }
    }
    violations
}

//! Golden traces: each `*.txt` beside this file is a story, one command a line, and under it,
//! indented, the machine's answers (`=`) and effects (`!`). [`script`] has the words of a story,
//! [`show`] the display of rows.
//!
//! `UPDATE=1` rewrites the answers; read the diff before you keep it.

mod accounts;
mod bodies;
mod bots;
mod calls;
mod due;
mod files;
mod imports;
mod messages;
mod people;
mod personal;
mod rooms;
mod script;
mod show;
mod world;

use std::path::{Path, PathBuf};

use world::World;

fn stories() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/traces");
    let entries = std::fs::read_dir(&folder).expect("the folder of this file is there");
    let mut stories: Vec<PathBuf> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    stories.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    // A build without planted bugs cannot tell their stories.
    let is_planted = |path: &PathBuf| {
        let story = std::fs::read_to_string(path).expect("a story is readable");
        story.lines().any(|line| line.starts_with("bug "))
    };
    stories.retain(|path| cfg!(feature = "planted-bugs") || !is_planted(path));
    stories.sort();
    stories
}

/// The story with its answers: comments, blank lines and commands as written, old answers replaced.
fn told(story: &str, name: &str) -> String {
    let mut world = World::default();
    let mut out = String::new();
    for (number, line) in story.lines().enumerate().filter(|(_, line)| !line.starts_with(' ')) {
        out.push_str(line);
        out.push('\n');
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let answers =
            script::run(&mut world, line).unwrap_or_else(|why| panic!("{name}:{}: {why}: {line}", number + 1));
        for answer in answers {
            out.push_str("    ");
            out.push_str(&answer);
            out.push('\n');
        }
    }
    out
}

#[test]
fn every_story_is_answered_as_written() {
    let stories = stories();
    assert!(stories.len() >= 10, "only {} stories found", stories.len());
    let update = std::env::var_os("UPDATE").is_some_and(|value| value == "1");
    let mut wrong = Vec::new();
    for path in stories {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let written = std::fs::read_to_string(&path).expect("a story is readable");
        let answered = told(&written, &name);
        if answered == written {
            continue;
        }
        if update {
            std::fs::write(&path, answered).expect("a story is writable");
            continue;
        }
        let first = written.lines().zip(answered.lines()).position(|(a, b)| a != b);
        let first = first.unwrap_or(written.lines().count().min(answered.lines().count()));
        let at = |text: &str| text.lines().nth(first).unwrap_or("(the end)").trim().to_owned();
        wrong.push(format!("{name}:{}\n  written:  {}\n  answered: {}", first + 1, at(&written), at(&answered)));
    }
    assert!(wrong.is_empty(), "stories went otherwise (UPDATE=1 rewrites them):\n{}", wrong.join("\n"));
}

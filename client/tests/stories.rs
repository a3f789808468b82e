//! The golden stories of `sdk/stories` against this SDK; docs/sdk.md has their format. Time is
//! tokio's paused clock.

mod story;

use std::path::{Path, PathBuf};

use serde_json::Value;
use story::Player;
use troupe_core::planted::Planted;

fn stories() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sdk/stories");
    let entries = std::fs::read_dir(&folder).expect("a folder of stories").map(|entry| entry.expect("readable").path());
    let mut found: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|end| end == "json")).collect();
    found.sort();
    found
}

/// Plays all stories. Returns the reasons of those that fail.
async fn play(planted: Planted) -> Vec<String> {
    let found = stories();
    assert!(found.len() >= 15, "{found:?}");
    let mut failed = Vec::new();
    for path in found {
        let text = std::fs::read_to_string(&path).expect("readable");
        let story: Value = serde_json::from_str(&text).expect("JSON");
        let name = story["name"].as_str().expect("a name").to_owned();
        assert_eq!(path.file_stem().and_then(|stem| stem.to_str()), Some(name.as_str()));
        if let Err(why) = Player::new(&story, planted).play(&story).await {
            failed.push(format!("{name}: {why}"));
        }
    }
    failed
}

#[tokio::test(start_paused = true)]
async fn every_story_is_as_told() {
    let failed = play(Planted::default()).await;
    assert!(failed.is_empty(), "{} stories failed:\n{}", failed.len(), failed.join("\n"));
}

#[cfg(feature = "planted-bugs")]
#[tokio::test(start_paused = true)]
async fn each_planted_bug_of_the_sdk_fails_a_story() {
    use troupe_core::planted::Bug;

    for bug in [Bug::SdkFreshIds, Bug::SdkTrustsPushes, Bug::SdkCursorEarly, Bug::SdkGivesUp, Bug::SdkWithoutAfter] {
        assert!(!play(bug.into()).await.is_empty(), "no story detects {bug:?}");
    }
}

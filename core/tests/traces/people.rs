//! The words of a story about people.
//!
//! ```text
//! profile anna p1 [name "Anna B."] [avatar hash] [about "text"] [language de]
//! show profile anna
//! ```

use troupe_core::command::{ChangeProfile, ProfileChange};
use troupe_core::record::Profile;
use troupe_core::{Command, Rows};

use crate::script::id;
use crate::world::World;

const VERBS: &[&str] = &["profile"];

pub fn knows(verb: &str) -> bool {
    VERBS.contains(&verb)
}

pub fn run(world: &mut World, verb: &str, words: &[&str]) -> Result<Vec<String>, String> {
    let command = match (verb, words) {
        ("profile", [user, request, texts @ ..]) => {
            let (user, request, change) = (world.user(user)?, id(request)?, profile(texts)?);
            Command::from(ChangeProfile { user, request, change })
        }
        _ => return Err("no such words".to_owned()),
    };
    Ok(world.apply(&command, None))
}

fn profile(words: &[&str]) -> Result<ProfileChange, String> {
    let mut change = ProfileChange::default();
    for pair in words.chunks(2) {
        let [what, text] = pair else { return Err("expected a text".to_owned()) };
        let text = Some((*text).to_owned());
        match *what {
            "name" => change.display_name = text,
            "avatar" => change.avatar = text,
            "about" => change.about = text,
            "language" => change.language = text,
            _ => return Err(format!("a profile has no '{what}'")),
        }
    }
    Ok(change)
}

/// `None`: it is nothing about people.
pub fn shown(world: &World, words: &[&str]) -> Option<Result<Vec<String>, String>> {
    let ["profile", user] = words else { return None };
    Some(world.user(user).map(|user| {
        let profile = world.state.get::<Profile>(&user).unwrap_or_default();
        vec![described(&profile)]
    }))
}

pub fn described(profile: &Profile) -> String {
    let Profile { display_name, avatar, about, language, version, .. } = profile;
    format!("version {version}: {display_name:?}, {avatar:?}, {about:?}, {language:?}")
}

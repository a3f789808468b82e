//! The words of a story about a user's own state of a conversation.
//!
//! ```text
//! keep anna team k1 [seen 3] [pin 2] [mute 5000] [archive yes] [hide no] [draft "text"] [unread yes] [clear 4]
//! forget anna team 3 4                      deletes messages for anna alone
//! save anna team s1 3 · drop anna team s2 3 · show favourites anna
//! show state anna team · show mentions anna team · show mentions everyone team
//! ```

use troupe_core::command::{ChangeFavourite, ChangePersonal, DeleteForMe, PersonalChange};
use troupe_core::record::{Favourite, Mention, Personal};
use troupe_core::{Command, Rows, Seq, Timestamp, UserId};

use crate::script::{id, number};
use crate::show;
use crate::world::World;

pub fn knows(verb: &str) -> bool {
    ["keep", "forget", "save", "drop"].contains(&verb)
}

pub fn run(world: &mut World, verb: &str, words: &[&str]) -> Result<Vec<String>, String> {
    if let ("forget", [user, place, seqs @ ..]) = (verb, words) {
        let (user, conversation) = (world.user(user)?, world.conversation(place)?);
        let seqs = seqs.iter().map(|seq| number(seq).map(Seq)).collect::<Result<_, _>>()?;
        return Ok(world.apply(&Command::DeleteForMe(DeleteForMe { conversation, user, seqs }), None));
    }
    if let ("save" | "drop", [user, place, request, seq]) = (verb, words) {
        let (user, conversation, request) = (world.user(user)?, world.conversation(place)?, id(request)?);
        let (seq, removed) = (Seq(number(seq)?), verb == "drop");
        let change = ChangeFavourite { user, request, conversation, seq, removed };
        return Ok(world.apply(&Command::ChangeFavourite(change), None));
    }
    let [user, place, request, properties @ ..] = words else { return Err("expected a user and a place".to_owned()) };
    let (user, conversation, request) = (world.user(user)?, world.conversation(place)?, id(request)?);
    let (mut seen, mut change) = (None, PersonalChange::default());
    for pair in properties.chunks(2) {
        let [what, value] = pair else { return Err("expected a value".to_owned()) };
        match *what {
            "seen" => seen = Some(number(value)?),
            "pin" => change.pin = Some(number(value)?),
            "mute" => change.muted_until = Some(Timestamp(number(value)?)),
            "archive" => change.archived = Some(*value == "yes"),
            "hide" => change.hidden = Some(*value == "yes"),
            "draft" => change.draft = Some((*value).to_owned()),
            "unread" => change.marked_unread = Some(*value == "yes"),
            "clear" => change.clear_to = Some(Seq(number(value)?)),
            _ => return Err(format!("a state has no '{what}'")),
        }
    }
    let command = Command::from(ChangePersonal { conversation, user, request, seen, change });
    Ok(world.apply(&command, None))
}

/// `None`: it is nothing about a state.
pub fn shown(world: &World, words: &[&str]) -> Option<Result<Vec<String>, String>> {
    if let ["favourites", user] = words {
        let rows = |user| world.state.page::<Favourite>(&user, None, usize::MAX);
        let row = |((_, number), row): &((UserId, u64), Favourite)| {
            format!("{number}: {} {} at {}", show::conversation(world, row.conversation), row.seq, row.saved)
        };
        return Some(world.user(user).map(|user| rows(user).iter().map(row).collect()));
    }
    let [what @ ("state" | "mentions"), user, place] = words else { return None };
    let user = if *user == "everyone" { Ok(UserId(0)) } else { world.user(user) };
    Some(user.and_then(|user| {
        let key = (world.conversation(place)?, user);
        if *what == "state" {
            return Ok(vec![described(&world.state.get::<Personal>(&key).unwrap_or_default())]);
        }
        let rows = world.state.page::<Mention>(&key, None, usize::MAX);
        Ok(rows.iter().map(|((_, _, seq), row)| format!("{seq} by {}", show::name(world, UserId(row.0)))).collect())
    }))
}

pub fn described(row: &Personal) -> String {
    let Personal { version, pin, archived, draft, cleared, .. } = row;
    let (muted, hidden, marked) = (row.muted_until, row.hidden_before, row.marked_before);
    let said = format!(
        "version {version}: pin {pin}, muted until {muted}, archived {archived}, hidden before {hidden}, draft {draft:?}, marked before {marked}, cleared {cleared}"
    );
    if row.deleted.is_empty() {
        return said;
    }
    let list = |seqs: &[Seq]| seqs.iter().map(Seq::to_string).collect::<Vec<_>>().join(" ");
    format!("{said}, deleted {} of others {}", list(&row.deleted), list(&row.deleted_unread))
}

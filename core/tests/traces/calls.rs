//! The words of a story about calls.
//!
//! ```text
//! call anna anna+bert r1 voice 11          from the device 11; or video
//! answer bert anna+bert r2 5 accept 21     the call 5, with the device 21; or refuse, busy
//! hang anna anna+bert r3 5                 hangs up, or takes the call back
//! show call anna+bert
//! ```

use troupe_core::feature::{ActiveCall, CallAnswer};
use troupe_core::{Append, Command, Intent, Rows, Seq};

use crate::script::{id, number};
use crate::show;
use crate::world::World;

pub fn knows(verb: &str) -> bool {
    ["call", "answer", "hang"].contains(&verb)
}

pub fn run(world: &mut World, verb: &str, words: &[&str]) -> Result<Vec<String>, String> {
    let [user, conversation, request, rest @ ..] = words else { return Err("no such words".to_owned()) };
    let intent = match (verb, rest) {
        ("call", [kind, device]) => Intent::StartCall { video: *kind == "video", device: number(device)? },
        ("answer", [call, answer, device]) => {
            let answer = CallAnswer::named(answer).ok_or("no such answer")?;
            Intent::AnswerCall { call: Seq(number(call)?), answer, device: number(device)? }
        }
        ("hang", [call]) => Intent::EndCall { call: Seq(number(call)?) },
        _ => return Err("no such words".to_owned()),
    };
    let command = Append {
        conversation: world.conversation(conversation)?,
        actor: world.user(user)?,
        client_message_id: id(request)?,
        after: None,
        intent,
    };
    Ok(world.apply(&Command::Append(command), None))
}

pub fn shown(world: &World, conversation: &str) -> Result<Vec<String>, String> {
    let row = world.state.get::<ActiveCall>(&world.conversation(conversation)?);
    Ok(vec![match row {
        None => "no call".to_owned(),
        Some(row) if !row.is_answered() => format!("{} of {} rings", row.call, show::name(world, row.caller)),
        Some(row) => format!("{} since {} with the device {}", row.call, row.answered, row.device),
    }])
}

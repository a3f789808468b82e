//! Profiles and contacts of elsewhere, from an operator. Each request brings what its user does not
//! have yet, so a repeat changes nothing, and what users have changed themselves stays.

use troupe_core::command::{ChangeContact, ContactAct};
use troupe_core::record::Author;
use troupe_core::{ClientMessageId, Command, Rejection, UserId, machine};
use troupe_proto::client;

use super::Told;
use crate::message::{Refusal, wire};
use crate::ops::change_contact::set_gate;
use crate::router::PATIENCE;
use crate::service::Service;

/// The profile of a user that has set none.
pub(super) async fn profile(
    service: &Service,
    by: Author,
    request: ClientMessageId,
    import: wire::ImportProfile,
) -> Result<Told, Refusal> {
    let user = client::user("import_profile.user_id", import.user_id)?;
    are_here(service, by.user, &[user]).await?;
    let held = service.ask_leader(user.slot(), user, wire::ShowProfile {}).await?;
    if held.version > 0 {
        return Ok(told(false));
    }
    let wire::OwnProfile { profile, messages_from, .. } = import.profile.unwrap_or_default();
    let wire::Profile { display_name, avatar, about, language } = profile.unwrap_or_default();
    let change = wire::ChangeProfile {
        request: bytes::Bytes::copy_from_slice(&request.0),
        display_name: Some(display_name),
        avatar: Some(avatar),
        about: Some(about),
        language: Some(language),
        messages_from: Some(messages_from).filter(|audience| *audience != 0),
    };
    let command = Command::from(client::change_profile(user, change)?);
    machine::check(&command)?;
    service.commit_done(command).await?;
    Ok(told(true))
}

/// The wants of a user of another one, and its block.
pub(super) async fn contact(
    service: &Service,
    by: Author,
    request: ClientMessageId,
    import: wire::ExportedContact,
) -> Result<Told, Refusal> {
    let user = client::user("import_contact.user_id", import.user_id)?;
    let other = client::user("import_contact.other_id", import.other_id)?;
    are_here(service, by.user, &[user, other]).await?;
    let held = service.ask_leader(user.slot(), user, wire::ShowContact { user_id: other.0 }).await?;
    let acts = missing(&held, import);
    let some = !acts.is_empty();
    for (number, act) in acts {
        let blocks = act == ContactAct::Block;
        // Each has an id of its own, and the same in each run.
        let mut id = request;
        id.0[0] ^= number;
        let command = Command::from(ChangeContact { user, other, request: id, act });
        machine::check(&command)?;
        service.commit_done(command).await?;
        if blocks {
            set_gate(service, user, other).await.map_err(|_| Refusal::Unavailable)?;
        }
    }
    Ok(told(some))
}

/// In their order: a block refuses all others, so it is the last, and says that nothing is missing.
fn missing(held: &wire::Contact, import: wire::ExportedContact) -> Vec<(u8, ContactAct)> {
    let mut acts = Vec::new();
    if held.blocked {
        return acts;
    }
    let wants = matches!(held.state(), wire::ContactState::Requested | wire::ContactState::Mutual);
    if import.wants && !wants {
        acts.push((0, ContactAct::Ask { text: import.text }));
    }
    if import.wants && !import.remark.is_empty() && held.remark.is_empty() {
        acts.push((1, ContactAct::Remark { text: import.remark }));
    }
    if import.blocked {
        acts.push((2, ContactAct::Block));
    }
    acts
}

async fn are_here(service: &Service, asker: UserId, users: &[UserId]) -> Result<(), Refusal> {
    let found = service.directory.names(&service.context, asker, users.iter().copied(), PATIENCE).await;
    if found.map_err(Refusal::of_lookup)?.len() < users.len() {
        return Err(Rejection::NoSuchUser.into());
    }
    Ok(())
}

fn told(some: bool) -> Told {
    Told::Imported(wire::Imported { placed: u64::from(some), ..Default::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(state: wire::ContactState, remark: &str, blocked: bool) -> wire::Contact {
        wire::Contact { state: state.into(), remark: remark.to_owned(), blocked, ..Default::default() }
    }

    fn all() -> wire::ExportedContact {
        wire::ExportedContact { wants: true, remark: "Bobby".into(), blocked: true, ..Default::default() }
    }

    #[test]
    fn only_what_is_missing_is_brought() {
        let numbers =
            |held: wire::Contact| missing(&held, all()).into_iter().map(|(number, _)| number).collect::<Vec<_>>();
        assert_eq!(numbers(held(wire::ContactState::Unspecified, "", false)), [0, 1, 2]);
        assert_eq!(numbers(held(wire::ContactState::Received, "", false)), [0, 1, 2]);
        assert_eq!(numbers(held(wire::ContactState::Requested, "", false)), [1, 2]);
        assert_eq!(numbers(held(wire::ContactState::Mutual, "Bob", false)), [2], "the user's own remark stays");
        assert_eq!(numbers(held(wire::ContactState::Unspecified, "", true)), [0; 0], "a block ends each run");
        let block = wire::ExportedContact { blocked: true, ..Default::default() };
        assert_eq!(missing(&held(wire::ContactState::Unspecified, "", false), block), [(2, ContactAct::Block)]);
    }
}

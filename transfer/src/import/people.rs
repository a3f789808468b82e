//! Profiles, contacts and blocks of a bundle. The cluster takes what its users do not have yet.

use troupe_proto::wire::client as wire;
use wire::admin::Operation;
use wire::admin_answer::Answer;

use super::Import;
use crate::cluster::{Cluster, Refused, ask, other_answer};
use crate::line::{Account, Contact};
use crate::{Error, Result, id_of};

/// The profile of an account, unless its user has set one here.
pub(super) async fn profile<C: Cluster>(import: &mut Import<'_, C>, account: &Account) -> Result<()> {
    let (Some(profile), Some(user)) = (&account.profile, import.users.get(&account.name)) else { return Ok(()) };
    let audience = if profile.messages_from_contacts { wire::Audience::Contacts } else { wire::Audience::Everyone };
    let shown = wire::Profile {
        display_name: profile.display_name.clone(),
        avatar: profile.avatar.clone(),
        about: profile.about.clone(),
        language: profile.language.clone(),
    };
    let own = wire::OwnProfile { profile: Some(shown), version: 0, messages_from: audience.into() };
    let request = id_of(&[b"profile", import.source.as_bytes(), account.name.as_bytes()]);
    let operation = Operation::ImportProfile(wire::ImportProfile { user_id: user.0, profile: Some(own) });
    let place = format!("profile of {}", account.name);
    take(import, "profiles", place, request, operation).await
}

/// The wants of one user of another one.
pub(super) async fn contact<C: Cluster>(import: &mut Import<'_, C>, contact: &Contact) -> Result<()> {
    let place = format!("contact of {} with {}", contact.user, contact.other);
    let id = |name: &str| import.users.get(name).map(|user| user.0);
    let (Some(user_id), Some(other_id)) = (id(&contact.user), id(&contact.other)) else {
        import.report.drop("contacts of users without an account", &place);
        return Ok(());
    };
    let Contact { user, other, wants, text, remark, blocked } = contact.clone();
    let request = id_of(&[b"contact", import.source.as_bytes(), user.as_bytes(), other.as_bytes()]);
    let brought = wire::ExportedContact { user_id, other_id, wants, text, remark, blocked };
    take(import, "contacts", place, request, Operation::ImportContact(brought)).await
}

/// A refusal concerns this one only.
async fn take<C: Cluster>(
    import: &mut Import<'_, C>,
    kind: &str,
    place: String,
    request: [u8; 16],
    operation: Operation,
) -> Result<()> {
    match ask(import.cluster, request, operation).await {
        Ok(Answer::Imported(imported)) if imported.placed > 0 => import.report.took(kind, 1),
        Ok(Answer::Imported(_)) => import.report.met(kind, 1),
        Ok(_) => return Err(other_answer(&place)),
        Err(refused) if refused.is_of_the_connection() => return Err(Error::Refused { doing: place, refused }),
        Err(Refused { code, text }) => import.report.fail(place, &code, &text),
    }
    Ok(())
}

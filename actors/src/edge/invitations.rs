//! Invitations of strangers: which there are, and accepting one. To decline is to leave the group.

use std::sync::Arc;

use troupe_core::command::AcceptInvitation;
use troupe_core::{Command, ConversationId, Seq, UserId};
use troupe_proto::client;

use super::{Front, ServerMessage, done, requests};
use crate::message::{Answer, Refusal, Request, wire};
use crate::router::PATIENCE;

/// The user's shard has the invitations, the groups' shards their names; a name that is not known
/// now is left out.
pub async fn list(front: Arc<Front>, user: UserId) -> Result<ServerMessage, Refusal> {
    let mut list = match front.world.router.ask(user.slot(), Request::Invitations(user), PATIENCE).await? {
        Answer::Invitations(list) => list,
        _ => return Err(Refusal::Unavailable),
    };
    let parsed = |line: &wire::Invitation| line.conversation.parse::<ConversationId>().ok();
    let groups: Vec<ConversationId> = list.invitations.iter().filter_map(parsed).collect();
    let (mut rows, _) = requests::summaries(&front, user, &groups).await?;
    for line in &mut list.invitations {
        let row = parsed(line).and_then(|group| rows.remove(&group));
        line.name = row.map(|row| row.name).unwrap_or_default();
    }
    Ok(ServerMessage::Invitations(list))
}

pub async fn accept(front: Arc<Front>, user: UserId, accept: wire::AcceptInvitation) -> Result<ServerMessage, Refusal> {
    let conversation = client::conversation("accept_invitation.conversation", &accept.conversation)?;
    let command = Command::AcceptInvitation(AcceptInvitation { user, conversation, version: Seq(accept.seq) });
    done(front.world.router.ask(user.slot(), Request::Commit(command), PATIENCE).await?)?;
    Ok(ServerMessage::Done(wire::Done {}))
}

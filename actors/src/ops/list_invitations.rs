//! `list_invitations`: the groups that strangers have added the user to, and the direct
//! conversations that they have begun, without an answer.
//!
//! The user's shard has the invitations, and the shards of the groups have their names. A name that
//! is not known now is left out.

use troupe_core::machine::inbox;
use troupe_core::{ConversationId, UserId};
use troupe_store::rows::View;

use super::cost::{Cost, SEARCH};
use super::list_conversations::{name_peers, summaries};
use super::{Answered, AtLeader, Found, Leader, Operation, Plan};
use crate::message::{Refusal, wire};
use crate::service::{Caller, Service};

/// Rows of a user's invitations, at most.
const ROWS: usize = troupe_core::limits::INVITATIONS_PENDING;

impl Operation for wire::ListInvitations {
    /// The invitations, then a question to each shard that has one of their groups.
    fn cost(&self) -> Cost {
        Cost::Units(SEARCH / 2)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let user = caller.user();
        let mut list = service.ask_leader(user.slot(), user, self).await?;
        let parsed = |line: &wire::Invitation| line.conversation.parse::<ConversationId>().ok();
        let groups: Vec<ConversationId> = list.invitations.iter().filter_map(parsed).collect();
        let (mut rows, _) = summaries(&service, user, &groups).await?;
        name_peers(&service, user, &groups, &mut rows).await;
        for line in &mut list.invitations {
            let row = parsed(line).and_then(|group| rows.remove(&group));
            line.name = row.map(|row| row.name).unwrap_or_default();
        }
        Ok(list)
    }
}

impl AtLeader for wire::ListInvitations {
    fn plan(self, user: UserId, leader: &Leader<'_>) -> Result<Plan<wire::Invitations>, Refusal> {
        let now = leader.context.platform.clock.now().0;
        Ok(Plan::read(user, ROWS, move |view| invitations(view, user, now)))
    }
}

/// Without the names of the groups.
fn invitations(view: &View, user: UserId, now: u64) -> Found<wire::Invitations> {
    let open = view.invitations(user)?.into_iter().filter(|invitation| !inbox::has_expired(invitation, now));
    let invitations = open.map(|invitation| wire::Invitation {
        conversation: invitation.conversation.to_string(),
        name: String::new(),
        invited_by: invitation.by.0,
        seq: invitation.version.0,
        created_ms: invitation.created.0,
    });
    Ok(Ok(wire::Invitations { invitations: invitations.collect() }))
}

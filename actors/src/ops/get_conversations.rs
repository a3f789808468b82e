//! `get_conversations`: where these conversations stand, without those that the caller is not in.

use std::collections::BTreeSet;

use troupe_core::{ConversationId, Rejection, limits};
use troupe_proto::client;

use super::cost::{Cost, READ};
use super::list_conversations::{name_peers, summaries};
use super::{Answered, Operation};
use crate::message::wire;
use crate::service::{Caller, Service};

/// A conversation costs a question to its shard.
const CONVERSATION: u64 = 2;

impl Operation for wire::GetConversations {
    fn cost(&self) -> Cost {
        Cost::Units(READ + CONVERSATION * self.conversations.len() as u64)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        if self.conversations.len() > limits::PAGE_CONVERSATIONS {
            return Err(Rejection::TooMany.into());
        }
        let named = self.conversations.iter().map(|text| client::conversation("get_conversations.conversations", text));
        let ids: Vec<ConversationId> = named.collect::<Result<BTreeSet<_>, _>>()?.into_iter().collect();
        let (mut rows, unavailable) = summaries(&service, caller.user(), &ids).await?;
        name_peers(&service, caller.user(), &ids, &mut rows).await;
        let conversations = ids.iter().filter_map(|id| rows.remove(id)).collect();
        let unavailable = unavailable.iter().map(ConversationId::to_string).collect();
        Ok(wire::Conversations { conversations, more: false, unavailable })
    }
}

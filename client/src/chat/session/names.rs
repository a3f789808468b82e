//! Names of users and titles of conversations, as this screen shows them.

use troupe_core::text::clean_name;
use troupe_core::{ConversationId, UserId};

use super::{ChatSession, NAME_WAIT, NAMES};
use crate::chat::Screen;
use crate::msg::NamedConversation;

impl<S: Screen> ChatSession<S> {
    /// The label of a conversation on this screen: `everyone`, `@user`, or `#title g<id>`. No group
    /// label looks like a user.
    pub(super) fn label(&self, conversation: ConversationId) -> String {
        let peer = self.client.user().and_then(|me| conversation.peer_of(me)).and_then(|peer| self.names.get(&peer));
        match (self.titles.get(&conversation), peer) {
            (Some(label), _) => label.clone(),
            (None, Some(name)) => format!("@{}", clean_name(name)),
            (None, None) => conversation.to_string(),
        }
    }

    pub(super) fn learn(&mut self, place: &NamedConversation) {
        self.titles.insert(place.conversation, place.label.clone());
    }

    pub(super) async fn name(&mut self, user: UserId) -> String {
        if let Some(name) = self.names.get(&user) {
            return name.clone();
        }
        let ids = [user];
        let asked = tokio::time::timeout(NAME_WAIT, self.client.get_users(&ids, &[])).await;
        match asked.ok().and_then(Result::ok).and_then(|users| users.into_iter().next()) {
            Some(found) => {
                if self.names.len() < NAMES {
                    self.names.insert(user, found.name.clone());
                }
                found.name
            }
            None => format!("user {user}"),
        }
    }
}

//! The beginning of a stream: where each conversation stands.

use troupe_actors::message::{Refusal, wire};
use troupe_core::planted::Bug;
use troupe_core::{ConversationId, Seq};

use super::{Feed, ask};
use crate::events::told;

/// Why a stream does not begin.
pub enum Unlisted {
    Refused(Refusal),
    Ahead,
}

impl Feed {
    pub(super) async fn list(&mut self) -> Result<(), Unlisted> {
        let (mut rows, mut unavailable, mut after) = (Vec::new(), Vec::new(), String::new());
        loop {
            let page = ask(&self.service, &self.caller, &self.payer, wire::ListConversations { after, limit: 0 });
            let page = page.await.map_err(Unlisted::Refused)?;
            let id = |text: &String| text.parse::<ConversationId>().ok();
            let listed =
                page.conversations.iter().filter_map(|row| Some((row.time_ms, id(&row.conversation)?, row.head)));
            rows.extend(listed);
            unavailable.extend(page.unavailable.iter().filter_map(id));
            let last = rows.iter().map(|(_, conversation, _)| conversation).chain(&unavailable).max();
            match last.filter(|_| page.more) {
                Some(last) => after = last.to_string(),
                None => break,
            }
        }
        let unseen: Vec<_> = self.positions.all().map(|(conversation, _)| conversation).collect();
        let listed = |conversation: &ConversationId| {
            unavailable.contains(conversation) || rows.iter().any(|(_, listed, _)| listed == conversation)
        };
        for conversation in unseen.into_iter().filter(|conversation| !listed(conversation)) {
            self.look_for(conversation).await?;
        }
        // The conversations that moved last stay in a cursor at its bound.
        rows.sort_unstable();
        for (_, conversation, head) in rows {
            if self.positions.of(conversation).is_some_and(|position| position > Seq(head)) {
                return Err(Unlisted::Ahead);
            }
            if let Some(position) = self.positions.of(conversation)
                && position < Seq(head)
                && self.service.planted().is(Bug::StreamResumesLate)
            {
                self.positions.move_to(conversation, position.next());
            }
            self.joined(conversation, Seq(head));
        }
        if unavailable.is_empty() && !self.positions.is_whole() {
            self.positions.is_complete();
        }
        Ok(())
    }

    /// A conversation of the cursor that is not in the user's list: the user has left it, or the
    /// list does not have it yet.
    async fn look_for(&mut self, conversation: ConversationId) -> Result<(), Unlisted> {
        let seq = self.positions.of(conversation).unwrap_or_default();
        match ask(&self.service, &self.caller, &self.payer, self.fetch(conversation, seq, 1)).await {
            Ok(page) => self.joined(conversation, Seq(page.head)),
            Err(refusal) if refusal.is_ahead() => return Err(Unlisted::Ahead),
            Err(Refusal::Rejected { .. }) => self.out.add(told::CONVERSATION, &told::left(conversation), None),
            // Its pushes will tell.
            Err(_) => {}
        }
        Ok(())
    }
}

//! The list of conversations and pages of their history, for a screen that has room for them.

use std::collections::BTreeMap;

use anyhow::Result;
use troupe_core::text::clean_name;
use troupe_core::{ConversationId, Event, EventKind, Seq, UserId};

use super::commands::shown;
use super::{ChatSession, Work};
use crate::chat::screen::{Listed, Said, Screen, What};
use crate::client::Client;
use crate::msg::group_label;
use crate::requests::ConversationInfo;

/// Events of a page: a screenful of a large terminal.
const PAGE: usize = 100;

impl<S: Screen> ChatSession<S> {
    /// Makes this the current conversation, and shows its newest events.
    pub(super) fn open(&mut self, conversation: Option<ConversationId>) {
        self.current = conversation;
        let label = conversation.map_or_else(|| "no conversation".to_owned(), |current| self.label(current));
        self.screen.opened(conversation, &label);
        if let Some(conversation) = conversation {
            self.fetch_page(conversation, Seq::ZERO);
        }
    }

    /// Zero: the newest.
    pub(super) fn fetch_page(&mut self, conversation: ConversationId, before: Seq) {
        if self.screen.has_overview() {
            let client = self.client.clone();
            self.work(async move { Work::Page(conversation, page(client, conversation, before).await) });
        }
    }

    pub(super) fn fetch_overview(&mut self) {
        if self.screen.has_overview() {
            let client = self.client.clone();
            self.work(async move { Work::Overview(overview(client).await) });
        }
    }

    pub(super) async fn paged(
        &mut self,
        conversation: ConversationId,
        answer: Result<(Vec<Said>, bool)>,
    ) -> Result<()> {
        match answer {
            Ok((page, more)) => {
                let newest = page.last().map(|said| said.seq);
                self.screen.page(conversation, page, more);
                if let Some(seq) = newest.filter(|_| self.screen.shows(conversation)) {
                    self.has_shown(conversation, seq);
                }
            }
            Err(error) => self.screen.notice(&format!("no history of {}: {error:#}", self.label(conversation))).await?,
        }
        Ok(())
    }

    pub(super) async fn listed(&mut self, answer: Result<Vec<Listed>>) -> Result<()> {
        match answer {
            Ok(conversations) => {
                for listed in &conversations {
                    self.titles.insert(listed.conversation, listed.label.clone());
                }
                self.screen.overview(conversations);
            }
            Err(error) => self.screen.notice(&format!("no list of conversations: {error:#}")).await?,
        }
        Ok(())
    }
}

async fn overview(client: Client) -> Result<Vec<Listed>> {
    let list = client.conversations().await?;
    let line = |info: &ConversationInfo| Listed {
        conversation: info.conversation,
        label: match info.conversation {
            ConversationId::Group(_) => group_label(&info.name, info.conversation),
            ConversationId::Direct { .. } => format!("@{}", clean_name(&info.name)),
            ConversationId::Everyone => "everyone".to_owned(),
        },
        unread: info.unread,
        read: info.read,
        time: info.time,
    };
    Ok(list.conversations.iter().map(line).collect())
}

async fn page(client: Client, conversation: ConversationId, before: Seq) -> Result<(Vec<Said>, bool)> {
    let page = client.history_before(conversation, before, PAGE).await?;
    let mut ids: Vec<UserId> = page.events.iter().map(|event| event.sender).collect();
    ids.sort();
    ids.dedup();
    let users = client.get_users(&ids, &[]).await?;
    let names: BTreeMap<UserId, String> = users.into_iter().map(|user| (user.user, user.name)).collect();
    let me = client.user();
    let line = |event: &Event| {
        let who = names.get(&event.sender).cloned().unwrap_or_else(|| format!("user {}", event.sender));
        let reactions = page.reactions.get(&event.seq).map_or_else(String::new, |of| shown(of));
        Said { reactions, ..said(event, who, me) }
    };
    Ok((page.events.iter().map(line).collect(), page.more))
}

pub(super) fn said(event: &Event, who: String, me: Option<UserId>) -> Said {
    let what = match &event.kind {
        EventKind::Message(body) => What::Message(match body.as_text() {
            Some(text) => text.to_owned(),
            None => event.kind.words(),
        }),
        kind => What::Fact(kind.words()),
    };
    Said { seq: event.seq, time: event.time, who, mine: Some(event.sender) == me, what, reactions: String::new() }
}

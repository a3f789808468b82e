//! The list of conversations and pages of their history, for a screen that has room for them.

use std::collections::BTreeMap;

use anyhow::Result;
use troupe_core::text::clean_name;
use troupe_core::{ConversationId, Event, Seq, UserId};

use super::{ChatSession, NAMES, Work};
use crate::chat::said::Said;
use crate::chat::screen::{Listed, Screen};
use crate::client::Client;
use crate::msg::group_label;
use crate::requests::ConversationInfo;

/// Events of a page: a screenful of a large terminal.
const PAGE: usize = 100;

pub(in crate::chat) struct Page {
    said: Vec<Said>,
    /// There are events before it.
    more: bool,
    /// Of the senders.
    names: BTreeMap<UserId, String>,
}

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

    pub(super) async fn paged(&mut self, conversation: ConversationId, answer: Result<Page>) -> Result<()> {
        match answer {
            Ok(Page { said, more, names }) => {
                let newest = said.last().map(|said| said.seq);
                self.screen.page(conversation, said, more);
                let room = NAMES.saturating_sub(self.names.len());
                self.names.extend(names.into_iter().take(room));
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
        mentions: u64::from(info.mentions),
        read: info.read,
        time: info.time,
    };
    Ok(list.conversations.iter().map(line).collect())
}

async fn page(client: Client, conversation: ConversationId, before: Seq) -> Result<Page> {
    let page = client.history_before(conversation, before, PAGE).await?;
    let mut ids: Vec<UserId> = page.events.iter().map(|event| event.sender).collect();
    ids.sort();
    ids.dedup();
    let users = client.get_users(&ids, &[]).await?;
    let names: BTreeMap<UserId, String> = users.into_iter().map(|user| (user.user, user.name)).collect();
    let me = client.user();
    let line = |event: &Event| {
        let who = names.get(&event.sender).cloned().unwrap_or_else(|| format!("user {}", event.sender));
        Said::on_page(event, &page, who, me)
    };
    Ok(Page { said: page.events.iter().map(line).collect(), more: page.more, names })
}

//! Resolution of typed addresses.

use anyhow::{Context, Result, bail};
use troupe_core::text::clean_name;
use troupe_core::{ConversationId, Seq, UserId, same_name};

use crate::client::Client;
use crate::requests::ConversationInfo;

/// A conversation and its label on this screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamedConversation {
    pub conversation: ConversationId,
    pub label: String,
}

/// The label of a group. It never looks like a user, and always includes the id.
pub(crate) fn group_label(title: &str, conversation: ConversationId) -> String {
    format!("#{} {conversation}", clean_name(title))
}

/// Resolves a conversation id, a user name or id (direct conversation), or `#title` of an own group
/// with a unique title.
///
/// A title without `#` never resolves, because a group may be called like a user.
pub(crate) async fn resolve(client: &Client, to: &str) -> Result<NamedConversation> {
    let me = client.user().context("not logged in")?;
    if let Ok(conversation) = to.parse() {
        return by_id(client, conversation, me).await;
    }
    if let Some(title) = to.strip_prefix('#') {
        let list = client.conversations().await?;
        return by_title(&list.conversations, title);
    }
    let users = match to.parse::<u64>() {
        Ok(id) => client.get_users(&[UserId(id)], &[]).await?,
        Err(_) => client.get_users(&[], &[to.to_owned()]).await?,
    };
    let Some(other) = users.first() else { bail!("there is no user {to}; a group is written #title or g<id>") };
    let conversation = ConversationId::direct(me, other.user).context("this is yourself")?;
    Ok(NamedConversation { conversation, label: format!("@{}", clean_name(&other.name)) })
}

async fn by_id(client: &Client, conversation: ConversationId, me: UserId) -> Result<NamedConversation> {
    let label = match conversation {
        ConversationId::Everyone => "everyone".to_owned(),
        ConversationId::Direct { .. } => {
            let peer = conversation.peer_of(me).with_context(|| format!("{conversation} is between other users"))?;
            let users = client.get_users(&[peer], &[]).await?;
            format!("@{}", users.first().map_or_else(|| peer.to_string(), |user| clean_name(&user.name)))
        }
        // Only a member gets an answer.
        ConversationId::Group(_) => {
            client.history_before(conversation, Seq::ZERO, 1).await?;
            let list = client.conversations().await?;
            let line = list.conversations.iter().find(|line| line.conversation == conversation);
            line.map_or_else(|| conversation.to_string(), |line| group_label(&line.name, conversation))
        }
    };
    Ok(NamedConversation { conversation, label })
}

/// Titles that look alike count as equal.
fn by_title(list: &[ConversationInfo], title: &str) -> Result<NamedConversation> {
    let is_group = |line: &&ConversationInfo| matches!(line.conversation, ConversationId::Group(_));
    let found: Vec<&ConversationInfo> =
        list.iter().filter(is_group).filter(|line| same_name(&line.name, title)).collect();
    match found[..] {
        [] => bail!("you are in no group #{title}; :groups lists yours"),
        [line] => {
            Ok(NamedConversation { conversation: line.conversation, label: group_label(&line.name, line.conversation) })
        }
        _ => {
            let ids: Vec<String> = found.iter().map(|line| line.conversation.to_string()).collect();
            bail!("several groups are called #{title}: say which by its id ({})", ids.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use troupe_core::{GroupId, Timestamp};

    use super::*;

    fn line(conversation: ConversationId, name: &str) -> ConversationInfo {
        ConversationInfo {
            conversation,
            name: name.into(),
            head: Seq(1),
            time: Timestamp(1),
            delivered: Seq(0),
            read: Seq(0),
            unread: 0,
            members: 2,
            role: None,
            open: false,
            personal: Default::default(),
            mentions: 0,
        }
    }

    #[test]
    fn a_title_means_a_group_only_if_it_is_the_only_one() {
        let group = |id| ConversationId::Group(GroupId(id));
        let direct = ConversationId::Direct { low: UserId(1), high: UserId(2) };
        let list = [line(direct, "team"), line(group(7), "Team"), line(group(8), "bob"), line(group(9), "ｂｏｂ")];
        let place = by_title(&list, "team").expect("one group");
        assert_eq!((place.conversation, place.label.as_str()), (group(7), "#Team g7"));
        let error = by_title(&list, "bob").expect_err("two look alike").to_string();
        assert!(error.contains("g8, g9"), "{error}");
        assert!(by_title(&list, "nothing").is_err());
    }
}

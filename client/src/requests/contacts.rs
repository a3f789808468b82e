//! Contacts of this user, and users that it blocks.

use bytes::Bytes;
use troupe_core::command::ContactAct;
use troupe_core::record::Relation;
use troupe_core::{ClientMessageId, Timestamp, UserId, limits};
use troupe_proto::client;
use troupe_proto::wire::client as wire;

use crate::client::Client;
use crate::connection::{Message, Request, unexpected};
use crate::error::Result;

/// The relation of this user to another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactInfo {
    pub user: UserId,
    pub relation: Relation,
    /// Of an open request.
    pub text: String,
    /// This user's own name for the other one.
    pub remark: String,
    pub since: Timestamp,
    /// Of its last change: a push with a lower one is late.
    pub version: u64,
    /// This user blocks the other one.
    pub blocked: bool,
}

impl From<wire::Contact> for ContactInfo {
    fn from(contact: wire::Contact) -> ContactInfo {
        let relation = match contact.state() {
            wire::ContactState::Unspecified => Relation::None,
            wire::ContactState::Requested => Relation::Requested,
            wire::ContactState::Received => Relation::Received,
            wire::ContactState::Mutual => Relation::Mutual,
        };
        let wire::Contact { user_id, text, remark, since_ms, version, blocked, .. } = contact;
        ContactInfo { user: UserId(user_id), relation, text, remark, since: Timestamp(since_ms), version, blocked }
    }
}

impl Client {
    /// All contacts and open requests, in order of the ids of their users, and the version of the
    /// list.
    pub async fn contacts(&self) -> Result<(Vec<ContactInfo>, u64)> {
        self.list_contacts(0).await
    }

    /// The changes after a version, also of relations that have ended, and the present version.
    pub async fn contacts_since(&self, version: u64) -> Result<(Vec<ContactInfo>, u64)> {
        match version {
            0 => self.contacts().await,
            version => self.list_contacts(version).await,
        }
    }

    async fn list_contacts(&self, mut since: u64) -> Result<(Vec<ContactInfo>, u64)> {
        let (mut contacts, mut after) = (Vec::new(), 0);
        loop {
            let list = wire::ListContacts { after, limit: limits::PAGE_CONTACTS as u32, since };
            let page = match self.call(Request::ListContacts(list)).await? {
                Message::Contacts(page) => page,
                other => return Err(unexpected(&other)),
            };
            contacts.extend(page.contacts.into_iter().map(ContactInfo::from));
            let place = if since == 0 { &mut after } else { &mut since };
            if page.next <= *place {
                return Ok((contacts, page.version));
            }
            *place = page.next;
        }
    }

    pub async fn contact(&self, user: UserId) -> Result<ContactInfo> {
        match self.call(Request::ShowContact(wire::ShowContact { user_id: user.0 })).await? {
            Message::Contact(contact) => Ok(contact.into()),
            other => Err(unexpected(&other)),
        }
    }

    /// Asks, answers, ends, names or blocks, once.
    pub async fn change_contact(&self, user: UserId, act: ContactAct) -> Result<()> {
        self.change_contact_as(ClientMessageId(self.shared.context.rng.bytes()), user, act).await
    }

    pub async fn change_contact_as(&self, request: ClientMessageId, user: UserId, act: ContactAct) -> Result<()> {
        let (request, change) = (Bytes::copy_from_slice(&request.0), Some(client::contact_change(act)));
        self.done(Request::ChangeContact(wire::ChangeContact { request, user_id: user.0, change })).await
    }

    /// The users that this one blocks, in order of their ids, each with the time of the block.
    pub async fn blocks(&self) -> Result<Vec<(UserId, Timestamp)>> {
        let (mut blocks, mut after) = (Vec::new(), 0);
        loop {
            let list = wire::ListBlocks { after, limit: limits::PAGE_CONTACTS as u32 };
            let page = match self.call(Request::ListBlocks(list)).await? {
                Message::Blocks(page) => page,
                other => return Err(unexpected(&other)),
            };
            let last = page.blocks.last().map(|block| block.user_id);
            blocks.extend(page.blocks.into_iter().map(|block| (UserId(block.user_id), Timestamp(block.since_ms))));
            match last {
                Some(last) if page.more && last > after => after = last,
                _ => return Ok(blocks),
            }
        }
    }
}

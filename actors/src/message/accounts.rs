//! What administrators read of one shard, and its form between nodes.

use mesh::account_query::What;
use mesh::user_key::Key;
use troupe_core::record::{AuditKey, InviteId};
use troupe_core::{NameKey, Slot, Timestamp, UserId};
use troupe_proto::wire::mesh;

use super::encoding::Garbled;
use super::{UserKey, wire};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    pub what: Wanted,
    pub limit: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Accounts behind this one, in order of slot and id.
    List(Option<UserId>),
    Show(UserKey),
    /// Invitations behind this one, in order of slot and id.
    Invites(Option<InviteId>),
    /// Acts behind this place, in order of time.
    Audit(AuditKey),
}

impl From<&Query> for mesh::AccountQuery {
    fn from(query: &Query) -> Self {
        let what = match &query.what {
            Wanted::List(after) => What::ListAfter(after.map_or(0, |user| user.0)),
            Wanted::Show(key) => What::Show(mesh::UserKey {
                key: Some(match key {
                    UserKey::Name(name) => Key::Name(name.as_str().to_owned()),
                    UserKey::Id(id) => Key::Id(id.0),
                }),
            }),
            Wanted::Invites(after) => What::Invites(mesh::AfterInvite { id: after.map(|id| id.0) }),
            Wanted::Audit(after) => What::AuditAfter(place_out(*after)),
        };
        mesh::AccountQuery { what: Some(what), limit: query.limit as u32 }
    }
}

impl TryFrom<mesh::AccountQuery> for Query {
    type Error = Garbled;

    fn try_from(query: mesh::AccountQuery) -> Result<Self, Garbled> {
        let what = match query.what.ok_or(Garbled("account query"))? {
            What::ListAfter(after) => Wanted::List(Some(UserId(after)).filter(|user| user.0 != 0)),
            What::Show(key) => Wanted::Show(match key.key.ok_or(Garbled("user key"))? {
                Key::Name(name) => UserKey::Name(NameKey::kept(&name)),
                Key::Id(id) => UserKey::Id(UserId(id)),
            }),
            What::Invites(after) => Wanted::Invites(after.id.map(InviteId)),
            What::AuditAfter(place) => Wanted::Audit(place_in(&place)),
        };
        Ok(Query { what, limit: query.limit as usize })
    }
}

pub fn place_out(key: AuditKey) -> wire::AuditPlace {
    wire::AuditPlace { time_ms: key.time.0, slot: key.slot.0.into(), number: key.number }
}

/// A slot that is none stands behind all slots.
pub fn place_in(place: &wire::AuditPlace) -> AuditKey {
    AuditKey {
        slot: Slot(u16::try_from(place.slot).unwrap_or(u16::MAX)),
        time: Timestamp(place.time_ms),
        number: place.number,
    }
}

//! `check_file_link`: whether a signed link to a file is one that a session of the caller has made.
//!
//! The key of a signature is the hash of the session's token, which only the session's row and its
//! holder have. So every node can check a link, nothing is stored for it, and it ends with the
//! session, at the latest after its own time.

use bytes::Bytes;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use troupe_core::machine::session::has_expired;
use troupe_core::record::{self, AccountRole, Status};
use troupe_core::{ConversationId, DeviceId, FileHash, Timestamp, TokenHash, UserId};
use troupe_proto::client;
use troupe_store::rows::View;

use super::cost::{Cost, READ};
use super::resume::bot_of;
use super::verify::Known;
use super::{Answered, AtLeader, Found, Leader, Operation, Plan};
use crate::address::Address;
use crate::message::{Refusal, Session, wire};
use crate::service::{Caller, Service};
use crate::shard::touch::{self, Rest};

/// The account and the session.
const ROWS: usize = 2;
const BLOCK: usize = 64;

/// A link to a file, by one session of a user.
#[derive(Clone, Debug)]
pub struct FileLink {
    pub conversation: ConversationId,
    pub file: FileHash,
    pub user: UserId,
    pub device: DeviceId,
    pub expires: Timestamp,
}

impl FileLink {
    /// HMAC-SHA256 (RFC 2104) over the parts of the link.
    pub fn signature(&self, session: &TokenHash) -> [u8; 32] {
        let FileLink { conversation, file, user, device, expires } = self;
        let signed = format!("troupe file link\n{conversation}\n{file}\n{user}\n{device}\n{expires}");
        let pad = |with: u8| {
            let mut block = [with; BLOCK];
            block.iter_mut().zip(session.0).for_each(|(byte, key)| *byte ^= key);
            block
        };
        let inner = Sha256::new().chain_update(pad(0x36)).chain_update(signed).finalize();
        Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize().into()
    }
}

impl Operation for wire::CheckFileLink {
    fn cost(&self) -> Cost {
        Cost::Units(READ)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        service.ask_leader(caller.user().slot(), caller.user(), self).await
    }
}

impl AtLeader for wire::CheckFileLink {
    fn plan(self, user: UserId, leader: &Leader<'_>) -> Result<Plan<wire::Done>, Refusal> {
        let link = FileLink {
            conversation: client::conversation("check_file_link.conversation", &self.conversation)?,
            file: client::file_hash("check_file_link.hash", &self.hash)?,
            user,
            device: client::device("check_file_link.device", &self.device)?,
            expires: Timestamp(self.expires_ms),
        };
        let (rest, signature) = (touch::rest(leader.context), self.signature);
        Ok(Plan::read(user, ROWS, move |view| checked(view, &link, &signature, rest)))
    }
}

/// Verifies a link at any node. Its maker is the caller of what follows.
pub(crate) async fn follow(
    service: &Service,
    address: Address,
    link: FileLink,
    signature: &[u8],
) -> Result<Known, Refusal> {
    let FileLink { conversation, file, user, device, expires } = link;
    let check = wire::CheckFileLink {
        conversation: conversation.to_string(),
        hash: Bytes::copy_from_slice(&file.0),
        device: device.to_string(),
        expires_ms: expires.0,
        signature: Bytes::copy_from_slice(signature),
    };
    let wire::Done {} = service.ask_leader(user.slot(), user, check).await.map_err(Refusal::of_lookup)?;
    // No session has this token, so this caller continues none.
    let session = Session { user, device, token: TokenHash([0; 32]), node: service.context.me() };
    Ok(Known { caller: Caller::verified(session, address), name: String::new(), role: AccountRole::User })
}

/// A wrong link, one that is over, and one of a session that has ended have the same answer.
fn checked(view: &View, link: &FileLink, signature: &[u8], rest: Rest) -> Found<wire::Done> {
    let user = view.user(link.user)?.filter(|user| user.standing.status == Status::Active);
    let is_bot = bot_of(view, link.user)?.is_some();
    let rests = |held: &record::Session| is_bot || !has_expired(held, rest.now, rest.idle_ms);
    let held = view.session(link.user, &link.device)?.filter(rests);
    let good = match (user, held) {
        (Some(_), Some(held)) => {
            rest.now < link.expires.0 && bool::from(link.signature(&held.token).as_slice().ct_eq(signature))
        }
        _ => false,
    };
    Ok(if good { Ok(wire::Done {}) } else { Err(client::Refusal::BadFileLink.into()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_covers_every_part_of_its_link() {
        let link = FileLink {
            conversation: ConversationId::Everyone,
            file: FileHash([1; 32]),
            user: UserId(1_029),
            device: DeviceId::new("phone").expect("a device"),
            expires: Timestamp(1_000),
        };
        let key = TokenHash([7; 32]);
        let other = [
            FileLink { file: FileHash([2; 32]), ..link.clone() },
            FileLink { user: UserId(1_030), ..link.clone() },
            FileLink { expires: Timestamp(1_001), ..link.clone() },
            FileLink { device: DeviceId::new("laptop").expect("a device"), ..link.clone() },
        ];
        for other in other {
            assert_ne!(other.signature(&key), link.signature(&key), "{other:?}");
        }
        assert_ne!(link.signature(&TokenHash([8; 32])), link.signature(&key));
    }
}

//! `revoke_session`: ends the session of one of the user's devices.

use troupe_core::command::CloseSession;
use troupe_core::{Command, DeviceId, TokenHash, UserId};
use troupe_proto::client;

use super::cost::{CHANGE, Cost};
use super::{Answered, Operation};
use crate::message::{Refusal, wire};
use crate::service::{Caller, Service};

impl Operation for wire::RevokeSession {
    fn cost(&self) -> Cost {
        Cost::Units(CHANGE)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let device = client::device("revoke_session.device", &self.device)?;
        close(&service, caller.user(), device, None).await
    }
}

/// With a token: only if the device's session is still that one.
pub async fn close(
    service: &Service,
    user: UserId,
    device: DeviceId,
    token: Option<TokenHash>,
) -> Result<wire::Done, Refusal> {
    service.commit_done(Command::CloseSession(CloseSession { user, device, token })).await
}

//! `logout`: ends the session of the caller. The connection ends with the answer.

use super::cost::Cost;
use super::revoke_session::close;
use super::{Answered, Operation};
use crate::message::wire;
use crate::service::{Caller, Service};

impl Operation for wire::Logout {
    fn cost(&self) -> Cost {
        Cost::Entry
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let session = &caller.session;
        close(&service, session.user, session.device.clone(), Some(session.token)).await
    }
}

//! `show_profile`: the caller's own profile, with the version that its devices compare.

use troupe_core::UserId;
use troupe_core::record::Profile;

use super::cost::{Cost, READ};
use super::{Answered, AtLeader, Leader, Operation, Plan};
use crate::message::{Refusal, wire};
use crate::service::{Caller, Service};

impl Operation for wire::ShowProfile {
    fn cost(&self) -> Cost {
        Cost::Units(READ)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let user = caller.user();
        service.ask_leader(user.slot(), user, self).await
    }
}

impl AtLeader for wire::ShowProfile {
    fn plan(self, user: UserId, _: &Leader<'_>) -> Result<Plan<wire::OwnProfile>, Refusal> {
        Ok(Plan::read(user, 1, move |view| Ok(Ok(view.get::<Profile>(&user)?.unwrap_or_default().into()))))
    }
}

//! The list of all problems.

use axum::http::StatusCode;
use troupe_actors::message::{Refusal, wire};
use troupe_actors::ops::list_readers;
use troupe_core::machine::{bot, contact, favourite, file, personal, preview, push, report, room};
use troupe_core::{Intent, Rejection as R, signal};
use troupe_proto::client::{Limit, Refusal as C};

use super::{
    METHOD_NOT_ALLOWED, Problem, bad_tus_version, follows_itself, name_is_final, no_session, no_such_path_now,
    not_json, reused,
};
use crate::events::cursor::Unfit;

/// All problems that this version answers, for the description of the API.
pub fn known() -> Vec<Problem> {
    let rejections = [
        R::NameTaken,
        R::NoSuchUser,
        R::NotMember,
        R::NotAllowed,
        R::NotOpen,
        R::GroupFull,
        R::LastOwner,
        R::AlreadyMember,
        R::NoSuchMember,
        R::NoSuchInvitation,
        R::TooLarge,
        R::TooMany,
        R::BadName,
        R::BadRequest("the request is not what the description of the API allows: the detail says where"),
        R::OutOfOrder,
        R::AccountDisabled,
        R::PasswordChangeRequired,
        R::AccountChanged,
        R::OwnAccount,
        R::BadInvite,
        R::LeaveInstead,
        R::NotAGroup,
        R::InviteExists,
        R::RequestReused,
    ];
    let connections = [
        C::WrongCredentials,
        C::ExpiredToken,
        C::AlreadyOnline,
        C::BadPassword,
        C::SeqBeyondHead,
        C::NotAdmin,
        C::ReadOnlyRole,
        C::SamePassword,
        C::RegistrationClosed,
        C::InviteRequired,
        C::UpgradePending,
        C::BadFileLink,
    ];
    let others = [
        Refusal::Limited { limit: Limit::Rate, after_ms: 1_000 }.failure(),
        Refusal::Limited { limit: Limit::Quota, after_ms: 60_000 }.failure(),
        Refusal::OVERLOADED.failure(),
        Refusal::StorageLow.failure(),
        Refusal::NotOwner { hint: None }.failure(),
        Refusal::Unavailable.failure(),
        wire::Failure::shutting_down(),
    ];
    let own = [
        no_session(),
        reused(),
        no_such_path_now(),
        Problem::new(
            StatusCode::METHOD_NOT_ALLOWED,
            METHOD_NOT_ALLOWED,
            "the header Allow names the methods of this path",
        ),
        not_json(),
        bad_tus_version(),
        name_is_final(),
        follows_itself(),
        Unfit::Damaged.into(),
        Unfit::Foreign.into(),
        Unfit::Ahead.into(),
    ];
    let of_people = [contact::REFUSALS, favourite::REFUSALS, personal::REFUSALS, report::REFUSALS].concat();
    let of_machine = [
        list_readers::REFUSALS,
        file::REFUSALS,
        room::REFUSALS,
        preview::REFUSALS,
        bot::REFUSALS,
        push::REFUSALS,
        &of_people,
    ]
    .concat();
    let of_features = Intent::refusals().chain(signal::REFUSALS).chain(of_machine).map(R::Of);
    let rejections = rejections.into_iter().chain(of_features).map(Problem::from);
    let of_protocol = rejections.chain(connections.into_iter().map(Problem::from));
    of_protocol.chain(others.into_iter().map(Problem::from)).chain(own).collect()
}

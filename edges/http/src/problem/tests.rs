use super::*;

#[test]
fn a_client_waits_in_whole_seconds_and_never_too_short() {
    let after = |ms| {
        let response = Problem::from(Refusal::Overloaded { after_ms: ms }).into_response();
        response.headers().get(header::RETRY_AFTER).and_then(|after| after.to_str().ok()?.parse::<u32>().ok())
    };
    assert_eq!((after(1), after(1_000), after(1_001)), (Some(1), Some(1), Some(2)));
}

#[test]
fn a_refusal_has_the_status_that_programs_expect() {
    use troupe_core::Rejection;
    use troupe_proto::client::{Limit, Refusal as Connection};
    for (refusal, status) in [
        (Refusal::from(Connection::ExpiredToken), 401),
        (Connection::NotAdmin.into(), 403),
        (Connection::ReadOnlyRole.into(), 403),
        (Rejection::NotMember.into(), 404),
        (Rejection::LastOwner.into(), 409),
        (Rejection::OutOfOrder.into(), 409),
        (Rejection::BadName.into(), 422),
        (Rejection::TooLarge.into(), 413),
        (Refusal::Limited { limit: Limit::Rate, after_ms: 1 }, 429),
        (Refusal::OVERLOADED, 503),
        (Refusal::StorageLow, 507),
        (Refusal::Unavailable, 504),
    ] {
        assert_eq!(Problem::from(refusal.clone()).0.status, status, "{refusal:?}");
    }
}

//! Web Push: the key of the cluster, and the subscriptions of the caller's browsers.

use axum::Json as Answer;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use troupe_actors::ops::cost::{CHANGE, READ};
use troupe_actors::ops::subscribe_push::Subscription;
use utoipa::{IntoParams, ToSchema};

use crate::asker::Asker;
use crate::json::Json;
use crate::problem::Problem;
use crate::query::Query;

#[derive(Serialize, ToSchema)]
pub struct PushService {
    /// The `applicationServerKey` of `PushManager.subscribe`, in base64url.
    public_key: String,
}

/// A subscription, as `PushSubscription.toJSON` of a browser gives it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSubscription {
    #[schema(max_length = 1024)]
    endpoint: String,
    keys: SubscriptionKeys,
    /// The cluster does not need it.
    #[serde(default, rename = "expirationTime")]
    #[schema(rename = "expirationTime")]
    _expires: Option<f64>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubscriptionKeys {
    /// 65 bytes in base64url.
    #[schema(max_length = 128)]
    p256dh: String,
    /// 16 bytes in base64url.
    #[schema(max_length = 128)]
    auth: String,
}

/// The key that browsers subscribe to pushes with. The operator has to set them up: `push_off`.
#[utoipa::path(get, path = "/v1/push", tag = "push", responses((status = 200, body = PushService)))]
pub async fn show(asker: Asker) -> Result<Answer<PushService>, Problem> {
    asker.pay(READ).await?;
    let key = asker.api().service.push_key().await;
    Ok(Answer(PushService { public_key: key.map_err(|refusal| asker.refused(refusal))? }))
}

/// Sends pushes to a browser until the session ends.
///
/// A push tells of a message that comes while no device of the user is connected, in a conversation
/// that the user has not muted. It is a hint, and may be lost.
#[utoipa::path(post, path = "/v1/push/subscriptions", tag = "push", request_body = NewSubscription,
    responses((status = 204, description = "Pushes go there; another subscription with this endpoint has ended")))]
pub async fn subscribe(asker: Asker, Json(new): Json<NewSubscription>) -> Result<StatusCode, Problem> {
    asker.pay(CHANGE * 2).await?;
    let NewSubscription { endpoint, keys: SubscriptionKeys { p256dh, auth }, .. } = new;
    let new = Subscription { endpoint, p256dh, auth };
    let done = asker.api().service.subscribe(&asker.known.caller, new).await;
    done.map_err(|refusal| asker.refused(refusal))?;
    Ok(StatusCode::NO_CONTENT)
}

/// Of the URL of a subscription.
const ENDPOINT_BYTES: usize = troupe_core::limits::PUSH_ENDPOINT_BYTES;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EndQuery {
    /// Of the subscription.
    #[param(max_length = 1024)]
    endpoint: String,
}

/// Ends a subscription of the caller. One that is not there is over.
#[utoipa::path(delete, path = "/v1/push/subscriptions", tag = "push", params(EndQuery),
    responses((status = 204, description = "No push goes there any more")))]
pub async fn unsubscribe(asker: Asker, Query(query): Query<EndQuery>) -> Result<StatusCode, Problem> {
    if query.endpoint.len() > ENDPOINT_BYTES {
        return Err(Problem::bad_request("endpoint: it has at most 1024 bytes"));
    }
    asker.pay(CHANGE).await?;
    let done = asker.api().service.unsubscribe(&asker.known.caller, query.endpoint).await;
    done.map_err(|refusal| asker.refused(refusal))?;
    Ok(StatusCode::NO_CONTENT)
}

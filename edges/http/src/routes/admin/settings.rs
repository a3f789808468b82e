//! Settings of the cluster.

use axum::Json as Body;
use serde::{Deserialize, Serialize};
use troupe_actors::message::wire;
use utoipa::ToSchema;
use wire::admin::Operation;
use wire::admin_answer::Answer;

use super::{ask, order, other};
use crate::asker::Asker;
use crate::json::Json;
use crate::key::Key;
use crate::problem::Problem;
use crate::query::seq;

#[derive(Serialize, ToSchema)]
pub struct Settings {
    /// Registration is `open`, by `invite`, or `closed`.
    registration: String,
    /// A session ends that is not used for longer. 0: never.
    session_idle_seconds: u64,
    /// Whether strangers `invite` users to groups, or `add` them.
    strangers: String,
    /// Its sender may recall a message for this time. Admins of groups may later.
    recall_seconds: u64,
    /// The files of one user may take so many bytes over all conversations.
    file_bytes: u64,
}

impl From<wire::Settings> for Settings {
    fn from(settings: wire::Settings) -> Settings {
        let wire::Settings { registration, session_idle_seconds, strangers, recall_seconds, file_bytes } = settings;
        Settings { registration, session_idle_seconds, strangers, recall_seconds, file_bytes }
    }
}

/// The settings of the cluster.
#[utoipa::path(get, path = "/v1/admin/settings", tag = "administration", responses((status = 200, body = Settings)))]
pub async fn show(asker: Asker) -> Result<Body<Settings>, Problem> {
    match ask(&asker, Operation::ShowSettings(wire::Done {})).await? {
        Answer::Settings(settings) => Ok(Body(settings.into())),
        _ => Err(other(&asker)),
    }
}

#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Registration {
    Open,
    Invite,
    Closed,
}

#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Strangers {
    Invite,
    Add,
}

/// Absent settings stay as they are.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeSettings {
    registration: Option<Registration>,
    #[schema(minimum = 0, maximum = 9007199254740991u64)]
    session_idle_seconds: Option<u64>,
    strangers: Option<Strangers>,
    #[schema(minimum = 0, maximum = 9007199254740991u64)]
    recall_seconds: Option<u64>,
    #[schema(minimum = 0, maximum = 9007199254740991u64)]
    file_bytes: Option<u64>,
}

/// Changes the settings that the body names. Other nodes follow within a moment.
#[utoipa::path(patch, path = "/v1/admin/settings", tag = "administration", request_body = ChangeSettings,
    params(("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    responses((status = 200, body = Settings)))]
pub async fn change(asker: Asker, key: Key, Json(change): Json<ChangeSettings>) -> Result<Body<Settings>, Problem> {
    let registration = change.registration.map(|registration| match registration {
        Registration::Open => "open".to_owned(),
        Registration::Invite => "invite".to_owned(),
        Registration::Closed => "closed".to_owned(),
    });
    let strangers = change.strangers.map(|strangers| match strangers {
        Strangers::Invite => "invite".to_owned(),
        Strangers::Add => "add".to_owned(),
    });
    let session_idle_seconds =
        change.session_idle_seconds.map(|seconds| seq("session_idle_seconds", seconds)).transpose()?;
    let recall_seconds = change.recall_seconds.map(|seconds| seq("recall_seconds", seconds)).transpose()?;
    let file_bytes = change.file_bytes.map(|bytes| seq("file_bytes", bytes)).transpose()?;
    let change = wire::ChangeSettings { registration, session_idle_seconds, strangers, recall_seconds, file_bytes };
    match order(&asker, key, Operation::ChangeSettings(change)).await? {
        Answer::Settings(settings) => Ok(Body(settings.into())),
        _ => Err(other(&asker)),
    }
}

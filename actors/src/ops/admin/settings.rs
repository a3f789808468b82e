//! The settings of the cluster.

use troupe_core::record::Author;
use troupe_core::{ClientMessageId, Rejection};
use troupe_proto::client;
use troupe_raft::api::{ChangeSettings, Registration, Settings, Strangers};
use troupe_raft::cluster::operate::OrderError;

use super::Told;
use super::audit::record;
use crate::message::{Refusal, wire};
use crate::service::Service;

pub(super) fn show(service: &Service) -> Told {
    let settings = service.context.router.routing().settings.clone();
    Told::Settings(shown(&settings))
}

fn shown(settings: &Settings) -> wire::Settings {
    wire::Settings {
        registration: settings.registration.as_str().to_owned(),
        session_idle_seconds: settings.session_idle,
        strangers: settings.strangers.as_str().to_owned(),
        recall_seconds: settings.recall_seconds,
        file_bytes: settings.file_bytes,
    }
}

/// The value of a setting, if another one is wanted.
fn named<T>(word: Option<&str>, named: fn(&str) -> Option<T>, wants: &'static str) -> Result<Option<T>, Rejection> {
    word.map(|word| named(word).ok_or(Rejection::BadRequest(wants))).transpose()
}

pub(super) async fn change(
    service: &Service,
    by: Author,
    request: ClientMessageId,
    wanted: wire::ChangeSettings,
) -> Result<Told, Refusal> {
    let registration =
        named(wanted.registration.as_deref(), Registration::named, "registration is open, invite or closed")?;
    let strangers = named(wanted.strangers.as_deref(), Strangers::named, "strangers is invite or add")?;
    let (session_idle, recall_seconds) = (wanted.session_idle_seconds, wanted.recall_seconds);
    let file_bytes = wanted.file_bytes;
    let change = ChangeSettings { registration, session_idle, strangers, recall_seconds, file_bytes };
    let said = [
        change.registration.map(|registration| format!("registration {}", registration.as_str())),
        change.session_idle.map(|seconds| format!("session_idle {seconds}")),
        change.strangers.map(|strangers| format!("strangers {}", strangers.as_str())),
        change.recall_seconds.map(|seconds| format!("recall {seconds}")),
        change.file_bytes.map(|bytes| format!("file_bytes {bytes}")),
    ];
    let detail = said.into_iter().flatten().collect::<Vec<_>>().join(", ");
    record(service, by, request, "cluster.settings", "cluster", &detail).await?;
    service.context.cluster.change_settings(change).await.map_err(|error| match error {
        OrderError::Unavailable => Refusal::Unavailable,
        OrderError::UpgradePending(_) => client::Refusal::UpgradePending.into(),
        OrderError::Unknown(why) | OrderError::Refused(why) => {
            Refusal::Rejected { code: "bad_request".into(), text: why.into() }
        }
    })?;
    // As it is to be: this node hears of it in a moment.
    let mut settings = service.context.router.routing().settings.clone();
    settings.change(change);
    Ok(Told::Settings(shown(&settings)))
}

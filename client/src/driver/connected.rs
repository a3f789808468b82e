//! Life cycle of a connection: login, learned addresses, handling of failures, and the switch to
//! another node.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use troupe_core::UserId;
use troupe_proto::client::Refusal;
use troupe_proto::wire::client::{LoggedIn, Welcome};
use troupe_runtime::Platform;

use super::Driver;
use super::online::Online;
use crate::builder::Credentials;
use crate::client::State;
use crate::connection::{Connection, Pushes};
use crate::error::{Error, Result, UNTRUSTED};
use crate::store::{Record, Session};
use crate::trust::{self, Target, Trust};

impl Driver {
    pub(super) fn connected(
        &mut self,
        (connection, pushes, logged_in): (Connection, Pushes, LoggedIn),
    ) -> Result<(), State> {
        let me = UserId(logged_in.user_id);
        if let Some(owner) = self.shared.session.lock().as_ref().map(|session| session.user)
            && owner != me
        {
            let text = format!("this store belongs to user {owner}, not {me}");
            return Err(State::Kicked { code: "other_user".into(), text });
        }
        if !logged_in.token.is_empty() {
            self.token = Some(logged_in.token.clone());
        }
        let session = Session {
            user: me,
            name: logged_in.name,
            device: logged_in.device,
            token: self.token.clone().unwrap_or_default(),
        };
        let cluster = connection.welcome().cluster_id.clone();
        if self.cluster.as_ref() != Some(&cluster)
            && let Err(error) = self.shared.store.lock().append(&Record::Cluster(cluster.clone()))
        {
            let text = format!("cannot store the cluster id: {error}");
            return Err(State::Kicked { code: "store".into(), text });
        }
        self.cluster = Some(cluster);
        let known = self.shared.session.lock().replace(session.clone());
        if known.as_ref() != Some(&session)
            && let Err(error) = self.shared.store.lock().append(&Record::LoggedIn(session))
        {
            // The session works. Only a restart would have to log in again.
            tracing::error!(%error, "cannot store the session");
        }
        let told = self.followed(connection.address(), &connection.welcome().nodes);
        self.nodes.learn(&told);
        self.nodes.reached(Instant::now());
        self.retry_at = None;
        let (node, address) = (connection.welcome().node_id, connection.address().to_owned());
        let window = connection.welcome().send_window as usize;
        self.shared.sending.lock().outbox.connected(window, Instant::now());
        self.inbox.disconnected();
        let online = Online::new(connection, pushes, me);
        self.shared.connection.send_replace(Some(online.connection.clone()));
        self.online = Some(online);
        self.say(State::Online { node, address });
        Ok(())
    }

    /// Addresses of other nodes that a node reports, as far as the trust rules allow them.
    pub(super) fn followed(&self, from: &str, told: &[String]) -> Vec<String> {
        let followed = trust::followed(from, told, &*self.shared.context.net);
        if let Some(cluster) = &self.cluster
            && Target::of(from, &*self.shared.context.net).tls
        {
            self.trust.learn(cluster, &followed);
        }
        followed
    }

    pub(super) fn not_connected(&mut self, error: Error) -> Result<(), State> {
        let expired = error.code() == Some(Refusal::ExpiredToken.code());
        if expired && self.credentials.is_some() && self.token.take().is_some() {
            self.retry_at = Some(Instant::now());
            return Ok(());
        }
        match error {
            // A device with a session may be refused as online until the cluster forgets its lost
            // connection, so it retries. A device without one fails at once.
            Error::Rejected { code, text } if code != Refusal::AlreadyOnline.code() || !self.has_session() => {
                return Err(State::Kicked { code, text });
            }
            // The address given by the user must be trusted. An untrusted node among the learned
            // addresses is skipped.
            Error::Untrusted(text) if self.cluster.is_none() => {
                return Err(State::Kicked { code: UNTRUSTED.to_owned(), text });
            }
            error => {
                let at_least = match &error {
                    Error::Overloaded { retry_after, .. } => *retry_after,
                    _ => Duration::ZERO,
                };
                let backoff = self.nodes.backoff(&self.shared.context.rng).max(at_least);
                self.retry_at = Some(Instant::now() + backoff);
                if self.online.is_none() {
                    self.say(State::Offline { reason: error.to_string() });
                }
            }
        }
        Ok(())
    }

    fn has_session(&self) -> bool {
        self.shared.session.lock().as_ref().is_some_and(|session| !session.token.is_empty())
    }

    /// The connection is lost. The driver tries another node at once.
    pub(super) fn lost(&mut self, reason: String) {
        let Some(online) = self.online.take() else { return };
        self.shared.connection.send_replace(None);
        self.inbox.disconnected();
        if self.connecting.is_none() {
            let now = Instant::now();
            self.retry_at = Some(now + self.nodes.lost(online.connection.address(), now, &self.shared.context.rng));
        }
        self.say(State::Offline { reason });
    }
}

/// Whether a node belongs to this cluster, or to one that was restored from it.
fn is_of(welcome: &Welcome, cluster: &Bytes) -> bool {
    welcome.cluster_id == *cluster || welcome.continues.contains(cluster)
}

pub(super) async fn log_in(
    context: Platform,
    address: String,
    trust: Trust,
    token: Option<Bytes>,
    credentials: Option<Credentials>,
    device: String,
    cluster: Option<Bytes>,
) -> Result<(Connection, Pushes, LoggedIn)> {
    let (connection, pushes) = Connection::open_trusting(&*context.net, &address, &trust).await?;
    // A node of another cluster may have taken the address of a stopped one. It gets neither token
    // nor password.
    if cluster.is_some_and(|ours| !is_of(connection.welcome(), &ours)) {
        return Err(Error::Unavailable(format!("{address} belongs to another cluster than this device")));
    }
    let logged_in = match (token, credentials) {
        (Some(token), _) => connection.resume(token).await,
        (None, Some(who)) => connection.login(&who.name, &who.password, &device).await,
        (None, None) => Err(Error::rejected(Refusal::NotLoggedIn)),
    };
    Ok((connection, pushes, logged_in?))
}

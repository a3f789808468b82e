//! The first fatal storage error of this process. The process must end.

use std::io;
use std::sync::Arc;

use tokio::sync::watch;
use troupe_store::EngineError;

/// Shared, cheap to clone.
#[derive(Clone)]
pub struct Fatal(Arc<watch::Sender<Option<String>>>);

impl Fatal {
    #[allow(clippy::new_without_default, reason = "a node makes exactly one")]
    pub fn new() -> Fatal {
        Fatal(Arc::new(watch::Sender::new(None)))
    }

    pub fn set(&self, reason: impl ToString) {
        let reason = reason.to_string();
        self.0.send_if_modified(|held| {
            let first = held.is_none();
            if first {
                // The node stops before the reason is logged, because logging may fail.
                *held = Some(reason.clone());
                tracing::error!(%reason, "the node must stop");
            }
            first
        });
    }

    pub fn is_set(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Marks the node as failed and returns the error in openraft's terms.
    pub fn storage(&self, error: EngineError) -> io::Error {
        self.set(&error);
        io::Error::other(error)
    }

    /// Resolves when a fatal error is set.
    pub async fn wait(&self) -> String {
        let mut watch = self.0.subscribe();
        let reason = match watch.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone(),
            Err(_) => None,
        };
        match reason {
            Some(reason) => reason,
            None => std::future::pending().await,
        }
    }
}

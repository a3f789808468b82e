//! The condition for which a starting node waits, in words.
//!
//! The start writes it and `/readyz` reads it, because a node without an identity has nothing else
//! to show.

use std::sync::Arc;

use parking_lot::Mutex;

/// Shared, cheap to clone. The last text wins.
#[derive(Clone, Debug, Default)]
pub struct Waiting(Arc<Mutex<String>>);

impl Waiting {
    pub fn tell(&self, text: impl Into<String>) {
        *self.0.lock() = text.into();
    }

    pub fn text(&self) -> String {
        self.0.lock().clone()
    }
}

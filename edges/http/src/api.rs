//! The state of the handlers.

use std::ops::Deref;
use std::sync::Arc;

use troupe_actors::service::Service;

use crate::fair::Shares;
use crate::tokens::Tokens;

/// Shared, cheap to clone.
#[derive(Clone)]
pub struct Api(Arc<Shared>);

pub struct Shared {
    pub service: Service,
    pub(crate) tokens: Tokens,
    pub(crate) shares: Shares,
    /// Of the faults of a demo.
    pub(crate) control: Option<String>,
}

impl Api {
    pub fn new(service: Service, control: Option<String>) -> Api {
        Api(Arc::new(Shared { service, tokens: Tokens::default(), shares: Shares::default(), control }))
    }
}

impl Deref for Api {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

//! State that the listening and the dialing half of the port share.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use tokio::sync::{mpsc, watch};
use troupe_core::NodeId;
use troupe_runtime::{Net, Platform, Rng, Stream};

use super::address_book::AddressBook;
use super::keys::{Keys, Security};
use super::log_limiters::LogLimiters;
use super::stream::AcceptedPeers;
use crate::api::{MemberRegistry, StartError};
use crate::transport::fingerprint::Fingerprint;
use crate::transport::preamble::Protocol;
use crate::transport::tls::NodeTls;

/// The time for a handshake, from the first byte to the end of the preamble, on either side.
pub const HANDSHAKE_TIME: Duration = Duration::from_secs(5);

/// An authenticated stream from another node of this cluster.
pub struct Inbound {
    /// Proved by its certificate. Zero: a holder of the token, for [`Protocol::Formation`] and
    /// [`Protocol::Backup`].
    pub from: NodeId,
    /// The address of the dialer.
    pub peer: SocketAddr,
    pub stream: Box<dyn Stream>,
}

/// An operator's order to change the join token, which this node leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenOrder {
    pub from: SocketAddr,
    /// The new token.
    pub token: Fingerprint,
}

pub struct Shared {
    pub net: Arc<dyn Net>,
    pub rng: Arc<Rng>,
    pub keys: RwLock<Keys>,
    pub identity: RwLock<Identity>,
    pub address_book: AddressBook,
    pub accepted_peers: Arc<AcceptedPeers>,
    /// Addresses that nodes of this cluster have dialed from.
    pub sources: Mutex<BTreeSet<IpAddr>>,
    pub log_limiters: LogLimiters,
    pub takers: Mutex<BTreeMap<Protocol, mpsc::Sender<Inbound>>>,
    pub member_registry: RwLock<Option<Arc<dyn MemberRegistry>>>,
    /// The receiver that records changes of the token.
    pub token_orders: Mutex<Option<mpsc::Sender<TokenOrder>>>,
    /// Whether another node has reported that this one was removed.
    pub expelled: watch::Sender<bool>,
}

impl Shared {
    pub fn new(platform: &Platform, security: Security) -> Result<Shared, StartError> {
        let keys = Keys::new(security);
        Ok(Shared {
            net: Arc::clone(&platform.net),
            rng: Arc::clone(&platform.rng),
            identity: RwLock::new(Identity { member: None, tls: keys.mint(None)? }),
            keys: RwLock::new(keys),
            address_book: AddressBook::default(),
            accepted_peers: Arc::default(),
            sources: Mutex::default(),
            log_limiters: LogLimiters::default(),
            takers: Mutex::default(),
            member_registry: RwLock::default(),
            token_orders: Mutex::default(),
            expelled: watch::Sender::new(false),
        })
    }
}

/// The present identity of this node, and the certificate that proves it.
#[derive(Clone)]
pub struct Identity {
    pub member: Option<([u8; 16], NodeId)>,
    pub tls: Option<NodeTls>,
}

//! The identity of a data directory: one row on disk.

use std::collections::BTreeMap;

use prost::Message;
use troupe_core::NodeId;
use troupe_proto::wire::raft as wire;

use super::bootstrap::Bootstrap;
use super::message::{id, node, nodes_from_wire, nodes_to_wire};
use crate::api::StartError;

/// The identity of a data directory; one row on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub cluster_id: [u8; 16],
    pub me: NodeId,
    pub bootstrap: Option<Bootstrap>,
    /// False between the promise of a bootstrap and the moment when all have promised.
    pub confirmed: bool,
    /// The others at the time of admission.
    pub nodes: BTreeMap<NodeId, String>,
}

pub const FORMAT: u32 = 1;

impl Identity {
    pub fn encode(&self) -> Vec<u8> {
        wire::FormationIdentity {
            format: FORMAT,
            cluster_id: self.cluster_id.to_vec().into(),
            node_id: self.me.0,
            birth: self.bootstrap.as_ref().map(Bootstrap::to_wire),
            confirmed: self.confirmed,
            nodes: nodes_to_wire(&self.nodes),
        }
        .encode_to_vec()
    }

    /// `None`: damaged, or of a later format.
    pub fn decode(bytes: &[u8]) -> Option<Identity> {
        let row = wire::FormationIdentity::decode(bytes).ok().filter(|row| row.format == FORMAT)?;
        let bootstrap = match row.birth {
            Some(bootstrap) => Some(Bootstrap::from_wire(bootstrap)?),
            None => None,
        };
        if !row.confirmed && bootstrap.is_none() {
            return None;
        }
        Some(Identity {
            cluster_id: id(&row.cluster_id)?,
            me: node(row.node_id)?,
            bootstrap,
            confirmed: row.confirmed,
            nodes: nodes_from_wire(row.nodes)?,
        })
    }
}

/// An identity as [`crate::recover`] needs it.
pub(crate) struct Written {
    pub cluster_id: [u8; 16],
    pub me: NodeId,
    /// The encoded row.
    pub row: Vec<u8>,
}

/// The identity of a stopped node, from its row. With `recovered`: as the only node of a cluster
/// with that id.
pub(crate) fn identity_in(row: Option<Vec<u8>>, recovered: Option<[u8; 16]>) -> Result<Written, StartError> {
    let refused = |text: &str| StartError::Refused(text.to_owned());
    let row = row.ok_or_else(|| refused("this data directory belongs to no cluster: there is nothing to recover"))?;
    let mut identity = Identity::decode(&row)
        .ok_or_else(|| refused("this data directory's identity is damaged or was written by a later version"))?;
    if !identity.confirmed {
        return Err(refused("this node's cluster was never bootstrapped: there is nothing to recover"));
    }
    if let Some(cluster_id) = recovered {
        identity = Identity { cluster_id, me: identity.me, bootstrap: None, confirmed: true, nodes: BTreeMap::new() };
    }
    Ok(Written { cluster_id: identity.cluster_id, me: identity.me, row: identity.encode() })
}

//! Who a data directory is, as it is kept.

use prost::Message;
use troupe_proto::wire::raft as wire;

use super::super::{Birth, Identity};
use super::{id, node, nodes_from_wire, nodes_to_wire};

pub const FORMAT: u32 = 1;

impl Identity {
    pub fn encode(&self) -> Vec<u8> {
        wire::FormationIdentity {
            format: FORMAT,
            cluster_id: self.cluster_id.to_vec().into(),
            node_id: self.me.0,
            birth: self.birth.as_ref().map(Birth::to_wire),
            confirmed: self.confirmed,
            nodes: nodes_to_wire(&self.nodes),
        }
        .encode_to_vec()
    }

    /// `None`: damaged, or of a later format.
    pub fn decode(bytes: &[u8]) -> Option<Identity> {
        let row = wire::FormationIdentity::decode(bytes).ok().filter(|row| row.format == FORMAT)?;
        let birth = match row.birth {
            Some(birth) => Some(Birth::from_wire(birth)?),
            None => None,
        };
        if !row.confirmed && birth.is_none() {
            return None;
        }
        Some(Identity {
            cluster_id: id(&row.cluster_id)?,
            me: node(row.node_id)?,
            birth,
            confirmed: row.confirmed,
            nodes: nodes_from_wire(row.nodes)?,
        })
    }
}

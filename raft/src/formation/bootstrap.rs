//! The bootstrap of a cluster, on which its founders agree once.

use troupe_core::level::Range;
use troupe_core::{Level, NodeId};

use crate::api::{Addresses, Founder};
use crate::level::{InForce, LevelHere};

/// The founders of a cluster, ordered by address; their ids are 1..=n in that order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bootstrap {
    pub cluster_id: [u8; 16],
    pub founders: Vec<Founder>,
    /// The feature level that all founders support.
    pub level: Level,
}

impl Bootstrap {
    /// `nodes` are ordered by address.
    pub fn new(cluster_id: [u8; 16], level: Level, nodes: Vec<Addresses>) -> Bootstrap {
        let founders = (1..).zip(nodes).map(|(id, node)| Founder {
            id: NodeId(id),
            address: node.cluster,
            client_address: node.client,
            http_address: node.http,
        });
        Bootstrap { cluster_id, founders: founders.collect(), level }
    }

    pub fn founder(&self, address: &str) -> Option<&Founder> {
        self.founders.iter().find(|founder| founder.address == address)
    }

    pub fn addresses(&self) -> impl Iterator<Item = &str> {
        self.founders.iter().map(|founder| founder.address.as_str())
    }

    pub fn is_of(&self, list: &[String]) -> bool {
        self.addresses().eq(list.iter().map(String::as_str))
    }
}

/// The feature levels of this node.
pub struct Levels {
    /// The levels that it supports.
    pub range: Range,
    /// The least level that a new cluster needs for this node's configuration.
    pub wanted: Level,
    pub here: LevelHere,
}

impl Levels {
    /// The reason why this node takes no part in a bootstrap at that level.
    pub fn objection(&self, bootstrap: Level) -> Option<String> {
        if bootstrap < self.wanted {
            Some(format!(
                "one of the founders has an earlier version, so the cluster would begin at feature level {bootstrap}, which lets every user register: start all founders with this version, or with cluster.registration = open"
            ))
        } else {
            InForce::at(bootstrap).refusal(self.range)
        }
    }
}

pub fn hex(id: [u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(id))
}

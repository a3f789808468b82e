//! The traffic between nodes: the cluster port with TLS and a handshake, and one link to each other
//! node that all groups share.

pub mod clocks;
pub mod fingerprint;
pub mod frame;
pub mod leads;
pub mod link;
pub mod port;
pub mod preamble;
pub mod tls;
pub mod token;
pub mod vitals;

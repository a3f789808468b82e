//! The formats: the .proto files, their generated types, capped frames, and validating conversions.
//!
//! Generated types end here: everything inside works with `troupe-core`'s newtypes. [`frame`] cuts
//! a stream into messages, [`client`] has the client protocol, [`record`] the stored and replicated
//! forms. `docs/protocol.md` describes the client protocol for authors of clients.

pub mod client;
mod error;
mod event;
mod field;
pub mod frame;
pub mod record;

pub use error::DecodeError;
pub use record::{Record, StampedBatch};

/// Generated from `proto/*.proto`.
pub mod wire {
    pub mod client {
        pub use crate::event::Event;

        include!(concat!(env!("OUT_DIR"), "/troupe.client.rs"));
    }
    pub mod record {
        pub use crate::event::Event;

        include!(concat!(env!("OUT_DIR"), "/troupe.record.rs"));
    }
    pub mod raft {
        include!(concat!(env!("OUT_DIR"), "/troupe.raft.rs"));
    }
    pub mod mesh {
        include!(concat!(env!("OUT_DIR"), "/troupe.mesh.rs"));
    }
}

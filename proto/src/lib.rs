//! The formats: the .proto files, their generated types, capped frames, and validating conversions.
//!
//! Generated types end here: everything inside works with `troupe-core`'s newtypes. [`frame`] cuts
//! a stream into messages, [`client`] is what clients say, [`record`] is what shards agree on.
//! `docs/protocol.md` describes the client protocol for authors of clients.

pub mod client;
mod field;
pub mod frame;
pub mod record;

pub use record::{Record, StampedBatch};
pub use troupe_core::form::DecodeError;

/// Generated from `proto/*.proto`.
pub mod wire {
    pub mod client {
        pub use troupe_core::event::wire::Event;

        include!(concat!(env!("OUT_DIR"), "/troupe.client.rs"));
    }
    pub mod record {
        pub use troupe_core::event::wire::Event;

        include!(concat!(env!("OUT_DIR"), "/troupe.record.rs"));
    }
    pub mod raft {
        include!(concat!(env!("OUT_DIR"), "/troupe.raft.rs"));
    }
    pub mod mesh {
        include!(concat!(env!("OUT_DIR"), "/troupe.mesh.rs"));
    }
}

//! What is said: the .proto files, their generated types, capped frames, and conversions that
//! validate.
//!
//! Generated types end here: everything inside works with `troupe-core`'s newtypes. [`frame`] cuts
//! a stream into messages, [`client`] is what clients say, [`record`] is what is stored and agreed
//! on. `docs/protocol.md` tells the client protocol to whoever writes a client.

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

//! What is said: the .proto files, their generated types, capped frames, and conversions that validate.
//!
//! Generated types end here: everything inside works with `troupe-core`'s newtypes.

/// Generated from `proto/*.proto`.
pub mod wire {
    pub mod client {
        include!(concat!(env!("OUT_DIR"), "/troupe.client.rs"));
    }
    pub mod record {
        include!(concat!(env!("OUT_DIR"), "/troupe.record.rs"));
    }
    pub mod raft {
        include!(concat!(env!("OUT_DIR"), "/troupe.raft.rs"));
    }
    pub mod mesh {
        include!(concat!(env!("OUT_DIR"), "/troupe.mesh.rs"));
    }
}

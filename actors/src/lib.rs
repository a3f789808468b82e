//! The only place where decisions become deeds.

pub mod mesh;

//! State in ordered maps.

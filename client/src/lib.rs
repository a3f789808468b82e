//! SDK, terminal client, load generator.

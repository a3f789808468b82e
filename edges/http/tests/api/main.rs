//! The API of whole nodes in this process, with the harness of the TCP edge: what comes in by one
//! edge is seen by the other.

mod accounts;
mod administration;
mod bad_input;
mod before;
mod bodies;
mod book;
mod bots;
mod calls;
mod changes;
mod document;
mod events;
mod events_at_scale;
mod events_over_nodes;
mod fair;
mod files;
mod forwards;
mod groups;
#[path = "../../../tcp/tests/node/harness/mod.rs"]
#[allow(dead_code, unused_imports, reason = "it is shared, and the other edge uses the rest")]
mod harness;
mod hooks;
mod http;
mod idempotency;
mod join_requests;
mod messages;
mod moderation;
mod people;
mod personal;
mod pins;
mod polls;
mod presence;
mod privacy;
mod push;
mod reactions;
mod readers;
mod reused_keys;
mod scheduled;
mod search;
mod signals;
mod stream;
mod streams;
mod three_nodes;
mod typed_bodies;
mod vanishing;
mod web;

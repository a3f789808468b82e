//! The JSON form of client.proto: protobuf's mapping, by the names of the file.
//!
//! Numbers of 64 bits are texts, bytes are base64, enums are names, and fields with their default
//! are absent. It follows the descriptors of the file, so a later field needs nothing here. An
//! event of an unknown kind has its number and content under `unknown`.

mod read;
mod write;

use std::sync::LazyLock;

use bytes::Bytes;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};
use serde_json::{Value, json};
use troupe_actors::message::wire;
use troupe_proto::client::DESCRIPTORS;

static FRAMES: LazyLock<(MessageDescriptor, MessageDescriptor)> = LazyLock::new(|| {
    let pool = DescriptorPool::decode(DESCRIPTORS).expect("the build script has compiled it");
    let message = |name| pool.get_message_by_name(name).expect("client.proto has it");
    (message("troupe.client.ClientFrame"), message("troupe.client.ServerFrame"))
});

/// Why a text is no request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreadable {
    NoJson,
    /// Zero: the request has no number that could be read.
    Refused {
        request_id: u64,
        text: String,
    },
}

pub fn request(text: &str) -> Result<wire::ClientFrame, Unreadable> {
    let value: Value = serde_json::from_str(text).map_err(|_| Unreadable::NoJson)?;
    let refused = |text| Unreadable::Refused { request_id: request_id(&value), text };
    let frame = read::message(&FRAMES.0, &value, "").map_err(refused)?;
    frame.transcode_to().map_err(|error| refused(error.to_string()))
}

fn request_id(value: &Value) -> u64 {
    match value.get("request_id") {
        Some(Value::Number(number)) => number.as_u64().unwrap_or(0),
        Some(Value::String(text)) => text.parse().unwrap_or(0),
        _ => 0,
    }
}

/// The text of a ServerFrame.
pub fn answer(frame: Bytes) -> String {
    match DynamicMessage::decode(FRAMES.1.clone(), frame) {
        Ok(frame) => write::message(&frame).to_string(),
        // The frame was encoded here, by the same file. An event inside may be of a later version
        // that breaks its form.
        Err(error) => json!({ "unreadable": error.to_string() }).to_string(),
    }
}

#[cfg(test)]
mod tests;

//! A message of client.proto into JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prost::encoding::{WireType, decode_key, decode_varint};
use prost_reflect::{DynamicMessage, Kind, UnknownField, Value};
use serde_json::{Map, Value as Json, json};

pub fn message(message: &DynamicMessage) -> Json {
    let mut out = Map::new();
    for (field, value) in message.fields() {
        out.insert(field.name().to_owned(), json_of(&field.kind(), value));
    }
    // Only events keep fields of later versions.
    if let Some(unknown) = message.unknown_fields().find_map(content) {
        out.insert("unknown".to_owned(), unknown);
    }
    Json::Object(out)
}

fn json_of(kind: &Kind, value: &Value) -> Json {
    match value {
        Value::Bool(value) => json!(value),
        Value::I32(value) => json!(value),
        Value::U32(value) => json!(value),
        Value::I64(value) => json!(value.to_string()),
        Value::U64(value) => json!(value.to_string()),
        Value::F32(value) => json!(value),
        Value::F64(value) => json!(value),
        Value::String(value) => json!(value),
        Value::Bytes(value) => json!(STANDARD.encode(value)),
        Value::EnumNumber(number) => {
            let name = kind.as_enum().and_then(|of| of.get_value(*number)).map(|value| value.name().to_owned());
            name.map_or(json!(number), Json::String)
        }
        Value::Message(value) => message(value),
        Value::List(values) => values.iter().map(|value| json_of(kind, value)).collect(),
        // client.proto has no maps.
        Value::Map(_) => Json::Null,
    }
}

/// The number and the content of a kind of event that this version does not know.
fn content(field: &UnknownField) -> Option<Json> {
    if field.wire_type() != WireType::LengthDelimited {
        return None;
    }
    let mut encoded = Vec::new();
    field.encode(&mut encoded);
    let mut rest = encoded.as_slice();
    decode_key(&mut rest).ok()?;
    let length = decode_varint(&mut rest).ok()?;
    let content = rest.get(..usize::try_from(length).ok()?)?;
    Some(json!({ "kind": field.number(), "content": STANDARD.encode(content) }))
}

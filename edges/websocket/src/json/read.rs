//! A message of client.proto out of JSON. An error names the place and says what belongs there.

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use prost_reflect::{DynamicMessage, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor, Value};
use serde_json::Value as Json;

/// Written with padding or without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
/// Names above this distance are no misspelling.
const NEAR: usize = 3;
/// A refusal lists no more fields than this: a frame has more than a hundred.
const LISTED: usize = 24;

/// `at` is the place of the message, empty for the whole.
pub fn message(descriptor: &MessageDescriptor, json: &Json, at: &str) -> Result<DynamicMessage, String> {
    let Json::Object(members) = json else { return Err(wants(at, "an object")) };
    let mut message = DynamicMessage::new(descriptor.clone());
    for (name, member) in members {
        let at = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
        let Some(field) = descriptor.get_field_by_name(name) else { return Err(unknown(descriptor, name, &at)) };
        if member.is_null() {
            continue;
        }
        if let Some(one) = field.containing_oneof()
            && let Some(other) = one.fields().find(|other| message.has_field(other))
        {
            return Err(format!("{at}: {} is there already, and only one of them may be", other.name()));
        }
        let value = match member {
            Json::Array(values) if field.is_list() => {
                Value::List(values.iter().map(|value| one(&field, value, &at)).collect::<Result<_, _>>()?)
            }
            _ if field.is_list() => return Err(wants(&at, "an array")),
            member => one(&field, member, &at)?,
        };
        message.set_field(&field, value);
    }
    Ok(message)
}

fn one(field: &FieldDescriptor, json: &Json, at: &str) -> Result<Value, String> {
    Ok(match (field.kind(), json) {
        (Kind::Message(descriptor), json) => Value::Message(message(&descriptor, json, at)?),
        (Kind::Bool, Json::Bool(value)) => Value::Bool(*value),
        (Kind::Bool, _) => return Err(wants(at, "true or false")),
        (Kind::String, Json::String(value)) => Value::String(value.clone()),
        (Kind::String, _) => return Err(wants(at, "a text")),
        (Kind::Bytes, Json::String(value)) => {
            Value::Bytes(BASE64.decode(value).map_err(|_| wants(at, "base64"))?.into())
        }
        (Kind::Bytes, _) => return Err(wants(at, "base64 in a text")),
        (Kind::Enum(descriptor), json) => Value::EnumNumber(number_of(&descriptor, json, at)?),
        (Kind::Uint64 | Kind::Fixed64, json) => {
            Value::U64(whole(json).ok_or_else(|| wants(at, "a whole number, as a text"))?)
        }
        (Kind::Uint32 | Kind::Fixed32, json) => {
            let number = whole(json).and_then(|number| u32::try_from(number).ok());
            Value::U32(number.ok_or_else(|| wants(at, "a whole number below 4294967296"))?)
        }
        // client.proto has no other kinds.
        (kind, _) => return Err(format!("{at}: this server cannot read {kind:?} in JSON")),
    })
}

fn whole(json: &Json) -> Option<u64> {
    match json {
        Json::Number(number) => number.as_u64(),
        Json::String(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        _ => None,
    }
}

fn number_of(descriptor: &EnumDescriptor, json: &Json, at: &str) -> Result<i32, String> {
    let found = match json {
        Json::String(name) => descriptor.get_value_by_name(name),
        json => {
            whole(json).and_then(|number| i32::try_from(number).ok()).and_then(|number| descriptor.get_value(number))
        }
    };
    let names = || descriptor.values().map(|value| value.name().to_owned()).collect::<Vec<_>>().join(", ");
    found.map(|value| value.number()).ok_or_else(|| wants(at, &format!("one of {}", names())))
}

fn wants(at: &str, what: &str) -> String {
    if at.is_empty() { format!("a frame wants {what}") } else { format!("{at} wants {what}") }
}

fn unknown(descriptor: &MessageDescriptor, name: &str, at: &str) -> String {
    let fields: Vec<String> = descriptor.fields().map(|field| field.name().to_owned()).collect();
    // The name comes from the client, and may be of any length.
    let at: String = at.chars().take(128).collect();
    let name: String = name.chars().take(64).collect();
    let near = fields.iter().map(|field| (strsim::damerau_levenshtein(field, &name), field)).min();
    match near {
        Some((distance, field)) if distance <= NEAR => {
            format!("{at}: there is no such field; did you mean \"{field}\"?")
        }
        _ if fields.len() > LISTED => format!("{at}: there is no such field; docs/protocol.md lists them"),
        _ => format!("{at}: there is no such field; there are {}", fields.join(", ")),
    }
}

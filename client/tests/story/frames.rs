//! Frames as JSON: `{"kind": {fields}}` with the names of `client.proto`, read at run time, so that
//! stories need no code for a new message.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use prost::Message as _;
use protox::prost_reflect::{
    self, DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, ReflectMessage as _,
};
use serde_json::Value;

/// Ids of messages by the names of a story.
pub type Ids = BTreeMap<String, Bytes>;
pub type Result<T> = std::result::Result<T, String>;

pub struct Frames {
    client: MessageDescriptor,
    server: MessageDescriptor,
}

impl Frames {
    pub fn new() -> Frames {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto/proto");
        let files = protox::compile(["client.proto"], [folder]).expect("client.proto compiles");
        let pool = DescriptorPool::from_file_descriptor_set(files).expect("it is complete");
        let frame = |name| pool.get_message_by_name(name).expect("a frame");
        Frames { client: frame("troupe.client.ClientFrame"), server: frame("troupe.client.ServerFrame") }
    }

    /// The request id, kind and content of a client's frame.
    pub fn read(&self, payload: Bytes) -> (u64, String, DynamicMessage) {
        let frame = DynamicMessage::decode(self.client.clone(), payload).expect("a client sends valid frames");
        let id = frame.get_field_by_name("request_id").and_then(|id| id.as_u64()).unwrap_or_default();
        let mut found = frame.fields().filter(|(field, _)| field.name() != "request_id");
        let (field, value) = found.next().expect("a request");
        (id, field.name().to_owned(), value.as_message().expect("a message").clone())
    }

    pub fn write(&self, request_id: u64, frame: &Value, ids: &Ids) -> Result<Bytes> {
        let mut message = self.make(&self.server, frame, ids)?;
        message.set_field_by_name("request_id", prost_reflect::Value::U64(request_id));
        Ok(message.encode_to_vec().into())
    }

    /// Whether each given field has this value.
    pub fn fits(&self, message: &DynamicMessage, wanted: &Value, ids: &Ids) -> Result<()> {
        for (name, part) in wanted.as_object().ok_or("a frame is an object")? {
            let field = field(&message.descriptor(), name)?;
            let expected = self.value(&field, part, ids)?;
            let found = message.get_field(&field);
            if *found != expected {
                return Err(format!("{name} is {found:?}"));
            }
        }
        Ok(())
    }

    fn make(&self, descriptor: &MessageDescriptor, value: &Value, ids: &Ids) -> Result<DynamicMessage> {
        let mut message = DynamicMessage::new(descriptor.clone());
        let mut raw = Vec::new();
        for (name, part) in value.as_object().ok_or_else(|| format!("{value} is no object"))? {
            match name.strip_prefix('#') {
                // The content of any kind of event.
                Some(number) => {
                    let number = number.parse().map_err(|_| format!("{name} is no number of a field"))?;
                    prost::encoding::bytes::encode(number, &bytes(part, ids)?, &mut raw);
                }
                None => {
                    let field = field(descriptor, name)?;
                    message.set_field(&field, self.value(&field, part, ids)?);
                }
            }
        }
        if raw.is_empty() {
            return Ok(message);
        }
        let all = [message.encode_to_vec(), raw].concat();
        DynamicMessage::decode(descriptor.clone(), all.as_slice()).map_err(|error| error.to_string())
    }

    fn value(&self, field: &FieldDescriptor, value: &Value, ids: &Ids) -> Result<prost_reflect::Value> {
        match value {
            Value::Array(values) if field.is_list() => {
                let values: Result<Vec<_>> = values.iter().map(|one| self.one(field, one, ids)).collect();
                Ok(prost_reflect::Value::List(values?))
            }
            one => self.one(field, one, ids),
        }
    }

    fn one(&self, field: &FieldDescriptor, value: &Value, ids: &Ids) -> Result<prost_reflect::Value> {
        use prost_reflect::Value as Wire;
        let wrong = || format!("{value} is no value of {}", field.full_name());
        Ok(match field.kind() {
            Kind::Message(descriptor) => Wire::Message(self.make(&descriptor, value, ids)?),
            Kind::Bytes => Wire::Bytes(bytes(value, ids)?),
            Kind::String => Wire::String(value.as_str().ok_or_else(wrong)?.to_owned()),
            Kind::Bool => Wire::Bool(value.as_bool().ok_or_else(wrong)?),
            Kind::Uint32 => Wire::U32(value.as_u64().and_then(|n| n.try_into().ok()).ok_or_else(wrong)?),
            Kind::Uint64 => Wire::U64(value.as_u64().ok_or_else(wrong)?),
            Kind::Enum(descriptor) => {
                let named = value.as_str().and_then(|name| descriptor.get_value_by_name(name));
                Wire::EnumNumber(named.ok_or_else(wrong)?.number())
            }
            other => return Err(format!("stories have no fields of type {other:?} yet")),
        })
    }
}

fn field(descriptor: &MessageDescriptor, name: &str) -> Result<FieldDescriptor> {
    descriptor.get_field_by_name(name).ok_or_else(|| format!("{} has no field {name}", descriptor.name()))
}

/// `hex:...`, `text:...` or `$name`.
pub fn bytes(value: &Value, ids: &Ids) -> Result<Bytes> {
    let text = value.as_str().ok_or_else(|| format!("{value} is no text"))?;
    if let Some(name) = text.strip_prefix('$') {
        return ids.get(name).cloned().ok_or_else(|| format!("no message is named {name}"));
    }
    match text.split_once(':') {
        Some(("text", rest)) => Ok(Bytes::copy_from_slice(rest.as_bytes())),
        Some(("hex", rest)) => {
            let pairs = rest.as_bytes().chunks(2).map(|pair| u8::from_str_radix(&String::from_utf8_lossy(pair), 16));
            pairs.collect::<std::result::Result<Vec<u8>, _>>().map(Bytes::from).map_err(|error| error.to_string())
        }
        _ => Err(format!("{text} is neither hex:..., text:... nor $name")),
    }
}

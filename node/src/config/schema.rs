//! `troupe config schema`: the keys of the file as a JSON Schema.

use serde_json::{Value, json};

use super::flags::BOOLEANS;
use super::{KEYS, Key};

/// Keys that may be lists of texts; a text with commas means the same.
const LISTS: &[&str] = &["cluster.join", "http.origins", "compat.cim.allow"];

pub fn schema() -> Value {
    let mut root = table();
    for key in KEYS {
        let mut place = &mut root;
        let mut parts = key.name.split('.').peekable();
        while let Some(part) = parts.next() {
            let entry = &mut place["properties"][part];
            if parts.peek().is_none() {
                *entry = property(key);
            } else if entry.is_null() {
                *entry = table();
            }
            place = &mut place["properties"][part];
        }
    }
    root["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    root["title"] = json!("Configuration of a node of Troupe");
    root
}

/// A key that is not in the list is refused.
fn table() -> Value {
    json!({ "type": "object", "additionalProperties": false, "properties": {} })
}

/// Values may be written as texts too, as in variables.
fn property(key: &Key) -> Value {
    let number = key.default.parse::<u64>();
    let kind = match (BOOLEANS.contains(&key.name), &number) {
        (true, _) => json!({ "type": ["boolean", "string"], "default": key.default == "true" }),
        (false, Ok(number)) => json!({ "type": ["integer", "string"], "default": number }),
        (false, Err(_)) if LISTS.contains(&key.name) => {
            json!({ "type": ["string", "array"], "items": { "type": "string" }, "default": key.default })
        }
        (false, Err(_)) => json!({ "type": "string", "default": key.default }),
    };
    let mut property = kind;
    property["description"] = json!(key.about);
    property
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_its_place_and_its_kind() {
        let schema = schema();
        for key in KEYS {
            let path = key.name.split('.').fold(String::new(), |path, part| path + "/properties/" + part);
            let property = schema.pointer(&path).unwrap_or_else(|| panic!("{}", key.name));
            assert_eq!(property["description"], key.about);
        }
        let of = |path: &str| schema.pointer(path).expect("there").clone();
        assert_eq!(of("/properties/cluster/properties/shards/default"), 12);
        assert_eq!(of("/properties/compat/properties/cim/properties/enabled/type"), json!(["boolean", "string"]));
        assert_eq!(of("/properties/cluster/additionalProperties"), false);
    }
}

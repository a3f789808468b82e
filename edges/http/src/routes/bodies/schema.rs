//! The bodies that a client may send, for the description of the API: each type with its fields.

use utoipa::PartialSchema;
use utoipa::openapi::schema::{AdditionalProperties, ArrayBuilder, ObjectBuilder, OneOfBuilder, Type};
use utoipa::openapi::{RefOr, Schema};

use super::{GREATEST, limits};
use crate::ids::Id;

const HASH: &str = "^[0-9a-f]{64}$";
const BASE64: &str = "^([A-Za-z0-9+/]{4})*$";

pub fn closed() -> ObjectBuilder {
    let none = Some(AdditionalProperties::<Schema>::FreeForm(false));
    ObjectBuilder::new().schema_type(Type::Object).additional_properties(none)
}

pub fn text(least: usize, most: usize) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).min_length(Some(least)).max_length(Some(most))
}

pub fn yes() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Boolean).enum_values(Some([true]))
}

fn pattern(pattern: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern))
}

pub fn whole(least: u64, most: u64) -> ObjectBuilder {
    let number = ObjectBuilder::new().schema_type(Type::Integer);
    number.minimum(Some(least as f64)).maximum(Some(most as f64))
}

fn angle(most: f64) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Number).minimum(Some(-most)).maximum(Some(most))
}

fn base64() -> ObjectBuilder {
    let bytes = pattern(BASE64).description(Some("In base64, with padding."));
    bytes.max_length(Some(limits::MESSAGE_BYTES))
}

fn file() -> ObjectBuilder {
    let file = closed().property("hash", pattern(HASH)).property("name", pattern("^[A-Za-z0-9._ -]{1,255}$"));
    let file = file.property("size", whole(1, limits::FILE_BYTES));
    let file = file.property("type", pattern("^[a-z]{1,60}/[a-z0-9.+-]{0,60}[a-z0-9]$"));
    ["hash", "name", "size", "type"].into_iter().fold(file, ObjectBuilder::required)
}

fn typed(name: &str) -> ObjectBuilder {
    let word = ObjectBuilder::new().schema_type(Type::String).enum_values(Some([name]));
    closed().property("type", word).required("type")
}

fn of_file(name: &str) -> ObjectBuilder {
    typed(name).property("file", file()).required("file")
}

fn of_picture(name: &str) -> ObjectBuilder {
    let pixels = || whole(0, u64::from(limits::PIXELS));
    let picture = of_file(name).property("width", pixels()).property("height", pixels());
    picture.property("preview", pattern(HASH)).property("caption", text(0, limits::CAPTION_BYTES))
}

fn name() -> ObjectBuilder {
    text(0, limits::LABEL_BYTES)
}

/// Zero, or within the bounds.
fn expiry() -> OneOfBuilder {
    let after = whole(limits::EXPIRES_MIN_MS, limits::EXPIRES_MAX_MS);
    let about = "The content vanishes so many milliseconds after the message is sent; 0: it stays.";
    OneOfBuilder::new().item(whole(0, 0)).item(after).description(Some(about))
}

/// The fields that go beside any text or body.
pub fn referring(message: ObjectBuilder) -> ObjectBuilder {
    let seq = || whole(0, GREATEST);
    let users = ArrayBuilder::new().items(Id::schema()).max_items(Some(limits::MENTIONS));
    message
        .property("reply_to", seq().description(Some("The seq of the message that it answers.")))
        .property("thread", seq().description(Some("The seq of the first message of its thread.")))
        .property("mentions", users.description(Some("Users, each once.")))
        .property("mentions_everyone", ObjectBuilder::new().schema_type(Type::Boolean))
        .property("expires_in_ms", expiry())
        .property("stream", ObjectBuilder::new().schema_type(Type::Boolean))
}

fn poll() -> ObjectBuilder {
    let flag = || ObjectBuilder::new().schema_type(Type::Boolean);
    let options = ArrayBuilder::new().items(text(1, limits::LABEL_BYTES));
    let options = options.min_items(Some(2)).max_items(Some(limits::POLL_OPTIONS)).unique_items(true);
    let end = whole(0, GREATEST).description(Some("Milliseconds since 1970, at most a year ahead; 0: never."));
    typed("poll")
        .property("question", text(1, limits::POLL_QUESTION_BYTES))
        .property("options", options)
        .property("multiple", flag())
        .property("anonymous", flag())
        .property("ends_ms", end)
        .required("question")
        .required("options")
}

/// A body that a client may send.
pub fn body() -> RefOr<Schema> {
    let duration = || whole(0, limits::DURATION_MS);
    let some_text = || text(1, limits::MESSAGE_BYTES);
    let plain = closed().property("kind", whole(1, 1)).property("text", some_text()).required("kind").required("text");
    let other = closed().property("kind", whole(2, u32::MAX.into())).property("content", base64()).required("kind");
    let bodies = [
        plain,
        other,
        typed("text").property("text", some_text()).required("text"),
        of_picture("image"),
        of_file("voice").property("duration_ms", duration()),
        of_picture("video").property("duration_ms", duration()),
        of_file("file").property("caption", text(0, limits::CAPTION_BYTES)),
        typed("sticker")
            .property("set", name())
            .property("name", text(1, limits::LABEL_BYTES))
            .property("file", file())
            .required("name"),
        typed("emoji").property("emoji", text(1, limits::EMOJI_BYTES).examples(["👍"])).required("emoji"),
        typed("card").property("user", Id::schema()).property("name", name()).required("user"),
        typed("card").property("group", pattern("^g[1-9][0-9]{0,15}$")).property("name", name()).required("group"),
        typed("location")
            .property("latitude", angle(90.0))
            .property("longitude", angle(180.0))
            .property("name", name())
            .required("latitude")
            .required("longitude"),
        typed("custom")
            .property("name", pattern("^[A-Za-z0-9_./:+-]{1,256}$"))
            .property("data", base64())
            .required("name"),
        poll(),
        typed("notice").property("text", text(1, limits::NOTICE_BYTES)).required("text"),
    ];
    bodies.into_iter().fold(OneOfBuilder::new(), OneOfBuilder::item).into()
}

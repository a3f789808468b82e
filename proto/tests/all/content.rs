//! The typed bodies of core have the bytes of `content.proto`.

use std::fmt::Debug;

use bytes::Bytes;
use prost::Message;
use troupe_core::content::{
    Attachment, Bundle, Bundled, Card, Content, Custom, Emoji, File, Image, Location, Notice, Poll, Sticker, Video,
    Voice,
};
use troupe_core::{Body, EventKind};
use troupe_proto::wire::client as wire;

fn file() -> Option<Attachment> {
    let (name, media_type) = ("cat.png".to_owned(), "image/png".to_owned());
    Some(Attachment { hash: vec![7; 32].into(), name, size: 1_000, media_type })
}

/// The generated type reads every field and writes the same bytes.
#[track_caller]
fn same<W: Message + Default + Debug>(content: impl Into<Content>, kind: wire::BodyKind) {
    let body = Body::from(content.into());
    assert_eq!(body.kind, kind as u32);
    let read = W::decode(body.content.clone()).expect("a message of content.proto");
    assert_eq!(read.encode_to_vec(), body.content, "{read:?}");
    // A field that the generated type does not know would be lost here.
    let again = Body { content: read.encode_to_vec().into(), ..body.clone() };
    assert_eq!(again.typed(), body.typed());
}

#[test]
fn core_and_the_protocol_write_the_same_bytes() {
    let (preview, caption, name): (Bytes, _, _) = (vec![8; 32].into(), "the cat".to_owned(), "Ann".to_owned());
    let (width, height, duration_ms) = (640, 480, 900);
    let image = Image { file: file(), width, height, preview: preview.clone(), caption: caption.clone() };
    same::<wire::ImageBody>(image, wire::BodyKind::BodyImage);
    same::<wire::VoiceBody>(Voice { file: file(), duration_ms }, wire::BodyKind::BodyVoice);
    let video = Video { file: file(), width, height, preview, caption: caption.clone(), duration_ms };
    same::<wire::VideoBody>(video, wire::BodyKind::BodyVideo);
    same::<wire::FileBody>(File { file: file(), caption }, wire::BodyKind::BodyFile);
    let sticker = Sticker { set: "cats".into(), name: "wave".into(), file: file() };
    same::<wire::StickerBody>(sticker, wire::BodyKind::BodySticker);
    same::<wire::EmojiBody>(Emoji { emoji: "👍".into() }, wire::BodyKind::BodyEmoji);
    same::<wire::CardBody>(Card { user: 7, group: "g1024".into(), name: name.clone() }, wire::BodyKind::BodyCard);
    let place = Location { latitude_e7: -900_000_000, longitude_e7: 1_800_000_000, name: name.clone() };
    same::<wire::LocationBody>(place, wire::BodyKind::BodyLocation);
    same::<wire::CustomBody>(Custom { name, data: vec![0, 255].into() }, wire::BodyKind::BodyCustom);
    let options = vec!["soup".to_owned(), "pasta".to_owned()];
    let poll = Poll { question: "Lunch?".into(), options, multiple: true, anonymous: true, ends_ms: 1_700_000_000_000 };
    same::<wire::PollBody>(poll, wire::BodyKind::BodyPoll);
    let copy = Bundled { seq: 3, sender: 7, time_ms: 9, kind: 1, content: "hi".into() };
    let bundle = Bundle { from: "g1024".into(), messages: vec![copy.clone(), Bundled { kind: 7, ..copy }] };
    same::<wire::BundleBody>(bundle, wire::BodyKind::BodyBundle);
    same::<wire::NoticeBody>(Notice { text: "noon".into() }, wire::BodyKind::BodyNotice);
}

/// Clients of 0.1 know only the first two fields.
#[test]
fn an_answer_is_a_text_for_older_clients() {
    #[derive(Clone, PartialEq, Message)]
    struct OlderBody {
        #[prost(uint32, tag = "1")]
        kind: u32,
        #[prost(bytes = "bytes", tag = "2")]
        content: Bytes,
    }
    let answer = Body::text("so").replying_to(troupe_core::Seq(3)).mentioning_everyone();
    let content = EventKind::Message(answer.clone()).content();
    let read = OlderBody::decode(content.clone()).expect("a body");
    assert_eq!((read.kind, &read.content[..]), (Body::TEXT, &b"so"[..]));
    assert_eq!(EventKind::decode(EventKind::MESSAGE, &content), Some(EventKind::Message(answer)));
}

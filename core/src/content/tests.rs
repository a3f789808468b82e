use super::*;
use crate::id::{Seq, UserId};
use crate::limits;

fn file() -> Attachment {
    let (name, media_type) = ("cat.png".to_owned(), "image/png".to_owned());
    Attachment { hash: vec![7; 32].into(), name, size: 1_000, media_type }
}

fn code(content: impl Into<Content>) -> &'static str {
    Body::from(content.into()).check_typed().map_or_else(|why| why.code(), |()| "ok")
}

#[test]
fn each_kind_is_itself_again_and_says_which_files_it_needs() {
    let image =
        Image { file: Some(file()), width: 640, height: 480, preview: vec![8; 32].into(), caption: String::new() };
    let all: [(Content, usize); 10] = [
        (image.into(), 2),
        (Voice { file: Some(file()), duration_ms: 900 }.into(), 1),
        (Video { file: Some(file()), ..Video::default() }.into(), 1),
        (File { file: Some(file()), caption: "the cat".into() }.into(), 1),
        (Sticker { set: "cats".into(), name: "wave".into(), file: None }.into(), 0),
        (Emoji { emoji: "👍🏽".into() }.into(), 0),
        (Card { user: 7, ..Card::default() }.into(), 0),
        (Location { latitude_e7: -900_000_000, longitude_e7: 1_800_000_000, name: "pole".into() }.into(), 0),
        (Custom { name: "org.example/order".into(), data: vec![0, 255].into() }.into(), 0),
        (Notice { text: "the server restarts at noon".into() }.into(), 0),
    ];
    for (content, files) in all {
        let body = Body::from(content.clone());
        assert_eq!(body.check_typed(), Ok(()), "{content:?}");
        assert_eq!(body.typed().as_ref(), Some(&content));
        assert_eq!(content.files().len(), files, "{content:?}");
        assert!(body.words().contains(content.name()) && !body.is_of_first_level());
    }
}

#[test]
fn what_cannot_be_shown_is_refused_with_a_code() {
    let with = |change: &dyn Fn(&mut Attachment)| {
        let mut file = file();
        change(&mut file);
        code(File { file: Some(file), caption: String::new() })
    };
    assert_eq!(with(&|_| ()), "ok");
    assert_eq!(with(&|file| file.hash = vec![7; 31].into()), "bad_attachment");
    assert_eq!(with(&|file| file.name.clear()), "bad_attachment");
    assert_eq!(with(&|file| file.name = "x".repeat(limits::FILE_NAME_BYTES + 1)), "bad_attachment");
    assert_eq!(with(&|file| file.name = "../cat.png".to_owned()), "bad_attachment");
    assert_eq!(with(&|file| file.size = 0), "bad_attachment");
    assert_eq!(with(&|file| file.size = limits::FILE_BYTES + 1), "bad_attachment");
    for media_type in ["", "image", "image/", "/png", "image/png; a=b", "im age/png"] {
        assert_eq!(with(&|file| file.media_type = media_type.to_owned()), "bad_attachment", "{media_type}");
    }
    assert_eq!(code(Image::default()), "bad_attachment");
    assert_eq!(code(Image { file: Some(file()), preview: vec![1].into(), ..Image::default() }), "bad_attachment");
    assert_eq!(code(Image { file: Some(file()), width: limits::PIXELS + 1, ..Image::default() }), "bad_content");
    assert_eq!(code(Voice { file: Some(file()), duration_ms: u64::MAX }), "bad_content");
    assert_eq!(code(Sticker::default()), "bad_content");
    assert_eq!(code(Emoji { emoji: "ok".into() }), "bad_content");
    assert_eq!(code(Card::default()), "bad_content");
    assert_eq!(code(Card { user: 7, group: "g1024".into(), name: String::new() }), "bad_content");
    assert_eq!(code(Card { user: 0, group: "everyone".into(), name: String::new() }), "bad_content");
    assert_eq!(code(Location { latitude_e7: 900_000_001, ..Location::default() }), "bad_location");
    assert_eq!(code(Location { longitude_e7: i64::MIN, ..Location::default() }), "bad_location");
    assert_eq!(code(Custom { name: "a b".into(), data: Bytes::new() }), "bad_content");
    assert_eq!(code(Notice { text: "x".repeat(limits::NOTICE_BYTES + 1) }), "bad_content");
}

#[test]
fn bytes_of_another_kind_are_refused_and_kinds_of_later_versions_pass() {
    let body = |kind, content: &[u8]| Body { kind, content: Bytes::copy_from_slice(content), context: None };
    let checked = |body: &Body| body.check_typed().map_err(|why| why.code());
    assert_eq!(checked(&body(Content::IMAGE, &[255])), Err("bad_content"));
    assert_eq!(checked(&body(Content::LOCATION, &[])), Ok(()), "the place at 0, 0");
    for kind in [Body::TEXT, 999, 1_000, u32::MAX] {
        assert_eq!(checked(&body(kind, &[255])), Ok(()), "{kind}");
        assert!(body(kind, &[255]).is_of_first_level());
    }
}

#[test]
fn mentions_are_few_and_each_is_once() {
    let checked = |users: Vec<u64>| {
        let users: Vec<UserId> = users.into_iter().map(UserId).collect();
        Body::text("hi").mentioning(&users).check_typed().map_err(|why| why.code())
    };
    let most = limits::MENTIONS as u64;
    assert_eq!(checked((1..=most).collect()), Ok(()));
    assert_eq!(checked((1..=most + 1).collect()), Err("bad_mentions"));
    assert_eq!(checked(vec![5, 5]), Err("bad_mentions"));
    assert_eq!(checked(vec![0]), Err("bad_mentions"));
    let body = Body::text("hi").replying_to(Seq(3)).in_thread(Seq(2)).mentioning_everyone();
    let context = body.context.as_deref().expect("a context");
    assert_eq!((context.reply_to, context.thread, context.mentions_everyone), (3, 2, true));
    assert!(!body.is_of_first_level() && body.bytes() > 2);
}

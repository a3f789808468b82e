//! Bodies of messages in a story.
//!
//! ```text
//! "hello" · text 70000 · raw 7 ff00
//! image cat.png (of x 5) · file x 70000 · place 525200000 134050000 · card g2038 · notice "text"
//! poll "question" a,b [multiple] [anonymous] [ends 5000]
//! behind it: [reply 3] [thread 2] [mention bert] [mention everyone] [expires 5000] [stream]
//! ```

use troupe_core::content::{Attachment, Card, File, Image, Location, Notice, Poll};
use troupe_core::event::Content;
use troupe_core::{Body, FileHash, Seq};

use crate::files::letters;
use crate::script::{bytes, number};
use crate::world::World;

/// The body, and the words behind it.
pub fn body<'w>(world: &World, words: &'w [&'w str]) -> Result<(Body, &'w [&'w str]), String> {
    let (mut body, mut rest) = alone(words)?;
    loop {
        (body, rest) = match rest {
            ["reply", seq, rest @ ..] => (body.replying_to(Seq(number(seq)?)), rest),
            ["thread", seq, rest @ ..] => (body.in_thread(Seq(number(seq)?)), rest),
            ["mention", "everyone", rest @ ..] => (body.mentioning_everyone(), rest),
            ["stream", rest @ ..] => (body.streaming(), rest),
            ["expires", after, rest @ ..] => (body.expiring_in_ms(number(after)?), rest),
            ["mention", user, rest @ ..] => (body.mentioning(&[world.user(user)?]), rest),
            rest => return Ok((body, rest)),
        };
    }
}

fn alone<'w>(words: &'w [&'w str]) -> Result<(Body, &'w [&'w str]), String> {
    let (content, rest): (Content, _) = match words {
        ["raw", kind, content, rest @ ..] => {
            let kind = kind.parse().map_err(|_| "not a kind")?;
            return Ok((Body { kind, content: bytes(content)?.into(), context: None }, rest));
        }
        ["text", length, rest @ ..] => return Ok((Body::text(&"x".repeat(number(length)? as usize)), rest)),
        ["image", name, rest @ ..] => {
            let (name, media_type) = ((*name).to_owned(), "image/png".to_owned());
            let hash = FileHash::of_file(b"xxxxx").ok_or("a file without bytes")?.0.to_vec().into();
            let file = Attachment { hash, name, size: 1_000, media_type };
            (Image { file: Some(file), width: 640, height: 480, ..Image::default() }.into(), rest)
        }
        ["file", letter, length, rest @ ..] => {
            let hash = FileHash::of_file(&letters(letter, length)?).ok_or("a file without bytes")?;
            let (hash, media_type) = (hash.0.to_vec().into(), "text/plain".to_owned());
            let file = Attachment { hash, name: "a.txt".to_owned(), size: number(length)?, media_type };
            (File { file: Some(file), caption: String::new() }.into(), rest)
        }
        ["place", latitude, longitude, rest @ ..] => {
            let angle = |text: &str| text.parse().map_err(|_| "not an angle");
            let (latitude_e7, longitude_e7) = (angle(latitude)?, angle(longitude)?);
            (Location { latitude_e7, longitude_e7, name: String::new() }.into(), rest)
        }
        ["card", group, rest @ ..] => (Card { group: (*group).to_owned(), ..Card::default() }.into(), rest),
        ["notice", text, rest @ ..] => (Notice { text: (*text).to_owned() }.into(), rest),
        ["poll", question, options, rest @ ..] => {
            let options = options.split(',').map(str::to_owned).collect();
            let mut poll = Poll { question: (*question).to_owned(), options, ..Poll::default() };
            let mut rest = rest;
            loop {
                rest = match rest {
                    ["multiple", rest @ ..] => {
                        poll.multiple = true;
                        rest
                    }
                    ["anonymous", rest @ ..] => {
                        poll.anonymous = true;
                        rest
                    }
                    ["ends", at, rest @ ..] => {
                        poll.ends_ms = number(at)?;
                        rest
                    }
                    rest => return Ok((poll.into(), rest)),
                };
            }
        }
        [text, rest @ ..] => return Ok((Body::text(text), rest)),
        [] => return Err("a message without words".to_owned()),
    };
    Ok((content.into(), rest))
}

use proptest::prelude::*;

use super::*;

fn finds(query: &str, text: &str) -> bool {
    Query::of(query).expect("a query").finds(text).is_some()
}

/// The parts of the text that were found.
fn found(query: &str, text: &str) -> Vec<String> {
    let places = Query::of(query).expect("a query").finds(text).unwrap_or_default();
    let part = |range: &Range<u32>| text.chars().skip(range.start as usize).take(range.len()).collect();
    places.iter().map(part).collect()
}

#[test]
fn words_are_found_by_their_beginning_without_case_width_and_diacritics() {
    for (query, text, parts) in [
        ("hel", "Hello, HELP!", &["Hel", "HEL"][..]),
        ("ello", "Hello", &[]),
        ("cafe", "zwei Cafés", &["Café"]),
        ("CAFÉ", "cafe\u{301}", &["cafe"]),
        ("strasse", "Die Straße 5", &["Straße"]),
        ("abc", "ＡＢＣ", &["ＡＢＣ"]),
        ("two one", "one two three", &["one", "two"]),
        ("one four", "one two three", &[]),
        ("2026", "am 2026-11-30", &["2026"]),
        ("привет", "ПРИВЕТ мир", &["ПРИВЕТ"]),
        ("ελληνικος", "Ελληνικός", &["Ελληνικός"]),
        ("ilk", "İlk", &["İlk"]),
    ] {
        assert_eq!(found(query, text), parts, "{query:?} in {text:?}");
    }
}

#[test]
fn runs_of_scripts_without_spaces_are_found_anywhere() {
    for (query, text, parts) in [
        ("本語", "日本語です", &["本語"][..]),
        ("語", "日本語", &["語"]),
        ("日語", "日本語", &[]),
        ("か", "がか", &["か"]),
        ("한국", "대한국민", &["한국"]),
        ("手机", "我的iPhone手机呢", &["手机"]),
        ("iphone手机", "手机是iPhone", &["手机", "iPhone"]),
        ("สวัส", "คำสวัสดี", &["สวัส"]),
        ("本語 日本", "日本語", &["日本語"]),
    ] {
        assert_eq!(found(query, text), parts, "{query:?} in {text:?}");
    }
}

#[test]
fn a_query_has_a_word_and_not_too_many() {
    assert!(Query::of("").expect("no words").is_empty());
    assert_eq!(Query::of("?! 🚀").map_err(|why| why.code), Err("no_word"));
    let many = |words: usize| (0..words).map(|word| format!("w{word} ")).collect::<String>();
    assert!(Query::of(&many(limits::SEARCH_WORDS)).is_ok());
    assert_eq!(Query::of(&many(limits::SEARCH_WORDS + 1)).map_err(|why| why.code), Err("too_many_words"));
    assert_eq!(Query::of("a a A").map(|query| query.words.len()), Ok(1), "each word is once");
}

#[test]
fn a_snippet_is_around_the_first_place() {
    let one = |range: Range<u32>| vec![range];
    let text = format!("{} needle {}", "a ".repeat(200), "z ".repeat(200));
    let places = Query::of("needle").expect("a query").finds(&text).expect("found");
    let (cut, inside) = snippet(&text, &places);
    assert_eq!((cut.chars().count(), inside), (SNIPPET_CHARS, one(40..46)));
    assert_eq!(&cut[40..46], "needle");
    assert_eq!(snippet("short 语", &one(6..7)), ("short 语".to_owned(), one(6..7)));
}

#[test]
fn captions_names_and_texts_are_words() {
    use crate::content::{Attachment, Image, Notice, Voice};
    let file = Some(Attachment { name: "cat.png".to_owned(), ..Default::default() });
    let image = Body::from(Image { file: file.clone(), caption: "Our cat".to_owned(), ..Default::default() });
    assert!(finds("our cat", &text_of(&image)));
    assert!(finds("notice", &text_of(&Notice { text: "A notice".to_owned() }.into())));
    assert_eq!(text_of(&Voice { file, duration_ms: 9_000 }.into()), "");
}

/// The rule by plain means: no units, no places.
fn naive(query: &str, text: &str) -> bool {
    let fold = |text: &str| -> String {
        let plain = text.chars().filter(|c| !is_combining_mark(*c) && !is_joiner(*c));
        plain.flat_map(folded).map(|c| if c.is_alphanumeric() { c } else { ' ' }).collect()
    };
    // A space wherever the script changes.
    let spaced = |text: String| -> String {
        let mut spaced = String::from(" ");
        let mut before = None;
        for c in text.chars() {
            if before.is_some_and(|before: char| is_unspaced(before) != is_unspaced(c)) {
                spaced.push(' ');
            }
            spaced.push(c);
            before = Some(c);
        }
        spaced
    };
    let text = spaced(fold(text));
    spaced(fold(query)).split_whitespace().all(|word| {
        let is_run = word.chars().next().is_some_and(is_unspaced);
        if is_run { text.contains(word) } else { text.contains(&format!(" {word}")) }
    })
}

fn texts() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "a", "A", "b", "ä", "a\u{308}", "é", "ß", " ", " ", ",", "1", "日", "本", "語", "が", "ｶ", "한", "国", "ｆ",
        "-", "🚀", "\u{200d}", "İ", "ก", "่",
    ]);
    prop::collection::vec(pieces, 0..14).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn a_query_finds_as_a_plain_search_does(query in texts(), text in texts()) {
        if let Ok(query_of) = Query::of(&query) {
            prop_assert_eq!(query_of.finds(&text).is_some(), naive(&query, &text));
        }
    }

    #[test]
    fn each_message_that_is_found_has_all_terms(query in texts(), text in texts(), any in ".{0,12}") {
        for text in [&text, &any] {
            let Ok(query) = Query::of(&query) else { continue };
            if query.finds(text).is_none() {
                continue;
            }
            let terms = terms(text);
            for lookup in query.lookups() {
                let has = match &lookup {
                    Lookup::Term(term) => terms.contains(term),
                    Lookup::Prefix(prefix) => terms.iter().any(|term| term.starts_with(&**prefix)),
                };
                prop_assert!(has, "{:?} of {:?} in {:?}", lookup, query, terms);
            }
        }
    }

    #[test]
    fn a_text_finds_itself_and_places_are_apart(text in any::<String>()) {
        let Ok(query) = Query::of(&text) else { return Ok(()) };
        let places = query.finds(&text).expect("each word is there");
        prop_assert!(places.windows(2).all(|two| two[0].end < two[1].start));
        prop_assert!(places.iter().all(|range| range.start < range.end));
        prop_assert!(places.last().is_none_or(|last| last.end as usize <= text.chars().count()));
        let (cut, inside) = snippet(&text, &places);
        prop_assert!(inside.iter().all(|range| range.end as usize <= cut.chars().count()));
    }
}

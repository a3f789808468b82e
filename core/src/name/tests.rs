use proptest::prelude::*;
use xxhash_rust::xxh3::Xxh3Default;

use super::*;

fn key_of(text: &str) -> NameKey {
    Username::check(text).unwrap_or_else(|why| panic!("{text}: {why}")).key().clone()
}

/// Names that 0.1 accepted, with the keys and slots that it gave them. Accounts are found by them:
/// a value that changes here locks its owner out.
#[test]
fn names_of_old_accounts_keep_key_and_slot() {
    let golden: [(&str, &str, u16); 14] = [
        ("anna", "anna", 57),
        ("Bert", "bert", 266),
        ("a-b.c_d", "a-b.c_d", 847),
        ("1st", "1st", 508),
        ("modern", "modern", 866),
        ("rn1l0o", "rn1l0o", 629),
        ("x.y_z-9", "x.y_z-9", 708),
        ("Bücher", "bücher", 585),
        ("Zoë", "zoë", 674),
        ("чайка", "чайка", 362),
        ("Чайка", "чайка", 362),
        ("ΟΔΥΣΣΕΥΣ", "οδυσσευσ", 872),
        ("安安安", "安安安", 708),
        ("김민준", "김민준", 277),
    ];
    for (text, key, slot) in golden {
        assert_eq!(Username::kept(text, None).key().as_str(), key, "{text}");
        assert_eq!(Username::kept(text, None).slot(), Slot(slot), "{text}");
        assert_eq!(NameKey::candidates(text)[0], NameKey(key.into()), "{text}: the old key is asked first");
    }
}

#[test]
fn an_ascii_name_has_its_old_key_and_no_other() {
    for text in ["anna", "Bert", "a-b.c_d", "1st", "modern", "rn1l0o", "vvilliam", "x.y_z-9", "admin", "g12"] {
        assert_eq!(key(text), fold(text));
        assert_eq!(NameKey::candidates(text), [NameKey(fold(text))]);
    }
}

/// New accounts in common scripts whose key is the old one as well.
#[test]
fn most_names_outside_ascii_keep_the_old_key() {
    for text in ["Bücher", "zoë", "naïve", "安安安", "김민준", "한국어"] {
        assert_eq!(key(text), fold(text), "{text}");
    }
}

#[test]
fn names_of_all_scripts_are_allowed() {
    for text in [
        "ab",
        "a1",
        "张三",
        "हिन्दी",
        "ไม่รู้",
        "தமிழ்",
        "Anna",
        "чайка",
        "1st",
        "a-b.c_d",
        "Nguyễn",
        "한국",
        "山田太郎",
        "さくら",
        "ヤマダ",
        "李_lee",
        "محمد",
        "דוד",
        "Ελένη",
        "ΟΔΥΣΣΕΥΣ",
        "Вова",
        "ბექა",
        "አበበ",
        "李小龍Bruce",
    ] {
        assert_eq!(Username::check(text).map(|name| name.to_string()), Ok(text.to_owned()));
    }
    assert_eq!(Username::check(&"a".repeat(32)).map(|name| name.to_string()), Ok("a".repeat(32)));
}

#[test]
fn other_names_are_refused() {
    let long = "a".repeat(33);
    let huge = "\u{fdfa}".repeat(30);
    for text in [
        "",
        "a",
        "李",
        "_ab",
        ".ab",
        "-ab",
        "a b",
        "a\tb",
        "abc\n",
        "a@b",
        "123",
        "12-34",
        "१२३",
        "a_",
        &long,
        &huge,
        // Marks without a letter, and a pile of them.
        "\u{301}ab",
        "a-\u{301}b",
        "1\u{301}b",
        "abe\u{301}\u{302}\u{303}\u{304}\u{305}\u{306}",
        // Invisible and steering characters.
        "al\u{200b}ice",
        "al\u{200d}ice",
        "alice\u{fe0f}",
        "\u{202e}alice",
        "ali\u{ad}ce",
        "\u{3164}\u{3164}\u{3164}",
        "alice\u{3164}",
        "a\u{34f}lice",
        "\u{2068}alice",
        "alice\u{e0041}",
        "a\u{2028}b",
        // Scripts whose letters look alike.
        "аlice",
        "alicе",
        "bοb",
        "Ꭺlice",
        "pаypal",
        "ԁavid",
        // In capitals it is `BOB` to every eye.
        "ВОВ",
        "ΝΙΚΗ",
        // Ids.
        "g49319",
        "G1",
        "g0",
        "d1-2",
        "D12-40",
        "12345",
        // Reserved.
        "everyone",
        "Admin",
        "ADMINISTRATOR",
        "root",
        "system",
        "troupe",
        "support",
        "moderators",
        "ad-min",
        "admin_",
        "ｅｖｅｒｙｏｎｅ",
        "ａｄｍｉｎ",
    ] {
        assert!(Username::check(text).is_err(), "{text:?}");
    }
    assert!(Username::for_operator("admin").is_ok(), "an operator may use reserved words ...");
    assert!(Username::for_operator("g1").is_err(), "... but not what the clients read as an id");
}

#[test]
fn names_that_look_alike_are_one() {
    for (a, b) in [
        ("ANNA", "anna"),
        ("Чайка", "чАЙКА"),
        ("ΟΔΥΣΣΕΥΣ", "οδυσσευς"),
        ("Straße", "STRASSE"),
        ("ａｌｉｃｅ", "alice"),
        ("\u{1112}\u{1161}\u{11ab}국", "한국"),
        ("Zoe\u{308}", "Zoë"),
        // Cyrillic all of it.
        ("соса", "coca"),
        ("ѕсоре", "scope"),
        ("ɑlice", "alice"),
        ("ﬁona", "fiona"),
        ("İda", "i\u{307}da"),
    ] {
        assert_eq!(key_of(a), key_of(b), "{a} {b}");
        assert!(same_name(a, b));
    }
    for (a, b) in [
        ("anna", "annb"),
        ("modern", "modem"),
        ("alice", "a1ice"),
        ("bob", "b0b"),
        ("Bücher", "bucher"),
        ("각가", "가까"),
    ] {
        assert_ne!(key_of(a), key_of(b), "{a} {b}");
    }
    // Refused as new names, but found under the same key by a login or a search.
    assert_eq!(key("аlice"), "alice");
    assert_eq!(key("al\u{200b}ice"), "alice");
}

#[test]
fn a_login_finds_old_and_new_accounts() {
    let has = |text, key: &str| NameKey::candidates(text).contains(&NameKey(key.to_owned()));
    assert!(has("привет", "привет"), "registered by 0.1");
    assert!(has("ПРИВЕТ", "привет"));
    assert!(has("οδυσσευς", "οδυσσευσ"), "registered by 0.1 in capitals");
    assert!(has("ＡＢＣ", "ａｂｃ") && has("ＡＢＣ", "abc"));
    assert_eq!(NameKey::candidates("привет").last(), Some(&NameKey::of("привет")));
    assert_eq!(NameKey::candidates(""), []);
    assert_eq!(NameKey::candidates(&"ж".repeat(200)), []);
}

#[test]
fn a_kept_name_is_whatever_the_log_says() {
    for text in ["", "g1", "admin", "аlice", "al\u{200b}ice"] {
        assert_eq!(Username::kept(text, None).key().as_str(), fold(text));
        assert!(Username::kept(text, None).has_plain_key());
    }
    assert_eq!(Username::kept("привет", Some("k")).key().as_str(), "k");
    assert!(!Username::kept("привет", Some("k")).has_plain_key());
}

/// The key of an account is computed again at each login, so the table behind it must never change.
/// If a new version of a crate changes this sum, new characters may have been added: make sure that
/// no old one has another skeleton.
#[test]
fn the_table_of_confusables_never_changes() {
    let mut sum = Xxh3Default::new();
    for c in (0x80..=0x10_ffff).filter_map(char::from_u32) {
        let text = c.to_string();
        let skeleton = skeleton(&text);
        if skeleton != text {
            sum.update(text.as_bytes());
            sum.update(skeleton.as_bytes());
        }
    }
    assert_eq!(format!("{:016x}", sum.digest()), "7ed4807544d9be28");
}

#[test]
fn a_key_is_the_key_of_itself_for_every_character() {
    for c in ('\0'..=char::MAX).filter(|c| c.is_alphanumeric() || is_combining_mark(*c)) {
        let once = key(&c.to_string());
        assert_eq!(key(&once), once, "{c} {:x}", c as u32);
        assert_eq!(fold(&once), once, "{c} {:x}", c as u32);
    }
}

proptest! {
    #[test]
    fn names_of_any_text(text in "\\PC{0,20}|[a-zA-Zа-яё0-9_.-]{1,12}|[\\p{L}\\p{M}]{1,6}") {
        let once = key(&text);
        prop_assert_eq!(key(&once), once.clone());
        prop_assert!(NameKey::candidates(&text).len() <= NameKey::CANDIDATES);
        if let Ok(name) = Username::check(&text) {
            prop_assert_eq!(name.key().as_str(), &once);
            prop_assert!(same_name(name.as_str(), &text));
            prop_assert!(NameKey::candidates(&text).contains(name.key()));
            prop_assert!(NameKey::candidates(name.as_str()).contains(name.key()));
            prop_assert_eq!(crate::text::clean(name.as_str()), name.as_str());
        }
    }
}

use proptest::prelude::*;
use troupe_runtime::Rng;

use super::{Token, TokenError};

#[test]
fn the_text_of_a_token_gives_the_token_back() {
    let token = Token::generate(&Rng::from_seed(1));
    assert_eq!(Token::parse(&token.reveal()), Ok(token.clone()));
    assert_eq!(Token::parse(&format!("  {}\n", token.reveal())), Ok(token));
}

#[test]
fn two_tokens_differ_and_so_do_their_fingerprints() {
    let rng = Rng::from_seed(2);
    let (one, two) = (Token::generate(&rng), Token::generate(&rng));
    assert_ne!(one, two);
    assert_ne!(one.fingerprint(), two.fingerprint());
}

#[test]
fn debug_output_names_the_token_and_keeps_its_secret() {
    let token = Token::generate(&Rng::from_seed(3));
    let text = token.reveal();
    let seed = text.split('.').nth(1).expect("three parts");
    let shown = format!("{token:?}");
    assert!(!shown.contains(seed), "{shown}");
    assert!(shown.contains(&token.fingerprint().to_string()), "{shown}");
}

#[test]
fn every_single_typing_error_is_found() {
    let text = Token::generate(&Rng::from_seed(4)).reveal();
    for at in 0..text.len() {
        for wrong in ['A', 'z', '7', '.', '!'] {
            let mut typed: Vec<char> = text.chars().collect();
            // Hex digits are accepted in either case, so a change of case alone there is no error.
            if typed[at].eq_ignore_ascii_case(&wrong) {
                continue;
            }
            typed[at] = wrong;
            let typed: String = typed.into_iter().collect();
            assert!(Token::parse(&typed).is_err(), "{wrong:?} at {at} went unnoticed");
        }
    }
}

#[test]
fn each_kind_of_damage_has_its_own_words() {
    let text = Token::generate(&Rng::from_seed(5)).reveal();
    let parts: Vec<&str> = text.split('.').collect();
    assert_eq!(Token::parse(""), Err(TokenError::NotAToken));
    assert_eq!(Token::parse("hello"), Err(TokenError::NotAToken));
    assert_eq!(Token::parse(&format!("troupe1.{}", parts[1])), Err(TokenError::Shape));
    assert_eq!(Token::parse(&format!("{text}.more")), Err(TokenError::Shape));
    assert_eq!(Token::parse(&format!("troupe1.AAAA.{}", parts[2])), Err(TokenError::Seed));
    assert_eq!(Token::parse(&format!("troupe1.{}.+234567890abcdef", parts[1])), Err(TokenError::Fingerprint));
    assert_eq!(Token::parse(&format!("troupe1.{}.0000000000000000", parts[1])), Err(TokenError::Typo));
}

proptest! {
    #[test]
    fn parsing_is_total(text in ".{0,100}") {
        let _ = Token::parse(&text);
        let _ = Token::parse(&format!("troupe1.{text}"));
    }
}

#[test]
fn the_operator_key_follows_from_the_token_and_from_no_other() {
    let (one, other) = (Token::generate(&Rng::from_seed(1)), Token::generate(&Rng::from_seed(2)));
    let key = one.operator_key();
    assert!(key.is(Token::parse(&one.reveal()).unwrap().operator_key().reveal()));
    assert!(!key.is(other.operator_key().reveal()));
    assert!(!key.is("") && !key.is(&one.reveal()));
    assert!(!one.reveal().contains(key.reveal()));
}

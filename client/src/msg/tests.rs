use super::*;

#[test]
fn json_keeps_its_value_and_steers_no_terminal() {
    for text in ["plain", "tab\tnew\nline", "\u{1b}[2J\u{9b}31m\u{7f}", "a\u{202e}b\u{2028}c\u{e0041}", "Grüße 张三 👩‍🚀"]
    {
        let value = json!({ "text": text });
        let line = as_line(&value);
        assert_eq!(line, clean(&line), "{text:?}");
        assert_eq!(serde_json::from_str::<Value>(&line).expect("it is JSON"), value);
    }
}

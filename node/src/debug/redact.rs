//! Logs without secrets: one-time passwords that a node prints, join tokens, and what opens a store
//! of objects.

/// In front of a one-time password, in the text of a node.
const PASSWORD: &str = "one-time password: ";
/// The beginning of a join token.
const TOKEN: &str = "troupe1.";
/// In front of the keys of a store, as shells, units and URLs have them.
const STORE: [&str; 6] = [
    "AWS_SECRET_ACCESS_KEY=",
    "AWS_SESSION_TOKEN=",
    "aws_secret_access_key = ",
    "aws_session_token = ",
    "X-Amz-Signature=",
    "X-Amz-Security-Token=",
];
const SECRET: &str = "(secret)";

pub fn log(text: &str) -> String {
    text.split_inclusive('\n').map(line).collect()
}

fn line(line: &str) -> String {
    let line = replaced(&replaced(line, PASSWORD, true), TOKEN, false);
    STORE.iter().fold(line, |line, mark| replaced(&line, mark, true))
}

/// The word behind each mark, and the mark itself unless it stays.
fn replaced(text: &str, mark: &str, stays: bool) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once(mark) {
        out.push_str(before);
        if stays {
            out.push_str(mark);
        }
        out.push_str(SECRET);
        rest = behind
            .trim_start_matches(|c: char| !c.is_whitespace() && !matches!(c, '"' | '\'' | '\\' | ',' | ';' | '&'));
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_taken_out_and_the_rest_stays() {
        for (said, kept) in [
            ("serving node=1\n", "serving node=1\n"),
            ("is \"admin\"; one-time password: abc-DEF\nnext\n", "is \"admin\"; one-time password: (secret)\nnext\n"),
            ("{\"m\":\"one-time password: abc\\nIt\"}", "{\"m\":\"one-time password: (secret)\\nIt\"}"),
            ("token=\"troupe1.ab_c.0123\" kept", "token=\"(secret)\" kept"),
            ("troupe1.a.b troupe1.c.d", "(secret) (secret)"),
            ("AWS_SECRET_ACCESS_KEY=a/b+c AWS_REGION=x", "AWS_SECRET_ACCESS_KEY=(secret) AWS_REGION=x"),
            ("?X-Amz-Signature=0f&b=1", "?X-Amz-Signature=(secret)&b=1"),
        ] {
            assert_eq!(log(said), kept);
        }
    }
}

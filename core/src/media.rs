//! The media type of a file, as its first bytes show it. Nothing relies on the type that an owner
//! claims.

/// Of bytes without a known beginning.
pub const UNKNOWN: &str = "application/octet-stream";
const TEXT: &str = "text/plain; charset=utf-8";

/// The beginnings of files, at their places.
const SIGNATURES: &[(usize, &[u8], &str)] = &[
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (4, b"ftypavif", "image/avif"),
    (8, b"WAVE", "audio/wav"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"\xff\xfb", "audio/mpeg"),
    (0, b"\xff\xf3", "audio/mpeg"),
    (0, b"fLaC", "audio/flac"),
    (28, b"\x01vorbis", "audio/ogg"),
    (28, b"OpusHead", "audio/ogg"),
    (4, b"ftypM4A", "audio/mp4"),
    (4, b"ftyp", "video/mp4"),
    (0, b"\x1a\x45\xdf\xa3", "video/webm"),
    (0, b"%PDF-", "application/pdf"),
    (0, b"PK\x03\x04", "application/zip"),
    (0, b"\x1f\x8b", "application/gzip"),
    (0, b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
];

/// Types that a browser shows without executing anything. All others are downloads.
const SHOWN: &[&str] = &[
    "image/jpeg",
    "image/png",
    "image/gif",
    "image/webp",
    "image/avif",
    "audio/wav",
    "audio/mpeg",
    "audio/flac",
    "audio/ogg",
    "audio/mp4",
    "video/mp4",
    "video/webm",
];

/// Bytes of the beginning that a program looks at for text.
const LOOKED_AT: usize = 1024;

/// The type of a file that begins with these bytes. Markup and scripts are text.
pub fn sniff(first: &[u8]) -> &'static str {
    let found = SIGNATURES.iter().find(|(at, bytes, of)| {
        let riff = matches!(*of, "image/webp" | "audio/wav");
        first.get(*at..).is_some_and(|rest| rest.starts_with(bytes)) && (!riff || first.starts_with(b"RIFF"))
    });
    match found {
        Some((_, _, of)) => of,
        None if is_text(&first[..first.len().min(LOOKED_AT)]) => TEXT,
        None => UNKNOWN,
    }
}

/// Whether a browser may show it in its place.
pub fn is_shown(media_type: &str) -> bool {
    SHOWN.contains(&media_type)
}

/// Whether this is UTF-8 without controls, up to a last character that was cut.
fn is_text(bytes: &[u8]) -> bool {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !text.is_empty() && text.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_decide() {
        for (first, of) in [
            (&b"\x89PNG\r\n\x1a\n...."[..], "image/png"),
            (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
            (b"RIFF\0\0\0\0WAVEfmt ", "audio/wav"),
            (b"xxxx\0\0\0\0WEBPVP8 ", UNKNOWN),
            (b"\0\0\0\x20ftypisom", "video/mp4"),
            (b"\0\0\0\x20ftypavif", "image/avif"),
            (b"<!doctype html><script>alert(1)</script>", TEXT),
            (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", TEXT),
            ("gr\u{fc}\u{df}".as_bytes(), TEXT),
            (&"gr\u{fc}\u{df}".as_bytes()[..5], TEXT),
            (b"\xfc\xdf", UNKNOWN),
            (b"MZ\x90\0", UNKNOWN),
            (b"a", TEXT),
            (b"\0", UNKNOWN),
        ] {
            assert_eq!(sniff(first), of, "{first:?}");
        }
        assert!(!is_shown(TEXT) && !is_shown("application/pdf") && !is_shown("image/svg+xml") && is_shown("image/png"));
    }
}

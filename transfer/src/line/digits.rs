//! Bytes in hexadecimal digits.

/// Bytes from two digits each.
pub fn id_from<const BYTES: usize>(text: &str) -> Option<[u8; BYTES]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * BYTES || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let byte = |at: usize| u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok();
    let mut id = [0; BYTES];
    for (at, place) in id.iter_mut().enumerate() {
        *place = byte(at)?;
    }
    Some(id)
}

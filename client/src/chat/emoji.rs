//! The table of `:emoji`.

const PAGE: usize = 20;

const EMOJI: &[&str] = &[
    "😀", "😃", "😄", "😁", "😆", "😅", "😂", "🤣", "😊", "😇", "🙂", "🙃", "😉", "😌", "😍", "🥰", "😘", "😋", "😛",
    "😜", "🤪", "🤨", "🧐", "🤓", "😎", "🥳", "😏", "😒", "😞", "😔", "😟", "😕", "🙁", "😣", "😖", "😫", "😩", "🥺",
    "😢", "😭", "😤", "😠", "😡", "🤯", "😳", "🥵", "🥶", "😱", "😨", "😰", "😥", "😓", "🤗", "🤔", "🤭", "🤫", "🤥",
    "😶", "😐", "😬", "👍", "👎", "👌", "✌", "🤞", "🤝", "👏", "🙌", "🙏", "💪", "👀", "❤", "💔", "✨", "🔥", "🎉",
    "✅", "❌", "☕", "🍺",
];

pub(super) fn pages() -> usize {
    EMOJI.len().div_ceil(PAGE)
}

/// A page of the table, from 1.
pub(super) fn page(number: usize) -> Option<String> {
    Some(EMOJI.chunks(PAGE).nth(number.checked_sub(1)?)?.join(" "))
}

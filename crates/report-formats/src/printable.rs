//! Text of images and feeds, made safe for a terminal.
//!
//! Whoever makes an image chooses the names in it. Written as they are, they could clear the screen, hide a line of the
//! report or set the window's title.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Most characters of one cell of a table. The JSON has the whole text.
const CELL_CHARS_MAX: usize = 200;

/// The text with everything that a terminal would obey instead of show written as `\u{1b}`; line breaks too.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_obeyed) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_obeyed(character) {
            write!(shown, "{}", character.escape_unicode()).expect("writing to a String cannot fail");
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

/// The text as a cell of a table: printable, and cut where it would make the table useless.
pub(crate) fn cell(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(CELL_CHARS_MAX) {
        None => printable(text),
        Some((end, _)) => Cow::Owned(format!("{}…", printable(&text[..end]))),
    }
}

/// Control characters, and those that change the direction or hide what follows.
fn is_obeyed(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        for (text, expected) in [
            ("libssl3 1:3.0~rc1+b1 (größer ✓)", "libssl3 1:3.0~rc1+b1 (größer ✓)"),
            ("\u{1b}[2Jx", "\\u{1b}[2Jx"),
            ("a\rb\nc\td\u{7}", "a\\u{d}b\\u{a}c\\u{9}d\\u{7}"),
            ("\u{7f}\u{9b}31m", "\\u{7f}\\u{9b}31m"),
            ("a\u{202e}b\u{2066}\u{200b}", "a\\u{202e}b\\u{2066}\\u{200b}"),
            ("", ""),
        ] {
            assert_eq!(printable(text), expected);
        }
    }

    #[test]
    fn a_cell_has_a_longest_text() {
        for (length, shown) in [(199, 199), (200, 200), (201, 201), (5000, 201)] {
            let text = cell(&"ü".repeat(length)).into_owned();
            assert_eq!(text.chars().count(), shown);
            assert_eq!(text.ends_with('…'), length > 200);
        }
    }
}

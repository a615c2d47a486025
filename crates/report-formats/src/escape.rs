//! Text of images and feeds, made harmless for each kind of document that it is put into.
//!
//! Whoever makes an image chooses the names in it, and a report is opened by somebody else: in a browser, a spreadsheet, the
//! comments of a code host.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::printable::printable;

/// The text as content or quoted attribute of XML and HTML; what a terminal would obey is written as `\u{1b}`.
///
/// Most control characters are not allowed in XML at all, not even as a reference.
pub(crate) fn markup(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in printable(text).chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // Not characters of XML.
            '\u{fffe}' | '\u{ffff}' => {
                write!(escaped, "{}", character.escape_unicode()).expect("writing to a String cannot fail");
            }
            other => escaped.push(other),
        }
    }
    escaped
}

/// The text as one field of a CSV file, quoted where it must be.
///
/// Spreadsheets take what begins with one of `=+-@` for a formula, quoted or not; an apostrophe in front makes it text.
pub(crate) fn csv_field(text: &str) -> String {
    let shown = printable(text);
    let is_formula =
        shown.trim_start().starts_with(['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}']);
    let shown = if is_formula { Cow::Owned(format!("'{shown}")) } else { shown };
    if shown.contains(['"', ',', ';']) || shown.starts_with(' ') || shown.ends_with(' ') {
        format!("\"{}\"", shown.replace('"', "\"\""))
    } else {
        shown.into_owned()
    }
}

/// The text as code in a cell of a Markdown table: nothing in it is a link, a mention, HTML or the end of the cell.
pub(crate) fn markdown_code(text: &str) -> String {
    let shown = printable(text).replace('|', "\\|");
    if shown.is_empty() {
        return String::new();
    }
    let (mut longest, mut run) = (0_usize, 0_usize);
    for character in shown.chars() {
        run = if character == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    let fence = "`".repeat(longest + 1);
    let pad = if longest > 0 || shown.trim().is_empty() { " " } else { "" };
    format!("{fence}{pad}{shown}{pad}{fence}")
}

/// The text as running text of Markdown, where every character of its syntax is only itself.
pub(crate) fn markdown_text(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in printable(text).chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            // Code hosts make mentions and links of these; behind the invisible joiner they do not.
            '@' => escaped.push_str("@\u{2060}"),
            ':' => escaped.push_str("&#58;"),
            other if other.is_ascii_punctuation() && !matches!(other, '.' | ',' | '/' | '%') => {
                escaped.push('\\');
                escaped.push(other);
            }
            other => escaped.push(other),
        }
    }
    escaped
}

/// An address that a reader may be led to: of the web, and without characters that would end it in a document. `None` for all
/// others, above all for `javascript:`.
pub(crate) fn web_address(text: &str) -> Option<String> {
    let scheme = text
        .get(..8)
        .filter(|start| start.eq_ignore_ascii_case("https://"))
        .or_else(|| text.get(..7).filter(|start| start.eq_ignore_ascii_case("http://")))?;
    if text.len() == scheme.len() {
        return None;
    }
    let mut address = String::with_capacity(text.len());
    for byte in text.bytes() {
        let is_harmless = byte.is_ascii_alphanumeric() || b"-._~:/?#@!$&*+,;=%".contains(&byte);
        if is_harmless {
            address.push(char::from(byte));
        } else {
            write!(address, "%{byte:02X}").expect("writing to a String cannot fail");
        }
    }
    Some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_holds_no_tag_and_no_control_character() {
        for (text, expected) in [
            ("libc6 2.36", "libc6 2.36"),
            ("<script>\"a\" & 'b'", "&lt;script&gt;&quot;a&quot; &amp; &#39;b&#39;"),
            ("a\u{0}\u{1b}[2J\u{fffe}", "a\\u{0}\\u{1b}[2J\\u{fffe}"),
        ] {
            assert_eq!(markup(text), expected);
        }
    }

    #[test]
    fn a_field_of_csv_is_no_formula() {
        for (text, expected) in [
            ("openssl", "openssl"),
            ("", ""),
            ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
            ("@scope/name", "'@scope/name"),
            ("-1+1,2", "\"'-1+1,2\""),
            (" =1", "' =1"),
            (" a", "\" a\""),
            ("a\"b", "\"a\"\"b\""),
            ("a\r\n=1", "a\\u{d}\\u{a}=1"),
            ("\t=1", "\\u{9}=1"),
        ] {
            assert_eq!(csv_field(text), expected, "{text:?}");
        }
    }

    #[test]
    fn code_in_markdown_stays_code() {
        for (text, expected) in [
            ("", ""),
            ("@angular/core", "`@angular/core`"),
            ("a|b", "`a\\|b`"),
            ("x`<b>``y", "``` x`<b>``y ```"),
            ("`", "`` ` ``"),
            ("a\n# b", "`a\\u{a}# b`"),
        ] {
            assert_eq!(markdown_code(text), expected);
        }
        assert_eq!(
            markdown_text("[a](http://b) <i> @c *d*"),
            "\\[a\\]\\(http&#58;//b\\) &lt;i&gt; @\u{2060}c \\*d\\*"
        );
    }

    #[test]
    fn only_addresses_of_the_web_become_links() {
        for (text, expected) in [
            ("https://example.org/CVE-1?a=b#c", Some("https://example.org/CVE-1?a=b#c")),
            ("HTTP://example.org/\"><script>", Some("HTTP://example.org/%22%3E%3Cscript%3E")),
            ("https://e.org/a)b(c]|d e\n", Some("https://e.org/a%29b%28c%5D%7Cd%20e%0A")),
            ("https://", None),
            ("javascript:alert(1)", None),
            ("data:text/html,x", None),
            (" https://e.org", None),
            ("ü", None),
        ] {
            assert_eq!(web_address(text).as_deref(), expected, "{text}");
        }
    }
}

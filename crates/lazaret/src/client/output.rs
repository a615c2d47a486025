//! Results: tables for people, JSON and YAML for programs. What a server sends cannot do anything to the terminal.

use std::fmt::Write as _;

use anyhow::Context as _;
use comfy_table::{ContentArrangement, Table, TableStyle};
use report_formats::printable;
use serde_json::Value;

use super::arguments::Format;
use crate::terminal;

/// Longest text in a cell.
const CELL_CHARS_MAX: usize = 240;

/// Prints what the server said in the form that was asked for; for people, the table.
pub(super) fn print(format: Format, answer: &Value, table: impl FnOnce() -> String) -> anyhow::Result<()> {
    terminal::print(&match format {
        Format::Default => table(),
        Format::Json => json(answer)?,
        Format::Yaml => yaml(answer)?,
    })
}

/// A table without frames, one line per row; empty cells keep their place.
pub(super) fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let mut table = Table::new();
    table.load_style(TableStyle::new()).set_header(header.iter().copied());
    match terminal::width() {
        Some(width) => table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width),
        None => table.set_content_arrangement(ContentArrangement::Disabled),
    };
    for row in rows {
        table.add_row(row.iter().map(|text| cell(text)));
    }
    format!("{}\n", table.trim_fmt())
}

fn cell(text: &str) -> String {
    match text.char_indices().nth(CELL_CHARS_MAX) {
        Some((end, _)) => format!("{}…", printable(&text[..end])),
        None => printable(text).into_owned(),
    }
}

/// Indented JSON. Characters that a terminal obeys are escaped, which means the same to a program.
fn json(value: &Value) -> anyhow::Result<String> {
    let text = serde_json::to_string_pretty(value).context("failed to write JSON")?;
    let mut shown = String::with_capacity(text.len() + 1);
    for character in text.chars() {
        if character == '\n' || !is_obeyed(character) {
            shown.push(character);
            continue;
        }
        let mut units = [0_u16; 2];
        for unit in character.encode_utf16(&mut units) {
            write!(shown, "\\u{unit:04x}").context("failed to write JSON")?;
        }
    }
    shown.push('\n');
    Ok(shown)
}

/// YAML; with characters that a terminal obeys in it, the JSON form, which is YAML too and has escapes for all of them.
fn yaml(value: &Value) -> anyhow::Result<String> {
    let text = serde_saphyr::to_string(value).context("failed to write YAML")?;
    if text.chars().any(|character| character != '\n' && is_obeyed(character)) {
        return json(value);
    }
    Ok(if text.ends_with('\n') { text } else { text + "\n" })
}

fn is_obeyed(character: char) -> bool {
    if matches!(character, ' '..='~') {
        return false;
    }
    let mut buffer = [0_u8; 4];
    let text: &str = character.encode_utf8(&mut buffer);
    printable(text) != text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_comes_out() {
        let hostile = json!([{"name": "a\u{1b}[2J\u{9b}31m\u{202e}b\r\n\u{7}", "é": "ü \u{1f600}"}]);
        for text in [
            json(&hostile).unwrap(),
            yaml(&hostile).unwrap(),
            table(&["Name"], &[vec![hostile[0]["name"].as_str().unwrap().to_owned()]]),
        ] {
            assert!(!text.contains(['\u{1b}', '\u{9b}', '\u{202e}', '\u{7}', '\r']), "{text:?}");
        }
        assert_eq!(serde_json::from_str::<Value>(&json(&hostile).unwrap()).unwrap(), hostile);
        assert_eq!(serde_saphyr::from_str::<Value>(&yaml(&hostile).unwrap()).unwrap(), hostile);
        assert_eq!(yaml(&json!({"a": [1, "true"]})).unwrap(), "a:\n- 1\n- \"true\"\n");
    }
}

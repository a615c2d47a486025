//! Documents that a person wrote: from a file or standard input, JSON or YAML.

use std::io::{self, IsTerminal as _, Read as _};
use std::path::Path;

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::config;
use crate::terminal;

const BYTES_MAX: u64 = 4 << 20;

/// A text out of a file; `-` and nothing are standard input. Also says where it is from.
pub(super) fn read_text(file: Option<&Path>) -> anyhow::Result<(String, String)> {
    match file {
        Some(path) if path != Path::new("-") => {
            Ok((config::load_text(path, BYTES_MAX)?, format!("`{}`", path.display())))
        }
        _ => Ok((read_standard_input()?, "standard input".to_owned())),
    }
}

/// A document out of a file; `-` and nothing are standard input. Also says where it is from.
pub(super) fn read(file: Option<&Path>) -> anyhow::Result<(Value, String)> {
    let (text, place) = read_text(file)?;
    if text.trim().is_empty() {
        bail!("{place} is empty: it should hold JSON or YAML");
    }
    Ok((parse(&text, &place)?, place))
}

fn read_standard_input() -> anyhow::Result<String> {
    let input = io::stdin();
    if input.is_terminal() {
        terminal::error_line("reading what you type; end it with Ctrl-D");
    }
    let mut bytes = Vec::new();
    let mut bounded = input.lock().take(BYTES_MAX + 1);
    io::copy(&mut bounded, &mut bytes).context("failed to read standard input")?;
    if bounded.limit() == 0 {
        bail!("standard input has more than {BYTES_MAX} bytes");
    }
    String::from_utf8(bytes).context("standard input is not UTF-8 text")
}

/// What begins like JSON is read as JSON, whose messages are better; all else as YAML.
fn parse(text: &str, place: &str) -> anyhow::Result<Value> {
    if text.trim_start().starts_with(['{', '[']) {
        let json = serde_json::from_str(text);
        // YAML has a form with braces too, without quotes.
        return json
            .or_else(|error| serde_saphyr::from_str(text).map_err(|_| error))
            .with_context(|| format!("{place} is not JSON"));
    }
    // The parser's message quotes lines, and in a secret a line is one.
    serde_saphyr::from_str(text).map_err(|error| {
        let problem = error.to_string();
        anyhow::anyhow!("{place} is neither JSON nor YAML: {}", problem.lines().next().unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_and_yaml_are_read() {
        for text in ["{\"a\": [1]}", "a: [1]", "a:\n- 1\n", "{a: [1]}", "\n  {\"a\": [1]}\n"] {
            assert_eq!(parse(text, "it").unwrap(), json!({"a": [1]}), "{text}");
        }
        for (text, expected) in
            [("{\"a\": ", "it is not JSON"), ("a: [hush", "it is neither"), ("a: b: c", "it is neither")]
        {
            let error = terminal::chain(&parse(text, "it").unwrap_err());
            assert!(error.starts_with(expected) && !error.contains("hush"), "{error}");
        }
    }
}

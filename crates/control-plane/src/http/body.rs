//! Bodies as JSON of a form, and what is wrong with one in words that repeat no value: it may be a password.

use serde::de::DeserializeOwned;
use serde_json::error::Category;

/// Reads a form. Errors: a text with the field, the place and what was expected.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let text = without_value(error.inner());
        // The path of the whole body is a dot.
        if path == "." { text } else { format!("{path}: {text}") }
    })?;
    reader.end().map_err(|error| without_value(&error))?;
    Ok(value)
}

fn without_value(error: &serde_json::Error) -> String {
    let text = error.to_string();
    if error.classify() != Category::Data {
        // About the text as JSON: it names places and kinds of characters.
        return text;
    }
    if ["missing field `", "unknown field `", "duplicate field `"].iter().any(|begin| text.starts_with(begin))
    {
        return text;
    }
    // `invalid type: string "secret", expected u32 at line 1 column 9`: the value may hold the same words, so the last count.
    let kinds = ["invalid type", "invalid value", "invalid length", "unknown variant"];
    let kind = kinds.iter().find(|kind| text.starts_with(**kind));
    match kind.zip(text.rfind(", expected ")) {
        Some((kind, at)) => format!("{kind}{}", &text[at..]),
        None => {
            format!("a value that does not belong here at line {} column {}", error.line(), error.column())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read into")]
    struct Form {
        number: u8,
        #[serde(default)]
        list: Vec<Inner>,
        #[serde(default)]
        address: Option<IpAddr>,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only read into")]
    struct Inner {
        password: String,
        kind: Option<Kind>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        One,
    }

    #[test]
    fn values_are_not_repeated() {
        for (body, expected) in [
            (r#"{"number": "hunter2"}"#, "number: invalid type, expected u8 at line 1 column 20"),
            (
                r#"{"number": "hunter2, expected hunter2"}"#,
                "number: invalid type, expected u8 at line 1 column 38",
            ),
            (r#"{"number": 777}"#, "number: invalid value, expected u8 at line 1 column 14"),
            (
                r#"{"number": 1, "list": [{"password": 777}]}"#,
                "list[0].password: invalid type, expected a string at line 1 column 39",
            ),
            (
                r#"{"number": 1, "list": [{"password": "", "kind": "hunter2"}]}"#,
                "list[0].kind: unknown variant, expected `one` at line 1 column 57",
            ),
            (
                r#"{"number": 1, "address": "hunter2"}"#,
                "address: a value that does not belong here at line 1 column 34",
            ),
            (r#""hunter2""#, "invalid type, expected struct Form at line 1 column 9"),
            ("{}", "missing field `number` at line 1 column 2"),
            (r#"{"number": 1} x"#, "trailing characters at line 1 column 15"),
            (r#"{"number": hunter2"#, "number: expected value at line 1 column 12"),
        ] {
            let text = parse::<Form>(body.as_bytes()).unwrap_err();
            assert_eq!(text, expected, "{body}");
        }
    }
}

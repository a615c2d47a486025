//! Values as Python prints them: messages of the policy language quote lists and values in that form.

use std::fmt::Write as _;

use serde_json::Value;

const VALUE_CHARS_MAX: usize = 300;

/// A string in quotes, with the escapes of Python's `repr`.
pub(crate) fn repr(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push(quote);
    for character in text.chars() {
        match character {
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            character if character == quote => {
                quoted.push('\\');
                quoted.push(character);
            }
            character if character.is_control() => {
                write!(quoted, "\\x{:02x}", u32::from(character)).expect("writing to a String cannot fail");
            }
            character => quoted.push(character),
        }
    }
    quoted.push(quote);
    quoted
}

/// A list of strings: `['A', 'B']`.
pub(crate) fn repr_list<'a>(items: impl IntoIterator<Item = &'a str>) -> String {
    let items: Vec<String> = items.into_iter().map(repr).collect();
    format!("[{}]", items.join(", "))
}

/// A JSON value, cut when it is long.
pub(crate) fn repr_value(value: &Value) -> String {
    let mut text = String::new();
    write_value(value, &mut text);
    if text.chars().count() > VALUE_CHARS_MAX {
        text = text.chars().take(VALUE_CHARS_MAX).chain(['…']).collect();
    }
    text
}

fn write_value(value: &Value, text: &mut String) {
    if text.len() > 4 * VALUE_CHARS_MAX {
        return;
    }
    match value {
        Value::Null => text.push_str("None"),
        Value::Bool(true) => text.push_str("True"),
        Value::Bool(false) => text.push_str("False"),
        Value::Number(number) => text.push_str(&number.to_string()),
        Value::String(string) => text.push_str(&repr(string)),
        Value::Array(items) => {
            text.push('[');
            for (position, item) in items.iter().enumerate() {
                if position > 0 {
                    text.push_str(", ");
                }
                write_value(item, text);
            }
            text.push(']');
        }
        Value::Object(members) => {
            text.push('{');
            for (position, (name, member)) in members.iter().enumerate() {
                if position > 0 {
                    text.push_str(", ");
                }
                text.push_str(&repr(name));
                text.push_str(": ");
                write_value(member, text);
            }
            text.push('}');
        }
    }
}

/// A score as Python prints a float: `9.8`, `10.0`.
pub(crate) fn repr_float(number: f64) -> String {
    format!("{number:?}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_look_as_python_prints_them() {
        let cases = [
            (json!(null), "None"),
            (json!(true), "True"),
            (json!(5), "5"),
            (json!(1.5), "1.5"),
            (json!("a'b"), "\"a'b\""),
            (json!("a'b\"c"), "'a\\'b\"c'"),
            (json!("a\\\n\u{1}"), "'a\\\\\\n\\x01'"),
            (json!([]), "[]"),
            (json!({"id": [1, "x"], "b": {}}), "{'id': [1, 'x'], 'b': {}}"),
        ];
        for (value, expected) in cases {
            assert_eq!(repr_value(&value), expected);
        }
        assert_eq!(repr_list(["A", "B"]), "['A', 'B']");
        assert_eq!((repr_float(10.0), repr_float(-1.0)), ("10.0".to_owned(), "-1.0".to_owned()));
    }

    #[test]
    fn long_values_are_cut() {
        let text = repr_value(&json!(vec!["x".repeat(1000); 1000]));
        assert_eq!(text.chars().count(), VALUE_CHARS_MAX + 1);
    }
}

//! The XML of a document, made from its JSON: the same facts, with the names that the XML schemas have for lists and attributes.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::listing::is_special;

/// Writes a document; `version` is the edition.
pub(super) fn write(document: &Value, version: &str) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let serial = document["serialNumber"].as_str().unwrap_or_default();
    let namespace = format!("http://cyclonedx.org/schema/bom/{version}");
    text.push_str("<bom");
    attribute(&mut text, "xmlns", &namespace);
    attribute(&mut text, "serialNumber", serial);
    text.push_str(" version=\"1\">\n");
    for member in ["metadata", "components", "vulnerabilities"] {
        if let Some(value) = document.get(member) {
            element(&mut text, member, value, 1);
        }
    }
    text.push_str("</bom>\n");
    text
}

/// Names of the elements of lists, and of elements that XML calls otherwise.
fn member_of(list: &str) -> &str {
    match list {
        "components" => "component",
        "vulnerabilities" => "vulnerability",
        "properties" => "property",
        "hashes" => "hash",
        "ratings" => "rating",
        "advisories" => "advisory",
        "affects" => "target",
        "versions" => "version",
        "tools" => "tool",
        "responses" => "response",
        other => other,
    }
}

/// Members that are attributes of these elements.
fn is_attribute(element: &str, member: &str) -> bool {
    match element {
        "component" => matches!(member, "type" | "bom-ref"),
        "vulnerability" => member == "bom-ref",
        "property" => member == "name",
        "hash" => member == "alg",
        _ => false,
    }
}

fn element(text: &mut String, name: &str, value: &Value, depth: usize) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(members) => object(text, name, members, depth),
        Value::Array(list) if name == "licenses" => {
            writeln!(text, "{indent}<licenses>").expect("writing to a String cannot fail");
            for choice in list {
                for (kind, license) in choice.as_object().into_iter().flatten() {
                    element(text, kind, license, depth + 1);
                }
            }
            writeln!(text, "{indent}</licenses>").expect("writing to a String cannot fail");
        }
        Value::Array(list) => {
            let name = if name == "response" { "responses" } else { name };
            writeln!(text, "{indent}<{name}>").expect("writing to a String cannot fail");
            for value in list {
                element(text, member_of(name), value, depth + 1);
            }
            writeln!(text, "{indent}</{name}>").expect("writing to a String cannot fail");
        }
        value => {
            text.push_str(&indent);
            write!(text, "<{name}>").expect("writing to a String cannot fail");
            escape(text, &scalar(value));
            writeln!(text, "</{name}>").expect("writing to a String cannot fail");
        }
    }
}

fn object(text: &mut String, name: &str, members: &Map<String, Value>, depth: usize) {
    let indent = "  ".repeat(depth);
    text.push_str(&indent);
    text.push('<');
    text.push_str(name);
    for (member, value) in members.iter().filter(|(member, _)| is_attribute(name, member)) {
        attribute(text, member, &scalar(value));
    }
    text.push('>');
    // These two have a text and nothing else.
    if let ("property", Some(value)) | ("hash", Some(value)) =
        (name, members.get("value").or(members.get("content")))
    {
        escape(text, &scalar(value));
    } else {
        text.push('\n');
        for (member, value) in members.iter().filter(|(member, _)| !is_attribute(name, member)) {
            element(text, member, value, depth + 1);
        }
        text.push_str(&indent);
    }
    writeln!(text, "</{name}>").expect("writing to a String cannot fail");
}

fn scalar(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn attribute(text: &mut String, name: &str, value: &str) {
    text.push(' ');
    text.push_str(name);
    text.push_str("=\"");
    escape(text, value);
    text.push('"');
}

/// What XML cannot hold is replaced: where it matters, the exact text is a property.
fn escape(text: &mut String, value: &str) {
    for letter in value.chars() {
        match letter {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '"' => text.push_str("&quot;"),
            '\n' => text.push('\n'),
            letter if is_special(letter) => text.push('\u{fffd}'),
            letter => text.push(letter),
        }
    }
}

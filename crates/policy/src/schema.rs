//! The request schema of a bundle: which members exist, of which type, and the words in which a violation is reported.
//!
//! The words are part of the API (clients look for `is a required property`), so they are those of the JSON Schema
//! checker that clients have met so far, with the JSON path behind ` - `.

use serde_json::Value;

use crate::python_text::{repr, repr_list, repr_value};

/// Enough to find the least deep one; a document with more is not looked at further.
const VIOLATIONS_MAX: usize = 200;

const DATE_TIME_PATTERN: &str = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:\:\d+)?[A-Z]?$";

/// What a member must look like.
#[derive(Debug)]
enum Shape {
    Text,
    Choice(&'static [&'static str]),
    DateTime,
    List(&'static Shape),
    Object(&'static [Member]),
}

#[derive(Debug)]
struct Member {
    name: &'static str,
    is_required: bool,
    shape: &'static Shape,
}

const fn required(name: &'static str, shape: &'static Shape) -> Member {
    Member { name, is_required: true, shape }
}

const fn optional(name: &'static str, shape: &'static Shape) -> Member {
    Member { name, is_required: false, shape }
}

static TEXT: Shape = Shape::Text;

static BUNDLE: Shape = Shape::Object(&[
    required("id", &TEXT),
    required("version", &TEXT),
    required("policies", &Shape::List(&POLICY)),
    required("mappings", &Shape::List(&MAPPING)),
    optional("name", &TEXT),
    optional("comment", &TEXT),
    optional("whitelists", &Shape::List(&WHITELIST)),
    optional("whitelisted_images", &Shape::List(&IMAGE_RULE)),
    optional("blacklisted_images", &Shape::List(&IMAGE_RULE)),
]);

static POLICY: Shape = Shape::Object(&[
    required("id", &TEXT),
    required("version", &TEXT),
    optional("name", &TEXT),
    optional("comment", &TEXT),
    optional("rules", &Shape::List(&RULE)),
]);

static RULE: Shape = Shape::Object(&[
    required("gate", &TEXT),
    required("trigger", &TEXT),
    required("action", &Shape::Choice(&["GO", "STOP", "WARN"])),
    optional("id", &TEXT),
    optional("params", &Shape::List(&PARAMETER)),
]);

static PARAMETER: Shape = Shape::Object(&[required("name", &TEXT), required("value", &TEXT)]);

static WHITELIST: Shape = Shape::Object(&[
    required("id", &TEXT),
    required("version", &TEXT),
    optional("name", &TEXT),
    optional("comment", &TEXT),
    optional("items", &Shape::List(&WHITELIST_ITEM)),
]);

static WHITELIST_ITEM: Shape = Shape::Object(&[
    required("gate", &TEXT),
    required("trigger_id", &TEXT),
    optional("id", &TEXT),
    optional("expires_on", &Shape::DateTime),
]);

static MAPPING: Shape = Shape::Object(&[
    required("name", &TEXT),
    required("registry", &TEXT),
    required("repository", &TEXT),
    required("image", &IMAGE),
    optional("id", &TEXT),
    optional("policy_id", &TEXT),
    optional("policy_ids", &Shape::List(&TEXT)),
    optional("whitelist_ids", &Shape::List(&TEXT)),
]);

static IMAGE_RULE: Shape = Shape::Object(&[
    required("name", &TEXT),
    required("registry", &TEXT),
    required("repository", &TEXT),
    required("image", &IMAGE),
    optional("id", &TEXT),
]);

static IMAGE: Shape =
    Shape::Object(&[required("type", &Shape::Choice(&["tag", "digest", "id"])), required("value", &TEXT)]);

/// What is wrong with a document, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    /// Without the path.
    pub(crate) text: String,
    /// `policies.0.rules.1`; empty for the document itself.
    pub(crate) path: String,
}

/// The violation that is nearest to the root, first in document order; `None` when the document follows the schema.
pub(crate) fn find_violation(document: &Value) -> Option<Violation> {
    find_all(document).into_iter().min_by_key(|(depth, _)| *depth).map(|(_, violation)| violation)
}

/// The first violations in document order.
pub(crate) fn find_violations(document: &Value) -> Vec<Violation> {
    find_all(document).into_iter().map(|(_, violation)| violation).collect()
}

fn find_all(document: &Value) -> Found {
    let mut found = Vec::new();
    check(document, &BUNDLE, &mut Vec::new(), &mut found);
    found
}

type Found = Vec<(usize, Violation)>;

fn check(value: &Value, shape: &Shape, path: &mut Vec<String>, found: &mut Found) {
    if found.len() >= VIOLATIONS_MAX {
        return;
    }
    match (shape, value) {
        (Shape::Text, Value::String(_)) => {}
        (Shape::Choice(choices), Value::String(text)) => {
            if !choices.contains(&text.as_str()) {
                let choices = repr_list(choices.iter().copied());
                report(format!("{} is not one of {choices}", repr_value(value)), path, found);
            }
        }
        (Shape::DateTime, Value::String(text)) => {
            if !is_date_time(text) {
                report(
                    format!("{} does not match {}", repr_value(value), repr(DATE_TIME_PATTERN)),
                    path,
                    found,
                );
            }
        }
        (Shape::List(item_shape), Value::Array(items)) => {
            for (position, item) in items.iter().enumerate() {
                path.push(position.to_string());
                check(item, item_shape, path, found);
                path.pop();
            }
        }
        (Shape::Object(members), Value::Object(_)) => {
            for member in *members {
                check_member(value, member, path, found);
            }
        }
        (Shape::Text | Shape::Choice(_) | Shape::DateTime, _) => report_type(value, "string", path, found),
        (Shape::List(_), _) => report_type(value, "array", path, found),
        (Shape::Object(_), _) => report_type(value, "object", path, found),
    }
}

fn check_member(object: &Value, member: &Member, path: &mut Vec<String>, found: &mut Found) {
    match object.get(member.name) {
        Some(value) => {
            path.push(member.name.to_owned());
            check(value, member.shape, path, found);
            path.pop();
        }
        None if member.is_required => {
            report(format!("{} is a required property", repr(member.name)), path, found);
        }
        None => {}
    }
}

fn report_type(value: &Value, expected: &str, path: &[String], found: &mut Found) {
    report(format!("{} is not of type {}", repr_value(value), repr(expected)), path, found);
}

fn report(text: String, path: &[String], found: &mut Found) {
    found.push((path.len(), Violation { text, path: path.join(".") }));
}

/// [`DATE_TIME_PATTERN`] by hand.
fn is_date_time(text: &str) -> bool {
    let bytes = text.as_bytes();
    let Some((start, mut rest)) = bytes.split_at_checked(19) else {
        return false;
    };
    let is_start_good = start.iter().zip(b"dddd-dd-ddTdd:dd:dd").all(|(byte, expected)| match expected {
        b'd' => byte.is_ascii_digit(),
        expected => byte == expected,
    });
    for separator in [b'.', b':'] {
        if let Some((first, behind)) = rest.split_first()
            && *first == separator
        {
            let digits = behind.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if digits == 0 {
                return false;
            }
            rest = &behind[digits..];
        }
    }
    is_start_good && (rest.is_empty() || matches!(rest, [b'A'..=b'Z']))
}

#[cfg(test)]
mod tests;

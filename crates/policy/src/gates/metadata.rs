//! Gate `metadata`: asks about single attributes of the image.
//!
//! Decisions where the language leaves room:
//! - The size is that of the unpacked layers, each compressed where nobody has counted it, and that of the registry where
//!   no layer has a size.
//! - `exists` and `not_exists` need no value.
//! - What the original crashes on does not fire: `like` and `in` with a number, an order with an attribute that is not
//!   known. For the first the decision carries a note. An attribute that is not known differs from every value.

use std::cmp::Ordering;

use super::{BadValue, Built, Check, Gate, Output, Trigger};
use crate::budget::Failure;
use crate::judge::EvaluationInput;
use crate::parameter::{Parameter, ParameterValues, Validator};
use crate::prefix_regex::{PrefixRegex, RegexCompiler};
use crate::problem;

pub(super) const GATE: Gate = Gate {
    name: "metadata",
    description: "Asks about attributes of the image: size, platform, distro, number of layers.",
    triggers: &[Trigger {
        name: "attribute",
        description: "Fires when the attribute compares as asked.",
        parameters: &[
            Parameter {
                name: "attribute",
                description: "Which attribute.",
                example: "size",
                is_required: true,
                validator: Validator::Choice(&[
                    "size",
                    "architecture",
                    "os_type",
                    "distro",
                    "distro_version",
                    "like_distro",
                    "layer_count",
                ]),
            },
            Parameter {
                name: "check",
                description: "How to compare. Texts are ordered letter by letter.",
                example: ">",
                is_required: true,
                validator: Validator::Choice(&[
                    "=",
                    "!=",
                    ">",
                    "<",
                    ">=",
                    "<=",
                    "exists",
                    "not_exists",
                    "like",
                    "not_like",
                    "in",
                    "not_in",
                ]),
            },
            Parameter {
                name: "value",
                description: "What to compare with; needed by all checks but exists and not_exists. A size is a number of bytes or one with kb, mb, gb or tb (of 1024), a number of layers is a whole number.",
                example: "1073741824",
                is_required: false,
                validator: Validator::Linked,
            },
        ],
        is_unconditional: false,
        build: build_attribute,
    }],
};

/// An attribute of an image, or what one is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Number(u64),
    Text(String),
    /// Nobody knows it, or nobody has given one.
    Absent,
}

impl Value {
    /// As the message shows it.
    fn show(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.clone(),
            Self::Absent => "None".to_owned(),
        }
    }

    fn is_present(&self) -> bool {
        match self {
            Self::Number(number) => *number != 0,
            Self::Text(text) => !text.is_empty(),
            Self::Absent => false,
        }
    }

    /// The order; none between a known value and one that is not.
    fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Number(left), Self::Number(right)) => Some(left.cmp(right)),
            (Self::Text(left), Self::Text(right)) => Some(left.cmp(right)),
            _ => None,
        }
    }
}

#[derive(Debug)]
struct AttributeCheck {
    attribute: &'static str,
    check: &'static str,
    expected: Value,
    /// For `like` and `not_like`.
    regex: Option<PrefixRegex>,
    /// For `in` and `not_in`.
    members: Vec<String>,
}

fn build_attribute(values: ParameterValues, regexes: &mut RegexCompiler) -> Built {
    let bad = |reason: String| BadValue { parameter: "value", reason };
    let attribute = values.choice("attribute").unwrap_or_default();
    let check = values.choice("check").unwrap_or_default();
    let expected = match values.given_text("value") {
        Some(text) => read_expected(attribute, text).map_err(bad)?,
        None if matches!(check, "exists" | "not_exists") => Value::Absent,
        None => return Err(bad(format!("Required parameter is missing: check `{check}` compares with it"))),
    };
    let (mut regex, mut members) = (None, Vec::new());
    if let Value::Text(text) = &expected {
        match check {
            "like" | "not_like" => {
                regex = Some(regexes.compile(text).map_err(|error| bad(error.to_string()))?);
            }
            "in" | "not_in" => members = text.split(',').map(|item| item.trim().to_owned()).collect(),
            _ => {}
        }
    }
    Ok(Box::new(AttributeCheck { attribute, check, expected, regex, members }))
}

/// The value in the type of the attribute.
fn read_expected(attribute: &str, text: &str) -> Result<Value, String> {
    let quoted = || problem::quote(text);
    match attribute {
        "size" => read_size(text).map(Value::Number).ok_or_else(|| {
            format!("value `{}` is not a size like 1073741824 or 50mb, in lower case", quoted())
        }),
        "layer_count" => {
            let digits = text.trim();
            let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
            digits
                .parse()
                .ok()
                .filter(|_| is_number)
                .map(Value::Number)
                .ok_or_else(|| format!("value `{}` is not a whole number", quoted()))
        }
        _ => Ok(Value::Text(text.to_owned())),
    }
}

/// `500`, `10kb`, `50mb`, `2gb`, `1tb`: in steps of 1024.
fn read_size(text: &str) -> Option<u64> {
    let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let factor: u64 = match unit {
        "" => 1,
        "kb" => 1 << 10,
        "mb" => 1 << 20,
        "gb" => 1 << 30,
        "tb" => 1 << 40,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

fn actual_value(attribute: &str, input: &EvaluationInput<'_>) -> Value {
    let text = |text: &str| match text {
        "" => Value::Absent,
        text => Value::Text(text.to_owned()),
    };
    let image = input.image;
    let distro = input.inventory.distro.as_ref();
    match attribute {
        "size" => Value::Number(size_bytes(input)),
        "layer_count" => Value::Number(image.layers.len() as u64),
        "architecture" => text(&image.platform.architecture),
        "os_type" => text(&image.platform.os),
        "distro" => distro.map_or(Value::Absent, |distro| text(&distro.id)),
        "distro_version" => {
            distro.and_then(|distro| distro.version_id.as_deref()).map_or(Value::Absent, text)
        }
        _ => distro.map_or(Value::Absent, |distro| text(&distro.id_like.join(","))),
    }
}

fn size_bytes(input: &EvaluationInput<'_>) -> u64 {
    let layers = input.image.layers.iter();
    let sum = layers.fold(0_u64, |sum, layer| {
        let counted = if layer.unpacked_bytes > 0 { layer.unpacked_bytes } else { layer.size_bytes };
        sum.saturating_add(counted)
    });
    if sum > 0 { sum } else { input.image.size_bytes }
}

impl Check for AttributeCheck {
    fn run(&self, input: &EvaluationInput<'_>, output: &mut Output<'_>) -> Result<(), Failure> {
        output.budget.spend(1 + self.members.len() as u64 + input.image.layers.len() as u64)?;
        let actual = actual_value(self.attribute, input);
        if !self.is_match(&actual, output)? {
            return Ok(());
        }
        output.push_message(format!(
            "Attribute check for attribute: '{}' check: '{}' check_value: '{}' matched image value: '{}'",
            self.attribute,
            self.check,
            self.expected.show(),
            actual.show()
        ))
    }
}

impl AttributeCheck {
    fn is_match(&self, actual: &Value, output: &mut Output<'_>) -> Result<bool, Failure> {
        match self.check {
            "exists" => return Ok(actual.is_present()),
            "not_exists" => return Ok(!actual.is_present()),
            _ if matches!(&self.expected, Value::Text(text) if text.is_empty()) => return Ok(false),
            _ => {}
        }
        let order = actual.order(&self.expected);
        Ok(match self.check {
            "=" => order == Some(Ordering::Equal),
            "!=" => order != Some(Ordering::Equal),
            "<" => order == Some(Ordering::Less),
            ">" => order == Some(Ordering::Greater),
            "<=" => order.is_some_and(Ordering::is_le),
            ">=" => order.is_some_and(Ordering::is_ge),
            _ if matches!(self.expected, Value::Number(_)) => {
                output.notes.push(format!(
                    "Check `{}` has no meaning for attribute `{}`, which is a number, so the rule never fires",
                    self.check, self.attribute
                ));
                false
            }
            "like" => self.is_like(actual, output)?,
            "not_like" => !self.is_like(actual, output)?,
            "in" => self.is_member(actual),
            _ => !self.is_member(actual),
        })
    }

    fn is_like(&self, actual: &Value, output: &mut Output<'_>) -> Result<bool, Failure> {
        match (&self.regex, actual) {
            (Some(regex), Value::Text(text)) => regex.is_match(text, output.budget),
            _ => Ok(false),
        }
    }

    fn is_member(&self, actual: &Value) -> bool {
        matches!(actual, Value::Text(text) if self.members.contains(text))
    }
}

//! The parameters of triggers: their names, which values they take, and the values once they are read.

use std::collections::BTreeMap;

use model::EvaluationProblem;
use serde_json::{Value, json};

use crate::prefix_regex::{PrefixRegex, RegexCompiler};
use crate::problem::{self, RulePlace};
use crate::python_text::{repr, repr_list};
use crate::raw::RawParameter;

/// The six comparisons, in the order in which they are listed.
pub(crate) const COMPARISONS: &[&str] = &["=", "!=", "<", ">", "<=", ">="];

const INTEGER_PATTERN: &str = r"^\s*[\d]+\s*$";

/// Old names of parameters, which rules may still use.
const ALIASES: &[(&str, &str)] = &[("usernameblacklist", "user_names"), ("useridblacklist", "user_ids")];

/// A parameter of a trigger.
#[derive(Debug)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    pub(crate) example: &'static str,
    pub(crate) is_required: bool,
    pub(crate) validator: Validator,
}

/// Which texts a parameter takes; documents hold strings only.
#[derive(Debug)]
pub(crate) enum Validator {
    /// Any text.
    Text,
    /// A regular expression.
    Regex,
    /// One of these, in this case.
    Choice(&'static [&'static str]),
    /// Texts with commas between them.
    TextList,
    /// Whole numbers with commas between them.
    NumberList,
    /// A whole number, not negative.
    Integer,
    /// A number.
    Float,
    /// `true` or `false`, in any case.
    Boolean,
    /// A text whose form depends on another parameter; the trigger checks it.
    Linked,
}

/// A parameter's value after its validator.
#[derive(Debug)]
pub(crate) enum ParameterValue {
    Text(String),
    Regex(PrefixRegex),
    Choice(&'static str),
    TextList(Vec<String>),
    NumberList(Vec<u64>),
    Integer(u32),
    Float(f64),
    Boolean(bool),
}

/// The values that a rule gives, by parameter. A reader that asks for another type than the validator's gets nothing.
#[derive(Debug, Default)]
pub(crate) struct ParameterValues(BTreeMap<&'static str, ParameterValue>);

impl Validator {
    fn read(&self, text: &str, regexes: &mut RegexCompiler) -> Result<ParameterValue, String> {
        let refused = |what: &str| format!("value {} is not {what}", repr(&problem::quote(text)));
        match self {
            Self::Text | Self::Linked => Ok(ParameterValue::Text(text.to_owned())),
            Self::Regex => {
                regexes.compile(text).map(ParameterValue::Regex).map_err(|error| error.to_string())
            }
            Self::Choice(choices) => choices
                .iter()
                .find(|choice| **choice == text)
                .map(|choice| ParameterValue::Choice(choice))
                .ok_or_else(|| refused(&format!("one of {}", repr_list(choices.iter().copied())))),
            Self::TextList => {
                let items: Vec<&str> = text.split(',').collect();
                if items.iter().any(|item| item.is_empty()) {
                    return Err(refused("a list of texts with commas between them"));
                }
                Ok(ParameterValue::TextList(items.into_iter().map(|item| item.trim().to_owned()).collect()))
            }
            Self::NumberList => text
                .split(',')
                .map(|item| read_digits(item).and_then(|digits| digits.parse().ok()))
                .collect::<Option<Vec<u64>>>()
                .map(ParameterValue::NumberList)
                .ok_or_else(|| refused("a list of whole numbers with commas between them")),
            Self::Integer => read_digits(text)
                .and_then(|digits| digits.parse().ok())
                .map(ParameterValue::Integer)
                .ok_or_else(|| refused(&format!("a whole number from 0 to {}", u32::MAX))),
            Self::Float => {
                read_float(text).map(ParameterValue::Float).ok_or_else(|| refused("a number like 7.5"))
            }
            Self::Boolean => match text.to_ascii_lowercase().as_str() {
                "true" => Ok(ParameterValue::Boolean(true)),
                "false" => Ok(ParameterValue::Boolean(false)),
                _ => Err(refused("`true` or `false`")),
            },
        }
    }

    /// As the specification document shows it.
    pub(crate) fn specification(&self) -> Value {
        let (kind, description, criteria) = match self {
            Self::Text => ("type", "Any text".to_owned(), json!({"type": "string"})),
            Self::Regex => (
                "type",
                "A regular expression, matched from the start of the text".to_owned(),
                json!({"type": "string"}),
            ),
            Self::Choice(choices) => (
                "EnumString",
                format!("One of {}", repr_list(choices.iter().copied())),
                json!({"type": "string", "enum": choices}),
            ),
            Self::TextList => (
                "CommaDelimitedStringList",
                "Texts with commas between them".to_owned(),
                json!({"type": "string", "pattern": r"^\s*(\s*([^,]+)\s*,)*\s*([^,]+){1}\s*$"}),
            ),
            Self::NumberList => (
                "CommaDelimitedStringOfNumbers",
                "Whole numbers with commas between them".to_owned(),
                json!({"type": "string", "pattern": r"^\s*(\s*(\d+)\s*,)*\s*(\d+){1}\s*$"}),
            ),
            Self::Integer => (
                "IntegerString",
                "A whole number".to_owned(),
                json!({"type": "string", "pattern": INTEGER_PATTERN}),
            ),
            Self::Linked => (
                "LinkedValidator",
                "Depends on another parameter".to_owned(),
                json!({"anyOf": [
                    {"type": "string", "pattern": r"^([0-9]+)([kmgt]b)?$"},
                    {"type": "string"},
                    {"type": "string", "pattern": INTEGER_PATTERN},
                ]}),
            ),
            Self::Float => (
                "FloatString",
                "A number".to_owned(),
                json!({"type": "string", "pattern": r"^\s*-?\d+(\.\d*)?\s*$|^\s*-?\.\d+\s*$"}),
            ),
            Self::Boolean => (
                "BooleanString",
                "true or false, in any case".to_owned(),
                json!({"type": "string", "enum": ["true", "false"]}),
            ),
        };
        json!({"type": kind, "description": description, "criteria": criteria})
    }
}

fn read_digits(text: &str) -> Option<&str> {
    let digits = text.trim();
    (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(digits)
}

/// `7`, `7.5`, `.5`, `7.`, `-1`: no exponent, no infinity, at least one digit.
fn read_float(text: &str) -> Option<f64> {
    let text = text.trim();
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let is_plain = unsigned.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    text.parse().ok().filter(|number: &f64| is_plain && number.is_finite())
}

/// Reads what a rule gives. Names ignore case, and of a repeated name the last one counts.
///
/// All mistakes are added to `problems`; the values are complete when none were.
pub(crate) fn read_parameters(
    parameters: &'static [Parameter],
    given: &[RawParameter],
    place: RulePlace<'_>,
    regexes: &mut RegexCompiler,
    problems: &mut Vec<EvaluationProblem>,
) -> ParameterValues {
    let mut values = ParameterValues::default();
    let mut last: BTreeMap<String, &RawParameter> = BTreeMap::new();
    for parameter in given {
        last.insert(canonical_name(parameters, &parameter.name), parameter);
    }
    for parameter in parameters {
        match last.remove(parameter.name) {
            None if parameter.is_required => problems.push(problem::parameter_missing(place, parameter.name)),
            None => {}
            Some(raw) => match parameter.validator.read(&raw.value, regexes) {
                Ok(value) => {
                    values.0.insert(parameter.name, value);
                }
                Err(reason) => {
                    problems.push(problem::parameter_value_invalid(place, parameter.name, &reason))
                }
            },
        }
    }
    let valid: Vec<&str> = parameters.iter().map(|parameter| parameter.name).collect();
    problems.extend(last.values().map(|raw| problem::parameter_unknown(place, &raw.name, &valid)));
    values
}

/// The name of a parameter in lower case; an old name becomes the new one where the trigger has that.
fn canonical_name(parameters: &[Parameter], given: &str) -> String {
    let name = given.to_lowercase();
    let renamed = ALIASES.iter().find(|(alias, _)| *alias == name).map(|(_, name)| *name);
    match renamed.filter(|renamed| parameters.iter().any(|parameter| parameter.name == *renamed)) {
        Some(renamed) => renamed.to_owned(),
        None => name,
    }
}

impl ParameterValues {
    /// A text; an empty one counts as not given, as the language has it for optional parameters.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.given_text(name).filter(|text| !text.is_empty())
    }

    /// A text, even an empty one.
    pub(crate) fn given_text(&self, name: &str) -> Option<&str> {
        match self.0.get(name) {
            Some(ParameterValue::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// A regular expression; an empty one counts as not given, because it would match every text.
    pub(crate) fn take_regex(&mut self, name: &str) -> Option<PrefixRegex> {
        self.take_any_regex(name).filter(|regex| !regex.pattern().is_empty())
    }

    /// A regular expression, even one that matches every text.
    pub(crate) fn take_any_regex(&mut self, name: &str) -> Option<PrefixRegex> {
        match self.0.remove(name) {
            Some(ParameterValue::Regex(regex)) => Some(regex),
            _ => None,
        }
    }

    pub(crate) fn choice(&self, name: &str) -> Option<&'static str> {
        match self.0.get(name) {
            Some(ParameterValue::Choice(choice)) => Some(choice),
            _ => None,
        }
    }

    pub(crate) fn text_list(&self, name: &str) -> Option<&[String]> {
        match self.0.get(name) {
            Some(ParameterValue::TextList(items)) => Some(items),
            _ => None,
        }
    }

    pub(crate) fn number_list(&self, name: &str) -> Option<&[u64]> {
        match self.0.get(name) {
            Some(ParameterValue::NumberList(items)) => Some(items),
            _ => None,
        }
    }

    pub(crate) fn integer(&self, name: &str) -> Option<u32> {
        match self.0.get(name) {
            Some(ParameterValue::Integer(number)) => Some(*number),
            _ => None,
        }
    }

    pub(crate) fn float(&self, name: &str) -> Option<f64> {
        match self.0.get(name) {
            Some(ParameterValue::Float(number)) => Some(*number),
            _ => None,
        }
    }

    pub(crate) fn boolean(&self, name: &str) -> Option<bool> {
        match self.0.get(name) {
            Some(ParameterValue::Boolean(is_true)) => Some(*is_true),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validators_accept_and_refuse() {
        let rows: &[(Validator, &[&str], &[&str])] = &[
            (Validator::Text, &["", "x"], &[]),
            (Validator::Regex, &["", ".*", "(?<=a)b"], &["(", "*"]),
            (Validator::Choice(COMPARISONS), &["=", ">="], &["", "==", " ="]),
            (Validator::TextList, &["a", "a,b", " a , b ", " "], &["", "a,", ",a", "a,,b"]),
            (
                Validator::NumberList,
                &["22", " 22 , 80 "],
                &["", "a", "1,", "1,,2", "-1", "99999999999999999999"],
            ),
            (Validator::Integer, &["0", " 7 ", "4294967295"], &["", "-1", "1.5", "4294967296", "x"]),
            (
                Validator::Float,
                &["7", "7.5", ".5", "7.", "-1", " 1 "],
                &["", ".", "--1", "-", "1e3", "inf", "NaN", "+1", "1.2.3"],
            ),
            (Validator::Boolean, &["true", "FALSE", "True"], &["", "1", "yes", " true"]),
        ];
        let mut regexes = RegexCompiler::default();
        for (validator, good, bad) in rows {
            for text in *good {
                assert!(validator.read(text, &mut regexes).is_ok(), "{validator:?} {text:?}");
            }
            for text in *bad {
                assert!(validator.read(text, &mut regexes).is_err(), "{validator:?} {text:?}");
            }
        }
    }
}

//! The mistakes that a bundle can hold, with the type names that clients know and texts of our own.

use std::fmt;

use model::{EvaluationProblem, ProblemSeverity};

const QUOTE_CHARS_MAX: usize = 200;

/// A mistake.
pub(crate) fn error(problem_type: &str, details: String) -> EvaluationProblem {
    EvaluationProblem {
        problem_type: problem_type.to_owned(),
        details,
        severity: ProblemSeverity::Error,
        path: None,
    }
}

/// A note that decides nothing.
pub(crate) fn warning(problem_type: &str, details: String) -> EvaluationProblem {
    EvaluationProblem { severity: ProblemSeverity::Warn, ..error(problem_type, details) }
}

/// Gives problems that have no place yet this one.
pub(crate) fn place_at(problems: &mut [EvaluationProblem], path: &str) {
    for problem in problems.iter_mut().filter(|problem| problem.path.is_none()) {
        problem.path = Some(path.to_owned());
    }
}

/// A text of the document for use in a message: cut, so that no message grows with its input.
pub(crate) fn quote(text: &str) -> String {
    if text.chars().count() <= QUOTE_CHARS_MAX {
        return text.to_owned();
    }
    text.chars().take(QUOTE_CHARS_MAX).chain(['…']).collect()
}

/// Where a rule stands, as the end of a problem's text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RulePlace<'a> {
    pub(crate) gate: &'a str,
    pub(crate) trigger: &'a str,
    pub(crate) rule_id: Option<&'a str>,
}

impl fmt::Display for RulePlace<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rule_id = self.rule_id.map_or_else(|| "None".to_owned(), quote);
        write!(formatter, "(gate={},trigger={},rule_id={rule_id})", quote(self.gate), quote(self.trigger))
    }
}

pub(crate) fn gate_not_found(place: RulePlace<'_>, valid_gates: &[&str]) -> EvaluationProblem {
    error(
        "GateNotFoundError",
        format!("There is no gate of this name. Valid gates are: {} {place}", valid_gates.join(", ")),
    )
}

pub(crate) fn trigger_not_found(place: RulePlace<'_>, valid_triggers: &[&str]) -> EvaluationProblem {
    error(
        "TriggerNotFoundError",
        format!(
            "The gate has no trigger of this name. Valid triggers are: {} {place}",
            valid_triggers.join(", ")
        ),
    )
}

pub(crate) fn end_of_life(place: RulePlace<'_>, replaced_by: Option<&str>) -> EvaluationProblem {
    let advice = match replaced_by {
        Some(gate) => format!("use gate `{gate}` instead"),
        None => "nothing replaces it".to_owned(),
    };
    error(
        "EndOfLifedError",
        format!("This gate has reached its end of life and is not evaluated; {advice} {place}"),
    )
}

pub(crate) fn parameter_missing(place: RulePlace<'_>, parameter: &str) -> EvaluationProblem {
    error("ParameterValueInvalidError", format!("Required parameter `{parameter}` is missing {place}"))
}

pub(crate) fn parameter_value_invalid(
    place: RulePlace<'_>,
    parameter: &str,
    reason: &str,
) -> EvaluationProblem {
    error("ParameterValueInvalidError", format!("Parameter `{parameter}`: {reason} {place}"))
}

pub(crate) fn parameter_unknown(place: RulePlace<'_>, name: &str, valid: &[&str]) -> EvaluationProblem {
    error(
        "InvalidParameterError",
        format!(
            "The trigger has no parameter of this name (gate={},trigger={},rule_id={},parameter={},valid_parameters=[{}])",
            quote(place.gate),
            quote(place.trigger),
            place.rule_id.map_or_else(|| "None".to_owned(), quote),
            quote(name),
            valid.join(", ")
        ),
    )
}

pub(crate) fn unsupported_version(object: &str, id: &str, found: &str) -> EvaluationProblem {
    error(
        "UnsupportedVersionError",
        format!(
            "The version of {object} `{}` is not one that can be evaluated (supported_versions=[1_0],found_version={})",
            quote(id),
            quote(found)
        ),
    )
}

pub(crate) fn reference_not_found(reference_type: &str, id: &str) -> EvaluationProblem {
    error(
        "ReferencedObjectNotFoundError",
        format!(
            "A mapping names something that the bundle does not hold (reference_type={reference_type},reference_id={})",
            quote(id)
        ),
    )
}

pub(crate) fn duplicate_identifier(identifier_type: &str, id: &str) -> EvaluationProblem {
    error(
        "DuplicateIdentifierFoundError",
        format!(
            "An identifier that a mapping names is used more than once (identifier={},identifier_type={identifier_type})",
            quote(id)
        ),
    )
}

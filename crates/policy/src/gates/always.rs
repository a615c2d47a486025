//! Gate `always`: fires whatever the image holds.

use super::{Built, Check, Gate, Match, Output, Trigger};
use crate::budget::Failure;
use crate::judge::EvaluationInput;
use crate::parameter::ParameterValues;
use crate::prefix_regex::RegexCompiler;

pub(super) const GATE: Gate = Gate {
    name: "always",
    description: "Fires whatever the image holds: for refusing images, and for trying out mappings and whitelists.",
    triggers: &[Trigger {
        name: "always",
        description: "Fires once for every image that the mapping selects.",
        parameters: &[],
        is_unconditional: true,
        build: build_always,
    }],
};

#[derive(Debug)]
struct Always;

fn build_always(_values: ParameterValues, _regexes: &mut RegexCompiler) -> Built {
    Ok(Box::new(Always))
}

/// The match, which is the same for every image.
pub(crate) fn unconditional_match() -> Match {
    Match {
        message: "Unconditional trigger match".to_owned(),
        trigger_id: Some("always".to_owned()),
        finding: None,
    }
}

impl Check for Always {
    fn run(&self, _input: &EvaluationInput<'_>, output: &mut Output<'_>) -> Result<(), Failure> {
        output.push(unconditional_match())
    }
}

//! The gates and triggers that can be evaluated, in one table: what a rule may name, and what it then does.
//!
//! One file or folder per gate.

mod always;
mod dockerfile;
mod dockerfile_lines;
mod end_of_life;
mod exploitation;
mod file_contents;
mod files;
mod finding_filter;
mod licenses;
mod lookup_quality;
mod malware;
mod metadata;
mod missing_data;
mod npms;
mod packages;
mod passwd_file;
mod published_packages;
mod retrieved_files;
mod ruby_gems;
mod secret_scans;
mod signatures;
mod vulnerabilities;
mod vulnerable_package;

use std::fmt::Debug;

use serde_json::{Value, json};

use crate::accepted::Accepted;
use crate::budget::{Budget, Failure};
use crate::judge::EvaluationInput;
use crate::parameter::{Parameter, ParameterValues};
use crate::prefix_regex::RegexCompiler;

pub(crate) use always::unconditional_match;
pub(crate) use end_of_life::find_end_of_life;

/// A subject that rules ask about.
#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    pub(crate) triggers: &'static [Trigger],
}

/// One question of a gate.
#[derive(Debug)]
pub(crate) struct Trigger {
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    pub(crate) parameters: &'static [Parameter],
    /// Whether it fires whatever the image holds.
    pub(crate) is_unconditional: bool,
    /// Makes the check from valid parameters; the error is the name of a parameter and what is wrong with its value.
    pub(crate) build: fn(ParameterValues, &mut RegexCompiler) -> Built,
}

/// What a trigger makes of its parameters.
pub(crate) type Built = Result<Box<dyn Check>, BadValue>;

/// A value that is only wrong together with another parameter.
#[derive(Debug)]
pub(crate) struct BadValue {
    pub(crate) parameter: &'static str,
    pub(crate) reason: String,
}

/// A trigger with its parameters.
pub(crate) trait Check: Debug + Send + Sync {
    /// Whether it asks what the files of the image say.
    fn needs_contents(&self) -> bool {
        false
    }

    /// The file whose content it asks about.
    fn wanted_file(&self) -> Option<&str> {
        None
    }

    /// Adds what it finds to `output`, in the order of the language.
    fn run(&self, input: &EvaluationInput<'_>, output: &mut Output<'_>) -> Result<(), Failure>;
}

/// One match of a check.
#[derive(Debug)]
pub(crate) struct Match {
    pub(crate) message: String,
    /// `None` for triggers whose identifier is the MD5 of the message.
    pub(crate) trigger_id: Option<String>,
    /// Position in the match report, for matches about one finding.
    pub(crate) finding: Option<usize>,
}

/// What a check adds to.
#[derive(Debug)]
pub(crate) struct Output<'a> {
    pub(crate) matches: Vec<Match>,
    /// What a user should know about the answer, though it decides nothing.
    pub(crate) notes: Vec<String>,
    /// What of the image could not be looked at, so that the answer leaves it out.
    pub(crate) gaps: Vec<String>,
    pub(crate) budget: &'a mut Budget,
    /// Findings that the account has accepted: for checks that sum up findings. Rows about one finding are seen to later.
    pub(crate) accepted: &'a mut Accepted,
}

impl Output<'_> {
    /// Adds a match whose identifier is the MD5 of the message.
    pub(crate) fn push_message(&mut self, message: String) -> Result<(), Failure> {
        self.push(Match { message, trigger_id: None, finding: None })
    }

    pub(crate) fn push(&mut self, found: Match) -> Result<(), Failure> {
        self.budget.spend(crate::budget::ROW_STEPS)?;
        self.matches.push(found);
        Ok(())
    }
}

/// The gates that can be evaluated, in the order of the specification.
pub(crate) static GATES: &[Gate] = &[
    always::GATE,
    dockerfile::GATE,
    files::GATE,
    ruby_gems::GATE,
    metadata::GATE,
    licenses::GATE,
    malware::GATE,
    npms::GATE,
    packages::GATE,
    passwd_file::GATE,
    retrieved_files::GATE,
    secret_scans::GATE,
    vulnerabilities::GATE,
    signatures::GATE,
];

/// The gate of this name; names ignore case.
pub(crate) fn find_gate(name: &str) -> Option<&'static Gate> {
    GATES.iter().find(|gate| gate.name.eq_ignore_ascii_case(name))
}

impl Gate {
    pub(crate) fn find_trigger(&self, name: &str) -> Option<&'static Trigger> {
        self.triggers.iter().find(|trigger| trigger.name.eq_ignore_ascii_case(name))
    }
}

/// Everything that a bundle may name, for clients: the gates that can be evaluated, then those at the end of their life.
pub fn specification() -> Value {
    GATES.iter().map(gate_specification).chain(end_of_life::specification()).collect()
}

fn gate_specification(gate: &Gate) -> Value {
    let triggers: Vec<Value> = gate.triggers.iter().map(trigger_specification).collect();
    json!({"name": gate.name, "description": gate.description, "state": "active", "superceded_by": null, "triggers": triggers})
}

fn trigger_specification(trigger: &Trigger) -> Value {
    let parameters: Vec<Value> = trigger
        .parameters
        .iter()
        .map(|parameter| {
            json!({
                "name": parameter.name,
                "description": parameter.description,
                "example": parameter.example,
                "required": parameter.is_required,
                "state": "active",
                "superceded_by": null,
                "validator": parameter.validator.specification(),
            })
        })
        .collect();
    json!({
        "name": trigger.name,
        "description": trigger.description,
        "state": "active",
        "superceded_by": null,
        "parameters": parameters,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_specification_has_the_members_that_clients_read() {
        let specification = specification();
        let gates = specification.as_array().unwrap();
        let names: Vec<&str> = gates.iter().map(|gate| gate["name"].as_str().unwrap()).collect();
        assert_eq!(&names[..3], ["always", "dockerfile", "files"]);
        assert_eq!(names.len(), GATES.len() + 14);
        let members = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        for gate in gates {
            assert_eq!(members(gate), ["name", "description", "state", "superceded_by", "triggers"]);
            for trigger in gate["triggers"].as_array().unwrap() {
                assert_eq!(members(trigger), ["name", "description", "state", "superceded_by", "parameters"]);
                for parameter in trigger["parameters"].as_array().unwrap() {
                    let expected =
                        ["name", "description", "example", "required", "state", "superceded_by", "validator"];
                    assert_eq!(members(parameter), expected);
                    assert_eq!(members(&parameter["validator"]), ["type", "description", "criteria"]);
                }
            }
        }
        let vulnerabilities = gates.iter().find(|gate| gate["name"] == "vulnerabilities").unwrap();
        let severity = &vulnerabilities["triggers"][0]["parameters"][2];
        assert_eq!(severity["name"], "severity");
        assert_eq!(severity["validator"]["criteria"]["enum"][5], "critical");
    }

    #[test]
    fn the_example_of_each_parameter_is_valid() {
        for gate in GATES {
            for parameter in gate.triggers.iter().flat_map(|trigger| trigger.parameters) {
                let given = [crate::raw::RawParameter {
                    name: parameter.name.to_owned(),
                    value: parameter.example.to_owned(),
                }];
                let place = crate::problem::RulePlace { gate: gate.name, trigger: "any", rule_id: None };
                let mut problems = Vec::new();
                let parameters = std::slice::from_ref(parameter);
                crate::parameter::read_parameters(
                    parameters,
                    &given,
                    place,
                    &mut RegexCompiler::default(),
                    &mut problems,
                );
                assert_eq!(problems, [], "{}", parameter.name);
            }
        }
    }
}

//! Gate `dockerfile`: asks about the instructions that the image was built with.
//!
//! They come from the user's Dockerfile or are rebuilt from the image's history. Where there is neither, the first three
//! triggers have nothing to ask about and do not fire: rule `no_dockerfile_provided` is the way to refuse such images.

use model::DockerfileMode;

use super::dockerfile_lines::{Instruction, instructions};
use super::{BadValue, Built, Check, Gate, Output, Trigger};
use crate::budget::Failure;
use crate::judge::EvaluationInput;
use crate::parameter::{Parameter, ParameterValues, Validator};
use crate::prefix_regex::{PrefixRegex, RegexCompiler};

const LIST_TYPES: &[&str] = &["whitelist", "blacklist"];

const INSTRUCTION: Parameter = Parameter {
    name: "instruction",
    description: "Instruction to look at.",
    example: "FROM",
    is_required: true,
    validator: Validator::Choice(&[
        "ADD",
        "ARG",
        "COPY",
        "CMD",
        "ENTRYPOINT",
        "ENV",
        "EXPOSE",
        "FROM",
        "HEALTHCHECK",
        "LABEL",
        "MAINTAINER",
        "ONBUILD",
        "USER",
        "RUN",
        "SHELL",
        "STOPSIGNAL",
        "VOLUME",
        "WORKDIR",
    ]),
};

const CHECK: Parameter = Parameter {
    name: "check",
    description: "How to compare the instruction's text with the value.",
    example: "=",
    is_required: true,
    validator: Validator::Choice(&["=", "!=", "exists", "not_exists", "like", "not_like", "in", "not_in"]),
};

const VALUE: Parameter = Parameter {
    name: "value",
    description: "What to compare with: a text, a list with commas for in and not_in, a regular expression for like and not_like. Without it only exists and not_exists can fire.",
    example: "scratch",
    is_required: false,
    validator: Validator::Text,
};

const ACTUAL_ONLY: Parameter = Parameter {
    name: "actual_dockerfile_only",
    description: "Look only at a Dockerfile that a user supplied, not at one that was rebuilt from the history. Default: false.",
    example: "true",
    is_required: false,
    validator: Validator::Boolean,
};

pub(super) const GATE: Gate = Gate {
    name: "dockerfile",
    description: "Asks about the Dockerfile, or about the instructions rebuilt from the image's history where none was supplied.",
    triggers: &[
        Trigger {
            name: "instruction",
            description: "Fires for each line of the instruction that compares as asked, or when there is none.",
            parameters: &[INSTRUCTION, CHECK, VALUE, ACTUAL_ONLY],
            is_unconditional: false,
            build: build_instruction,
        },
        Trigger {
            name: "effective_user",
            description: "Fires when the last USER (root where there is none) is on the list of refused users, or not on the list of allowed ones.",
            parameters: &[
                Parameter {
                    name: "users",
                    description: "User names with commas between them.",
                    example: "root,docker",
                    is_required: true,
                    validator: Validator::Text,
                },
                Parameter {
                    name: "type",
                    description: "Whether the names are the allowed or the refused ones.",
                    example: "blacklist",
                    is_required: true,
                    validator: Validator::Choice(LIST_TYPES),
                },
            ],
            is_unconditional: false,
            build: build_effective_user,
        },
        Trigger {
            name: "exposed_ports",
            description: "Fires for each exposed port that is on the list of refused ports, or not on the list of allowed ones.",
            parameters: &[
                Parameter {
                    name: "ports",
                    description: "Port numbers with commas between them.",
                    example: "80,8080,8088",
                    is_required: true,
                    validator: Validator::NumberList,
                },
                Parameter {
                    name: "type",
                    description: "Whether the ports are the allowed or the refused ones.",
                    example: "blacklist",
                    is_required: true,
                    validator: Validator::Choice(LIST_TYPES),
                },
                ACTUAL_ONLY,
            ],
            is_unconditional: false,
            build: build_exposed_ports,
        },
        Trigger {
            name: "no_dockerfile_provided",
            description: "Fires when the image was analyzed without the Dockerfile that it was built from.",
            parameters: &[],
            is_unconditional: false,
            build: build_no_dockerfile_provided,
        },
    ],
};

/// The instructions that a rule may look at; none where the mode is not the right one.
fn wanted_instructions(
    input: &EvaluationInput<'_>,
    is_actual_only: bool,
    output: &mut Output<'_>,
) -> Result<Vec<Instruction>, Failure> {
    match input.image.dockerfile_mode {
        DockerfileMode::Unknown => Ok(Vec::new()),
        DockerfileMode::Guessed if is_actual_only => Ok(Vec::new()),
        DockerfileMode::Guessed | DockerfileMode::Actual => {
            let text = &input.image.dockerfile;
            output.budget.spend(text.len() as u64 / 16)?;
            Ok(instructions(text))
        }
    }
}

fn comma_list(text: &str) -> Vec<String> {
    text.split(',').map(|item| item.trim().to_owned()).collect()
}

#[derive(Debug)]
enum Comparison {
    Equal(String),
    NotEqual(String),
    Like(PrefixRegex),
    NotLike(PrefixRegex),
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    NotExists,
    /// A comparison without a value, which never fires.
    Nothing,
}

impl Comparison {
    fn is_match(&self, operand: &str, output: &mut Output<'_>) -> Result<bool, Failure> {
        let steps = match self {
            Self::In(values) | Self::NotIn(values) => values.len() as u64,
            _ => 1,
        };
        output.budget.spend(steps)?;
        Ok(match self {
            Self::Equal(value) => operand == value,
            Self::NotEqual(value) => operand != value,
            Self::Like(regex) => regex.is_match(operand, output.budget)?,
            Self::NotLike(regex) => !regex.is_match(operand, output.budget)?,
            Self::In(values) => values.iter().any(|value| value == operand),
            Self::NotIn(values) => values.iter().all(|value| value != operand),
            Self::Exists => true,
            Self::NotExists | Self::Nothing => false,
        })
    }
}

#[derive(Debug)]
struct InstructionCheck {
    directive: &'static str,
    check: &'static str,
    /// As the message shows it.
    value: String,
    comparison: Comparison,
    is_actual_only: bool,
}

fn build_instruction(values: ParameterValues, regexes: &mut RegexCompiler) -> Built {
    let value = values.text("value");
    let check = values.choice("check").unwrap_or_default();
    let mut compile = |value: &str| {
        regexes.compile(value).map_err(|error| BadValue { parameter: "value", reason: error.to_string() })
    };
    let comparison = match (check, value) {
        ("exists", _) => Comparison::Exists,
        ("not_exists", _) => Comparison::NotExists,
        ("=", Some(value)) => Comparison::Equal(value.to_owned()),
        ("!=", Some(value)) => Comparison::NotEqual(value.to_owned()),
        ("like", Some(value)) => Comparison::Like(compile(value)?),
        ("not_like", Some(value)) => Comparison::NotLike(compile(value)?),
        ("in", Some(value)) => Comparison::In(comma_list(value)),
        ("not_in", Some(value)) => Comparison::NotIn(comma_list(value)),
        _ => Comparison::Nothing,
    };
    Ok(Box::new(InstructionCheck {
        directive: values.choice("instruction").unwrap_or_default(),
        check,
        value: value.unwrap_or_default().to_owned(),
        comparison,
        is_actual_only: values.boolean("actual_dockerfile_only").unwrap_or(false),
    }))
}

impl Check for InstructionCheck {
    fn run(&self, input: &EvaluationInput<'_>, output: &mut Output<'_>) -> Result<(), Failure> {
        let Self { directive, check, value, comparison, is_actual_only } = self;
        let lines = wanted_instructions(input, *is_actual_only, output)?;
        if lines.is_empty() {
            return Ok(());
        }
        let mut is_found = false;
        for instruction in lines.iter().filter(|instruction| instruction.directive == *directive) {
            is_found = true;
            let operand = instruction.operand();
            if comparison.is_match(operand, output)? {
                output.push_message(format!(
                    "Dockerfile directive '{directive}' check '{check}' matched against '{value}' for line '{operand}'"
                ))?;
            }
        }
        if !is_found && matches!(comparison, Comparison::NotExists) {
            output.push_message(format!(
                "Dockerfile directive '{directive}' not found, matching condition 'not_exists' check"
            ))?;
        }
        Ok(())
    }
}

#[derive(Debug)]
struct EffectiveUserCheck {
    users: Vec<String>,
    is_allow_list: bool,
}

fn build_effective_user(values: ParameterValues, _regexes: &mut RegexCompiler) -> Built {
    Ok(Box::new(EffectiveUserCheck {
        users: comma_list(values.text("users").unwrap_or_default()),
        is_allow_list: values.choice("type") == Some("whitelist"),
    }))
}

impl Check for EffectiveUserCheck {
    fn run(&self, input: &EvaluationInput<'_>, output: &mut Output<'_>) -> Result<(), Failure> {
        let lines = wanted_instructions(input, false, output)?;
        if lines.is_empty() {
            return Ok(());
        }
        output.budget.spend((lines.len() + self.users.len()) as u64)?;
        let user = match lines.iter().rfind(|instruction| instruction.directive == "USER") {
            None => "root",
            Some(instruction) => match instruction.line.strip_prefix("USER") {
                Some(user) => user.trim().trim_matches(['[', ']']).trim(),
                // `user` in lower case says nothing in this language.
                None => return Ok(()),
            },
        };
        let is_listed = self.users.iter().any(|listed| listed == user);
        match (self.is_allow_list, is_listed) {
            (true, false) => output.push_message(format!(
                "User {user} found as effective user, which is not on the allowed list"
            )),
            (false, true) => output
                .push_message(format!("User {user} found as effective user, which is explicity not allowed")),
            (true, true) | (false, false) => Ok(()),
        }
    }
}

#[derive(Debug)]
struct ExposedPortsCheck {
    /// For each port the three ways to write it: `22`, `22/tcp`, `22/udp`.
    ports: Vec<[String; 3]>,
    is_allow_list: bool,
    is_actual_only: bool,
}

fn build_exposed_ports(values: ParameterValues, _regexes: &mut RegexCompiler) -> Built {
    let ports = values.number_list("ports").unwrap_or_default();
    Ok(Box::new(ExposedPortsCheck {
        ports: ports
            .iter()
            .map(|port| [port.to_string(), format!("{port}/tcp"), format!("{port}/udp")])
            .collect(),
        is_allow_list: values.choice("type") == Some("whitelist"),
        is_actual_only: values.boolean("actual_dockerfile_only").unwrap_or(false),
    }))
}

/// The ports of one line. BuildKit's histories write them as a printed map, `map[22/tcp:{} 80/tcp:{}]`.
fn port_tokens(operand: &str) -> Vec<&str> {
    let printed_map = operand.strip_prefix("map[").and_then(|rest| rest.strip_suffix(']'));
    match printed_map {
        Some(ports) => {
            ports.split_whitespace().map(|port| port.strip_suffix(":{}").unwrap_or(port)).collect()
        }
        None => operand.split_whitespace().collect(),
    }
}

impl Check for ExposedPortsCheck {
    fn run(&self, input: &EvaluationInput<'_>, output: &mut Output<'_>) -> Result<(), Failure> {
        let lines = wanted_instructions(input, self.is_actual_only, output)?;
        for instruction in lines.iter().filter(|instruction| instruction.directive == "EXPOSE") {
            let tokens = port_tokens(instruction.operand());
            output.budget.spend((tokens.len() * self.ports.len()) as u64)?;
            if self.is_allow_list {
                for token in
                    tokens.into_iter().filter(|token| !self.ports.iter().flatten().any(|port| port == token))
                {
                    output.push_message(format!(
                        "Dockerfile exposes port ({token}) which is not in policy file ALLOWEDPORTS list"
                    ))?;
                }
            } else {
                for spellings in &self.ports {
                    if let Some(port) = spellings.iter().find(|spelling| tokens.contains(&spelling.as_str()))
                    {
                        output.push_message(format!(
                            "Dockerfile exposes port ({port}) which is in policy file DENIEDPORTS list"
                        ))?;
                    }
                }
            }
        }
        Ok(())
    }
}

#[derive(Debug)]
struct NoDockerfileProvided;

fn build_no_dockerfile_provided(_values: ParameterValues, _regexes: &mut RegexCompiler) -> Built {
    Ok(Box::new(NoDockerfileProvided))
}

impl Check for NoDockerfileProvided {
    fn run(&self, input: &EvaluationInput<'_>, output: &mut Output<'_>) -> Result<(), Failure> {
        match input.image.dockerfile_mode {
            DockerfileMode::Actual => Ok(()),
            DockerfileMode::Guessed | DockerfileMode::Unknown => {
                output.push_message("Image was not analyzed with an actual Dockerfile".to_owned())
            }
        }
    }
}

//! Gate `signatures`: a gate of our own, about who has signed the image.

use super::missing_data::{MISSING_DATA, fires_without_data, no_data_match};
use super::{Built, Check, Gate, Match, Output, Trigger};
use crate::budget::Failure;
use crate::judge::EvaluationInput;
use crate::parameter::{Parameter, ParameterValues, Validator};
use crate::pattern::Pattern;
use crate::prefix_regex::RegexCompiler;

pub(super) const GATE: Gate = Gate {
    name: "signatures",
    description: "Asks who has signed the image, and whether the signatures hold.",
    triggers: &[NOT_SIGNED, SIGNED_BY, NOT_VALID],
};

const NOT_SIGNED: Trigger = Trigger {
    name: "not_signed",
    description: "Fires when the image has no signature that holds.",
    parameters: &[MISSING_DATA],
    is_unconditional: false,
    build: |values, _regexes| build(&values, Question::NotSigned),
};

const SIGNED_BY: Trigger = Trigger {
    name: "signed_by",
    description: "Fires when a required signer has not signed the image.",
    parameters: &[
        Parameter {
            name: "signers",
            description: "Names of keys, or identities, with commas between them; * stands for any run of characters.",
            example: "release-key, https://github.com/example/*",
            is_required: true,
            validator: Validator::TextList,
        },
        Parameter {
            name: "required",
            description: "Whether all of them or any of them must have signed. Default: all.",
            example: "all",
            is_required: false,
            validator: Validator::Choice(&["all", "any"]),
        },
        MISSING_DATA,
    ],
    is_unconditional: false,
    build: build_signed_by,
};

const NOT_VALID: Trigger = Trigger {
    name: "not_valid",
    description: "Fires for each signature of the image that does not hold.",
    parameters: &[MISSING_DATA],
    is_unconditional: false,
    build: |values, _regexes| build(&values, Question::NotValid),
};

#[derive(Debug)]
enum Question {
    NotSigned,
    SignedBy { signers: Vec<(String, Pattern)>, are_all_required: bool },
    NotValid,
}

#[derive(Debug)]
struct SignatureRule {
    question: Question,
    fires_without_data: bool,
}

fn build(values: &ParameterValues, question: Question) -> Built {
    Ok(Box::new(SignatureRule { question, fires_without_data: fires_without_data(values) }))
}

fn build_signed_by(values: ParameterValues, _regexes: &mut RegexCompiler) -> Built {
    let names = values.text_list("signers").unwrap_or_default();
    let signers = names.iter().map(|name| (name.clone(), Pattern::with_stars_only(name))).collect();
    let are_all_required = values.choice("required") != Some("any");
    build(&values, Question::SignedBy { signers, are_all_required })
}

impl Check for SignatureRule {
    fn run(&self, input: &EvaluationInput<'_>, output: &mut Output<'_>) -> Result<(), Failure> {
        let Some(signatures) = input.signatures else {
            if self.fires_without_data {
                let reason = "nobody has looked for signatures of this image";
                output.push(no_data_match(self.question.trigger(), reason))?;
            }
            return Ok(());
        };
        match &self.question {
            Question::NotSigned if signatures.signers.is_empty() => {
                output.push_message("The image has no valid signature".to_owned())
            }
            Question::NotSigned => Ok(()),
            Question::NotValid => signatures.problems.iter().try_for_each(|problem| {
                output.push_message(format!("A signature of the image does not hold: {problem}"))
            }),
            Question::SignedBy { signers, are_all_required } => {
                let mut missing = Vec::new();
                for (name, pattern) in signers {
                    let mut has_signed = false;
                    for signer in &signatures.signers {
                        has_signed |= pattern.is_match(signer, output.budget)?;
                    }
                    if !has_signed {
                        missing.push(name.as_str());
                    }
                }
                if *are_all_required {
                    return missing.into_iter().try_for_each(|name| {
                        output.push(Match {
                            message: format!("The image is not signed by {name}"),
                            trigger_id: Some(format!("{}+{name}", SIGNED_BY.name)),
                            finding: None,
                        })
                    });
                }
                match missing.len() == signers.len() {
                    true => {
                        output.push_message(format!("The image is signed by none of {}", missing.join(", ")))
                    }
                    false => Ok(()),
                }
            }
        }
    }
}

impl Question {
    fn trigger(&self) -> &'static str {
        match self {
            Self::NotSigned => NOT_SIGNED.name,
            Self::SignedBy { .. } => SIGNED_BY.name,
            Self::NotValid => NOT_VALID.name,
        }
    }
}

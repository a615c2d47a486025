//! Gate `retrieved_files`: asks about the content of files that the analysis was told to keep.
//!
//! Unlike in the original, whose pieces end at every blank, an expression is compared with each line, from its start and
//! from the first character that is not a blank; and a file that was not kept is told once.

use super::file_contents::{note_not_kept, recorded_contents};
use super::{BadValue, Built, Check, Gate, Output, Trigger};
use crate::budget::Failure;
use crate::judge::EvaluationInput;
use crate::parameter::{Parameter, ParameterValues, Validator};
use crate::prefix_regex::{PrefixRegex, RegexCompiler};

const NAME: &str = "retrieved_files";

const PATH: Parameter = Parameter {
    name: "path",
    description: "Path of the file, exactly as in the image.",
    example: "/etc/httpd.conf",
    is_required: true,
    validator: Validator::Text,
};

pub(super) const GATE: Gate = Gate {
    name: NAME,
    description: "Asks about the content of files that the analysis was told to keep.",
    triggers: &[
        Trigger {
            name: "content_not_available",
            description: "Fires when the file was not kept.",
            parameters: &[PATH],
            is_unconditional: false,
            build: build_not_available,
        },
        Trigger {
            name: "content_regex",
            description: "Fires when a line of the kept file matches the regular expression from its start, or when none does.",
            parameters: &[
                PATH,
                Parameter {
                    name: "check",
                    description: "Whether a line must match or none may.",
                    example: "match",
                    is_required: true,
                    validator: Validator::Choice(&["match", "no_match"]),
                },
                Parameter {
                    name: "regex",
                    description: "Regular expression for lines.",
                    example: ".*SSLEnabled.*",
                    is_required: true,
                    validator: Validator::Regex,
                },
            ],
            is_unconditional: false,
            build: build_content,
        },
    ],
};

/// The kept file of this path.
fn find_kept<'a>(input: &EvaluationInput<'a>, path: &str) -> Option<&'a [u8]> {
    let kept = input.contents?.retrieved.iter().find(|file| file.path == path)?;
    Some(&kept.content)
}

#[derive(Debug)]
struct NotAvailable {
    path: String,
}

fn build_not_available(values: ParameterValues, _regexes: &mut RegexCompiler) -> Built {
    Ok(Box::new(NotAvailable { path: values.text("path").unwrap_or_default().to_owned() }))
}

impl Check for NotAvailable {
    fn needs_contents(&self) -> bool {
        true
    }

    fn wanted_file(&self) -> Option<&str> {
        Some(&self.path)
    }

    fn run(&self, input: &EvaluationInput<'_>, output: &mut Output<'_>) -> Result<(), Failure> {
        output.budget.spend(1 + input.contents.map_or(0, |contents| contents.retrieved.len() as u64))?;
        match find_kept(input, &self.path) {
            Some(_) => Ok(()),
            None => output.push_message("Cannot locate file in the image analysis".to_owned()),
        }
    }
}

#[derive(Debug)]
struct ContentCheck {
    path: String,
    regex: PrefixRegex,
    check: &'static str,
}

fn build_content(mut values: ParameterValues, _regexes: &mut RegexCompiler) -> Built {
    let regex = values
        .take_any_regex("regex")
        .ok_or_else(|| BadValue { parameter: "regex", reason: "it is missing".to_owned() })?;
    Ok(Box::new(ContentCheck {
        path: values.text("path").unwrap_or_default().to_owned(),
        regex,
        check: values.choice("check").unwrap_or_default(),
    }))
}

impl Check for ContentCheck {
    fn needs_contents(&self) -> bool {
        true
    }

    fn wanted_file(&self) -> Option<&str> {
        Some(&self.path)
    }

    fn run(&self, input: &EvaluationInput<'_>, output: &mut Output<'_>) -> Result<(), Failure> {
        let contents = recorded_contents(input, NAME)?;
        output.budget.spend(1 + contents.retrieved.len() as u64)?;
        let Some(content) = find_kept(input, &self.path) else {
            return note_not_kept(contents, &self.path, output);
        };
        let is_found = self.finds_line(content, output)?;
        if is_found != (self.check == "match") {
            return Ok(());
        }
        output.push_message(format!(
            "Content regex '{}' check '{}' found in retrieved file '{}'",
            self.regex.pattern(),
            self.check,
            self.path
        ))
    }
}

impl ContentCheck {
    fn finds_line(&self, content: &[u8], output: &mut Output<'_>) -> Result<bool, Failure> {
        output.budget.spend(content.len() as u64 / 16)?;
        for line in String::from_utf8_lossy(content).lines() {
            let without_indent = line.trim_start();
            if self.regex.is_match(line, output.budget)?
                || (without_indent.len() < line.len()
                    && self.regex.is_match(without_indent, output.budget)?)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

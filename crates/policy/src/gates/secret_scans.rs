//! Gate `secret_scans`: asks where the secret patterns of the analysis were found.
//!
//! `content_regex_name` names patterns exactly, with commas between them. The original asks whether a pattern's name is
//! part of the parameter, so that `API_KEY` is found in `MY_API_KEY_2`; lists with commas mean the same in both.

use model::PatternMatch;

use super::file_contents::{note_unsearched, recorded_contents};
use super::{Built, Check, Gate, Output, Trigger};
use crate::budget::Failure;
use crate::judge::EvaluationInput;
use crate::parameter::{Parameter, ParameterValues, Validator};
use crate::prefix_regex::{PrefixRegex, RegexCompiler};

const NAME: &str = "secret_scans";

const fn parameter(
    name: &'static str,
    description: &'static str,
    example: &'static str,
    validator: Validator,
) -> Parameter {
    Parameter { name, description, example, is_required: false, validator }
}

pub(super) const GATE: Gate = Gate {
    name: NAME,
    description: "Asks where the secret patterns of the analysis were found.",
    triggers: &[Trigger {
        name: "content_regex_checks",
        description: "Fires for each file in which a secret pattern was found, or when none was.",
        parameters: &[
            parameter(
                "content_regex_name",
                "Names of patterns with commas between them, or one pattern itself. Default: all.",
                "AWS_ACCESS_KEY",
                Validator::Text,
            ),
            parameter(
                "filename_regex",
                "Only files whose path this regular expression matches from its start.",
                "/etc/.*",
                Validator::Regex,
            ),
            parameter(
                "match_type",
                "Whether a find or the absence of all finds counts. Default: found.",
                "found",
                Validator::Choice(&["notfound", "found"]),
            ),
        ],
        is_unconditional: false,
        build: build_content_check,
    }],
};

#[derive(Debug)]
struct ContentCheck {
    /// As written; empty for all patterns.
    wanted: String,
    names: Vec<String>,
    path: Option<PrefixRegex>,
    is_absence_wanted: bool,
}

fn build_content_check(mut values: ParameterValues, _regexes: &mut RegexCompiler) -> Built {
    let path = values.take_regex("filename_regex");
    let wanted = values.text("content_regex_name").unwrap_or_default();
    Ok(Box::new(ContentCheck {
        wanted: wanted.to_owned(),
        names: wanted.split(',').map(|name| name.trim().to_owned()).collect(),
        path,
        is_absence_wanted: values.choice("match_type") == Some("notfound"),
    }))
}

impl Check for ContentCheck {
    fn needs_contents(&self) -> bool {
        true
    }

    fn run(&self, input: &EvaluationInput<'_>, output: &mut Output<'_>) -> Result<(), Failure> {
        let contents = recorded_contents(input, NAME)?;
        note_unsearched(contents, output)?;
        let mut is_found = false;
        for found in &contents.secret_matches {
            output.budget.spend(1 + self.names.len() as u64)?;
            if !self.is_wanted(found, output)? {
                continue;
            }
            is_found = true;
            if !self.is_absence_wanted {
                output.push_message(format!(
                    "Secret content search analyzer found regexp match in container: file={} regexp={}",
                    found.path,
                    found.label()
                ))?;
            }
        }
        if is_found || !self.is_absence_wanted {
            return Ok(());
        }
        output.push_message(format!(
            "Secret content search analyzer did not find regexp match in container: filename_regex={} content_regex_name={}",
            self.path.as_ref().map_or("*", PrefixRegex::pattern),
            if self.wanted.is_empty() { "all" } else { &self.wanted }
        ))
    }
}

impl ContentCheck {
    fn is_wanted(&self, found: &PatternMatch, output: &mut Output<'_>) -> Result<bool, Failure> {
        let is_named = self.wanted.is_empty()
            // A pattern may hold commas itself.
            || self.wanted == found.pattern
            || self.wanted == found.label()
            || self
                .names
                .iter()
                .any(|name| !name.is_empty() && (*name == found.name || *name == found.pattern));
        match &self.path {
            Some(regex) if is_named => regex.is_match(&found.path, output.budget),
            _ => Ok(is_named),
        }
    }
}

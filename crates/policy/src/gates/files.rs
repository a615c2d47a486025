//! Gate `files`: asks for files by name and attributes, and for patterns that were found in their content.
//!
//! Directories count as files here, as the language has it: `/var/mail` with its set-group-id bit is one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use model::FileEntry;

use super::file_contents::{note_unsearched, recorded_contents, recorded_paths};
use super::{BadValue, Built, Check, Gate, Output, Trigger};
use crate::budget::Failure;
use crate::judge::EvaluationInput;
use crate::parameter::{Parameter, ParameterValues, Validator};
use crate::prefix_regex::{PrefixRegex, RegexCompiler};
use crate::problem;

const NAME: &str = "files";
/// Set-user-id and set-group-id.
const SET_ID_BITS: u32 = 0o6000;
const PERMISSIONS_MAX: u32 = 0o7777;
const EQUALITIES: &[&str] = &["equals", "not_equals"];

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
    description: "Asks for files by name and attributes, and for patterns that were found in their content.",
    triggers: &[
        Trigger {
            name: "content_regex_match",
            description: "Fires for each file in which a content pattern of the analysis was found.",
            parameters: &[parameter(
                "regex_name",
                "Name of one pattern, or the pattern itself. Default: all patterns.",
                "password",
                Validator::Text,
            )],
            is_unconditional: false,
            build: build_content_match,
        },
        Trigger {
            name: "name_match",
            description: "Fires for each path that the regular expression matches from its start.",
            parameters: &[Parameter {
                name: "regex",
                description: "Regular expression for the whole path.",
                example: r".*\.pem",
                is_required: true,
                validator: Validator::Regex,
            }],
            is_unconditional: false,
            build: build_name_match,
        },
        Trigger {
            name: "attribute_match",
            description: "Fires when one file has all the given attributes.",
            parameters: ATTRIBUTE_PARAMETERS,
            is_unconditional: false,
            build: build_attribute_match,
        },
        Trigger {
            name: "suid_or_guid_set",
            description: "Fires for each file or folder with its set-user-id or set-group-id bit.",
            parameters: &[],
            is_unconditional: false,
            build: build_set_id,
        },
    ],
};

const ATTRIBUTE_PARAMETERS: &[Parameter] = &[
    Parameter {
        name: "filename",
        description: "Path of the file, exactly as in the image.",
        example: "/etc/passwd",
        is_required: true,
        validator: Validator::Text,
    },
    parameter(
        "checksum_algorithm",
        "How the checksum was made. Default: sha256.",
        "sha256",
        Validator::Choice(&["sha256"]),
    ),
    parameter(
        "checksum",
        "Checksum to compare with, in hex.",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        Validator::Text,
    ),
    parameter(
        "checksum_match",
        "Whether the checksum must be this one or another. Default: equals.",
        "equals",
        Validator::Choice(EQUALITIES),
    ),
    parameter("mode", "Permission bits to compare with, octal.", "00644", Validator::Text),
    parameter(
        "mode_op",
        "Whether the permission bits must be these or others. Default: equals.",
        "equals",
        Validator::Choice(EQUALITIES),
    ),
    parameter(
        "skip_missing",
        "Whether to say nothing when there is no such file. Default: true.",
        "true",
        Validator::Boolean,
    ),
];

#[derive(Debug)]
struct ContentMatch {
    wanted: Option<String>,
}

fn build_content_match(values: ParameterValues, _regexes: &mut RegexCompiler) -> Built {
    Ok(Box::new(ContentMatch { wanted: values.text("regex_name").map(str::to_owned) }))
}

impl Check for ContentMatch {
    fn needs_contents(&self) -> bool {
        true
    }

    fn run(&self, input: &EvaluationInput<'_>, output: &mut Output<'_>) -> Result<(), Failure> {
        let contents = recorded_contents(input, NAME)?;
        note_unsearched(contents, output)?;
        for found in &contents.content_matches {
            let label = found.label();
            output.budget.spend(1 + label.len() as u64 / 16)?;
            // Bundles also name patterns as Anchore stores them, in base64.
            let is_wanted = self.wanted.as_deref().is_none_or(|wanted| {
                wanted == found.name || wanted == found.pattern || wanted == BASE64.encode(&label)
            });
            if is_wanted {
                output.push_message(format!(
                    "File content analyzer found regexp match in container: file={} regexp={label}",
                    found.path
                ))?;
            }
        }
        Ok(())
    }
}

#[derive(Debug)]
struct NameMatch {
    regex: PrefixRegex,
}

fn build_name_match(mut values: ParameterValues, _regexes: &mut RegexCompiler) -> Built {
    match values.take_any_regex("regex") {
        Some(regex) => Ok(Box::new(NameMatch { regex })),
        None => Err(BadValue { parameter: "regex", reason: "it is missing".to_owned() }),
    }
}

impl Check for NameMatch {
    fn needs_contents(&self) -> bool {
        true
    }

    fn run(&self, input: &EvaluationInput<'_>, output: &mut Output<'_>) -> Result<(), Failure> {
        for file in &recorded_paths(input, NAME, output)?.files {
            if self.regex.is_match(&file.path, output.budget)? {
                output.push_message(format!(
                    "Application of regex matched file found in container: file={} regexp={}",
                    file.path,
                    self.regex.pattern()
                ))?;
            }
        }
        Ok(())
    }
}

/// What an attribute is compared with.
#[derive(Debug)]
struct Expected<T> {
    value: T,
    operation: &'static str,
}

impl<T> Expected<T> {
    fn holds(&self, is_equal: bool) -> bool {
        is_equal == (self.operation == "equals")
    }
}

#[derive(Debug)]
struct AttributeMatch {
    path: String,
    checksum: Option<Expected<String>>,
    permissions: Option<Expected<u32>>,
    is_absence_wanted: bool,
}

fn build_attribute_match(values: ParameterValues, _regexes: &mut RegexCompiler) -> Built {
    let operation = |name| values.choice(name).unwrap_or("equals");
    let permissions = match values.text("mode") {
        Some(text) => Some(Expected { value: read_permissions(text)?, operation: operation("mode_op") }),
        None => None,
    };
    let checksum = values
        .text("checksum")
        .map(|value| Expected { value: value.to_owned(), operation: operation("checksum_match") });
    Ok(Box::new(AttributeMatch {
        path: values.text("filename").unwrap_or_default().to_owned(),
        checksum,
        permissions,
        is_absence_wanted: values.boolean("skip_missing") == Some(false),
    }))
}

/// `00644`, `644`, `0o644`.
fn read_permissions(text: &str) -> Result<u32, BadValue> {
    let digits = text.trim();
    let digits = digits.strip_prefix("0o").or_else(|| digits.strip_prefix("0O")).unwrap_or(digits);
    u32::from_str_radix(digits, 8)
        .ok()
        .filter(|permissions| *permissions <= PERMISSIONS_MAX && !digits.starts_with('+'))
        .ok_or_else(|| BadValue {
            parameter: "mode",
            reason: format!("value `{}` is not an octal number from 0 to 7777", problem::quote(text)),
        })
}

impl Check for AttributeMatch {
    fn needs_contents(&self) -> bool {
        true
    }

    fn run(&self, input: &EvaluationInput<'_>, output: &mut Output<'_>) -> Result<(), Failure> {
        let contents = recorded_paths(input, NAME, output)?;
        match contents.find_file(&self.path) {
            None if self.is_absence_wanted => {
                output.push_message(format!("filename={} and skip_missing=False", self.path))
            }
            None => Ok(()),
            Some(file) => match self.describe(file) {
                Some(message) => output.push_message(message),
                None => Ok(()),
            },
        }
    }
}

impl AttributeMatch {
    /// What was compared, when there is something and all of it holds.
    fn describe(&self, file: &FileEntry) -> Option<String> {
        let mut message = format!("filename={}", self.path);
        if let Some(expected) = &self.checksum {
            let actual = file.sha256.as_ref().map_or_else(|| "None".to_owned(), hex);
            if !expected.holds(actual.eq_ignore_ascii_case(&expected.value)) {
                return None;
            }
            message.push_str(&format!(
                " and checksum={actual} op={} specified_checksum={}",
                expected.operation, expected.value
            ));
        }
        if let Some(expected) = &self.permissions {
            if !expected.holds(file.permissions == expected.value) {
                return None;
            }
            message.push_str(&format!(
                " and mode={:#o} op={} specified_mode={:#o}",
                file.permissions, expected.operation, expected.value
            ));
        }
        (self.checksum.is_some() || self.permissions.is_some()).then_some(message)
    }
}

/// Bytes in lower-case hex.
pub(super) fn hex(bytes: &[u8; 32]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

#[derive(Debug)]
struct SetId;

fn build_set_id(_values: ParameterValues, _regexes: &mut RegexCompiler) -> Built {
    Ok(Box::new(SetId))
}

impl Check for SetId {
    fn needs_contents(&self) -> bool {
        true
    }

    fn run(&self, input: &EvaluationInput<'_>, output: &mut Output<'_>) -> Result<(), Failure> {
        let files = &recorded_paths(input, NAME, output)?.files;
        output.budget.spend(files.len() as u64)?;
        for file in files.iter().filter(|file| file.permissions & SET_ID_BITS != 0) {
            output.push_message(format!(
                "SUID or SGID found set on file {}. Mode: {:#o}",
                file.path,
                file.mode()
            ))?;
        }
        Ok(())
    }
}

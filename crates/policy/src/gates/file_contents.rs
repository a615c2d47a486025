//! What gates that ask about files have in common: what is recorded, and what is not.

use model::{DiagnosticCode, ImageContents};

use super::Output;
use crate::budget::Failure;
use crate::judge::EvaluationInput;
use crate::problem::quote;

/// What was not read that one decision names; the rest is counted.
const NAMED_MAX: usize = 3;

/// What the files of the image say. An image that nobody has looked into is not one without files, so it is refused.
pub(super) fn recorded_contents<'a>(
    input: &EvaluationInput<'a>,
    gate: &'static str,
) -> Result<&'a ImageContents, Failure> {
    input.contents.ok_or(Failure::ContentsNotRecorded { gate })
}

/// Like [`recorded_contents`], for rules about paths: a list that ends too early would hide what comes behind.
pub(super) fn recorded_paths<'a>(
    input: &EvaluationInput<'a>,
    gate: &'static str,
    output: &mut Output<'_>,
) -> Result<&'a ImageContents, Failure> {
    let contents = recorded_contents(input, gate)?;
    output.budget.spend(1 + contents.diagnostics.len() as u64)?;
    match contents.diagnostics.iter().any(|diagnostic| diagnostic.code == DiagnosticCode::PathsLeftOut) {
        true => Err(Failure::PathsLeftOut { gate, listed: contents.files.len() }),
        false => Ok(contents),
    }
}

/// Tells what was not searched: a search that left something out has not found everything.
pub(super) fn note_unsearched(contents: &ImageContents, output: &mut Output<'_>) -> Result<(), Failure> {
    note(contents, "Not everything was searched", output, |code, _| {
        code == DiagnosticCode::ContentNotSearched
    })
}

/// Tells why a file that was to be kept is not there.
pub(super) fn note_not_kept(
    contents: &ImageContents,
    path: &str,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    note(contents, "The file was not kept", output, |code, subject| {
        // The root stands for many.
        matches!(code, DiagnosticCode::FileTooLarge | DiagnosticCode::BrokenLink)
            && (subject == path || subject == "/")
    })
}

fn note(
    contents: &ImageContents,
    start: &str,
    output: &mut Output<'_>,
    is_about: impl Fn(DiagnosticCode, &str) -> bool,
) -> Result<(), Failure> {
    output.budget.spend(1 + contents.diagnostics.len() as u64)?;
    let about: Vec<String> = contents
        .diagnostics
        .iter()
        .filter(|diagnostic| is_about(diagnostic.code, &diagnostic.subject))
        .map(|diagnostic| format!("`{}`: {}", quote(&diagnostic.subject), quote(&diagnostic.message)))
        .collect();
    let (named, others) = about.split_at(about.len().min(NAMED_MAX));
    if named.is_empty() {
        return Ok(());
    }
    let more = match others.len() {
        0 => String::new(),
        count => format!("; and {count} more"),
    };
    output.gaps.push(format!("{start}: {}{more}", named.join("; ")));
    Ok(())
}

//! What gates that ask about files have in common: what is recorded, and what is not.

use model::ImageContents;

use super::Output;
use crate::budget::Failure;
use crate::judge::EvaluationInput;
use crate::problem::quote;

/// What the files of the image say. An image that nobody has looked into is not one without files, so it is refused.
pub(super) fn recorded_contents<'a>(
    input: &EvaluationInput<'a>,
    gate: &'static str,
) -> Result<&'a ImageContents, Failure> {
    input.contents.ok_or(Failure::ContentsNotRecorded { gate })
}

/// Tells which files were not searched: a search that left something out has not found everything.
pub(super) fn note_unread_files(contents: &ImageContents, output: &mut Output<'_>) {
    if let Some(first) = contents.diagnostics.first() {
        output.gaps.push(format!(
            "{} files could not be read as a whole, the first is `{}`: {}",
            contents.diagnostics.len(),
            quote(&first.subject),
            quote(&first.message)
        ));
    }
}

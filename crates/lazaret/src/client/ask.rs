//! Questions on a terminal. They go to standard error: a result that is piped away stays clean.

use anyhow::Context as _;
use inquire::{Confirm, InquireError, MultiSelect, Password, PasswordDisplayMode, Select, Text};
use report_formats::printable;

const LINES_SHOWN: usize = 12;

/// Which of these; the answer is its place.
pub(super) fn select(question: &str, options: &[String], start: usize) -> anyhow::Result<usize> {
    let shown = shown(options);
    let start = start.min(shown.len().saturating_sub(1));
    let prompt = Select::new(question, shown).with_starting_cursor(start).with_page_size(LINES_SHOWN);
    Ok(answered(prompt.raw_prompt())?.index)
}

/// Which of these, any number; the answer is their places.
pub(super) fn select_several(
    question: &str,
    options: &[String],
    chosen: &[usize],
) -> anyhow::Result<Vec<usize>> {
    let prompt = MultiSelect::new(question, shown(options)).with_default(chosen).with_page_size(LINES_SHOWN);
    Ok(answered(prompt.raw_prompt())?.into_iter().map(|option| option.index).collect())
}

/// Yes or no.
pub(super) fn confirm(question: &str, default: bool) -> anyhow::Result<bool> {
    answered(Confirm::new(question).with_default(default).prompt())
}

/// A text; the default is taken when nothing is typed.
pub(super) fn text(question: &str, default: &str) -> anyhow::Result<String> {
    let default = printable(default);
    let prompt = Text::new(question);
    let prompt = if default.is_empty() { prompt } else { prompt.with_default(&default) };
    Ok(answered(prompt.prompt())?.trim().to_owned())
}

/// A text that is asked for until it is not empty.
pub(super) fn required_text(question: &str, default: &str) -> anyhow::Result<String> {
    loop {
        let answer = text(question, default)?;
        if !answer.is_empty() {
            return Ok(answer);
        }
    }
}

/// A text that is not shown while it is typed.
pub(super) fn hidden(question: &str) -> anyhow::Result<String> {
    let prompt =
        Password::new(question).without_confirmation().with_display_mode(PasswordDisplayMode::Masked);
    answered(prompt.prompt())
}

fn shown(options: &[String]) -> Vec<String> {
    options.iter().map(|option| printable(option).into_owned()).collect()
}

fn answered<T>(answer: Result<T, InquireError>) -> anyhow::Result<T> {
    match answer {
        Err(InquireError::OperationCanceled | InquireError::OperationInterrupted) => {
            anyhow::bail!("cancelled; nothing was changed")
        }
        Err(InquireError::NotTTY) => {
            anyhow::bail!(
                "there is no terminal to ask on: leave out --interactive and give everything as flags or files"
            )
        }
        answer => answer.context("failed to ask"),
    }
}

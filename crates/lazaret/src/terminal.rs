//! The one place that writes to standard output and standard error.

use std::io::{self, IsTerminal as _, Write as _};

use anyhow::Context as _;

/// Writes a report or another result to standard output.
///
/// Errors: the output is closed or full; a reader that has seen enough (`| head`) is not an error.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut output = io::stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result.context("failed to write to standard output"),
    }
}

/// Lines of text from outside, what a terminal would obey in them made visible.
pub(crate) fn shown(text: &str) -> String {
    text.lines().map(|line| format!("{}\n", report_formats::printable(line))).collect()
}

/// Writes a line to standard error, what a terminal would obey in it made visible; a text of several lines stays several. If that is closed, there is nobody left to tell.
pub(crate) fn error_line(text: &str) {
    let _ = io::stderr().lock().write_all(shown(text).as_bytes());
}

/// Whether standard error is a terminal: only then progress is drawn.
pub(crate) fn shows_progress() -> bool {
    io::stderr().is_terminal()
}

/// Whether somebody sits at both ends: only then questions are asked.
pub(crate) fn is_dialogue() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// The width of the terminal that shows standard output, `None` for a pipe or file.
pub(crate) fn width() -> Option<u16> {
    if !io::stdout().is_terminal() {
        return None;
    }
    let (_rows, columns) = console::Term::stdout().size_checked()?;
    Some(columns)
}

/// Whether standard output shows colours, and the user wants them.
pub(crate) fn has_color() -> bool {
    io::stdout().is_terminal() && !crate::config::wants_no_color()
}

/// An error with all its causes in one line, without saying the same thing twice.
pub(crate) fn chain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_shown() {
        assert_eq!(shown("a\u{1b}[2Jb\r\nc"), "a\\u{1b}[2Jb\nc\n");
    }

    #[test]
    fn causes_follow_each_other_once() {
        let error = anyhow::anyhow!("connection refused")
            .context("failed to reach `h:1`")
            .context("failed to reach `h:1`: connection refused")
            .context("failed to pull `h:1/a`");
        assert_eq!(chain(&error), "failed to pull `h:1/a`: failed to reach `h:1`: connection refused");
    }
}

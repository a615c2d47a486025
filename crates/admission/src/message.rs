//! What people read: the text of a refusal and the warnings.
//!
//! Users of Deployments see the text only as an event, and events over 1,024 bytes are refused, so it stays under 1,000.

use crate::decision::{ImageOutcome, JudgedImage, Ruling, sort_reasons};
use crate::review::{Answer, WARNING_CHARS_MAX};
use crate::source::{Verdict, VerdictReason};
use crate::whitelist::ReleaseName;

/// Most bytes of a refusal.
pub const MESSAGE_BYTES_MAX: usize = 1_000;
/// Most warnings of one answer.
pub const WARNINGS_MAX: usize = 10;

const FIRST_LINE_BYTES_MAX: usize = 420;
const LINE_BYTES_MAX: usize = 200;
const REASONS_MAX: usize = 3;

/// Who is judged, for the line that says how to ask for an exception.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageSubject<'a> {
    /// The release.
    pub release: &'a ReleaseName,
    /// Whether something else makes Pods like this one, each with a new name.
    pub has_owner: bool,
}

/// The answer that tells a ruling.
pub fn write_ruling(ruling: Ruling, images: &[JudgedImage], subject: &MessageSubject<'_>) -> Answer {
    match ruling {
        Ruling::Allowed => Answer { warnings: warnings(images), ..Answer::allowed() },
        Ruling::Whitelisted => Answer { message: "Whitelisted release".to_owned(), ..Answer::allowed() },
        Ruling::AllowedUndecided => Answer { warnings: warnings(images), ..Answer::allowed() },
        Ruling::Denied | Ruling::DeniedUndecided => {
            Answer { is_allowed: false, message: refusal(images, subject), warnings: Vec::new() }
        }
    }
}

fn refusal(images: &[JudgedImage], subject: &MessageSubject<'_>) -> String {
    let failing: Vec<&JudgedImage> =
        images.iter().filter(|image| !matches!(image.outcome, ImageOutcome::Passed(_))).collect();
    let mut text = format!("Image failed policy check: {}", join_names(&failing));
    let last = exception_line(subject);
    for image in &failing {
        for line in image_lines(image) {
            let prefix =
                if failing.len() > 1 { format!("{}: ", shorten(&image.written, 80)) } else { String::new() };
            let line = shorten(&format!("{prefix}{line}"), LINE_BYTES_MAX);
            if text.len() + line.len() + last.len() + 2 <= MESSAGE_BYTES_MAX {
                text.push('\n');
                text.push_str(&line);
            }
        }
    }
    text.push('\n');
    text.push_str(&last);
    text
}

fn join_names(images: &[&JudgedImage]) -> String {
    let mut text = String::new();
    for (position, image) in images.iter().enumerate() {
        let separator = if position == 0 { "" } else { ", " };
        let name = shorten(&image.written, FIRST_LINE_BYTES_MAX - 20);
        if text.len() + separator.len() + name.len() > FIRST_LINE_BYTES_MAX - 20 {
            text.push_str(&format!(" and {} more", images.len() - position));
            break;
        }
        text.push_str(separator);
        text.push_str(&name);
    }
    text
}

fn image_lines(image: &JudgedImage) -> Vec<String> {
    match &image.outcome {
        ImageOutcome::Passed(_) => Vec::new(),
        ImageOutcome::RefusedUnseen { why, .. } => vec![why.clone()],
        ImageOutcome::Undecided { why } => {
            vec![
                format!("not decided: {why}"),
                "try again in a moment; if it stays so, ask the cluster's operators".to_owned(),
            ]
        }
        ImageOutcome::Refused(verdict) => {
            let mut lines: Vec<_> =
                sort_reasons(&verdict.reasons).into_iter().take(REASONS_MAX).map(reason_line).collect();
            if lines.is_empty() {
                lines.push(format!("refused by policy `{}`", verdict.policy_id));
            }
            if verdict.reasons.len() > REASONS_MAX
                && let Some(line) = lines.last_mut()
            {
                line.push_str(&format!(" (and {} more)", verdict.reasons.len() - REASONS_MAX));
            }
            lines
        }
    }
}

fn reason_line(reason: &VerdictReason) -> String {
    let rule = format!("({}/{})", reason.gate, reason.trigger);
    match (&reason.vulnerability, &reason.package) {
        (Some(vulnerability), Some(package)) => {
            let severity = reason.severity.map_or("", |severity| severity.name());
            let installed = reason.installed.as_deref().unwrap_or("");
            let fix =
                reason.fixed_in.as_deref().map_or("no fix yet".to_owned(), |fixed| format!("→ {fixed}"));
            let words = [vulnerability, severity, package, installed, &fix, &rule];
            words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
        }
        _ => format!("{} {rule}", shorten(&reason.message, LINE_BYTES_MAX - 60)),
    }
}

fn exception_line(subject: &MessageSubject<'_>) -> String {
    let name = &subject.release.name;
    if subject.release.is_fake && (subject.has_owner || name.is_empty()) {
        return "exception: label the Pods app.kubernetes.io/instance=NAME and ask for a WhiteListItem named NAME"
            .to_owned();
    }
    if is_object_name(name) {
        format!("exception: ask for a WhiteListItem named {name}")
    } else {
        format!("exception: ask for a WhiteListItem whose regexp matches {}", shorten(name, 80))
    }
}

/// Whether an object can have this name: letters, digits, `-` and `.`, at most 253.
pub(crate) fn is_object_name(name: &str) -> bool {
    name.len() <= 253
        && name.split('.').all(|label| {
            let is_edge_good = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
            is_edge_good(label.as_bytes().first())
                && is_edge_good(label.as_bytes().last())
                && label.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        })
}

/// One warning for each image that passes only with one, and for each that nobody has judged.
pub fn warnings(images: &[JudgedImage]) -> Vec<String> {
    let lines = images.iter().filter_map(|image| {
        let text = match &image.outcome {
            ImageOutcome::Undecided { why } => format!("not decided, let in unchecked: {why}"),
            ImageOutcome::Passed(verdict) if !verdict.warnings.is_empty() => {
                summary("policy warnings", &verdict.warnings)
            }
            _ => return None,
        };
        Some(warning(&image.written, &text))
    });
    limit_warnings(lines)
}

/// The warning about an image in a template that its Pods will not be allowed to run.
pub fn template_warnings<'a>(refused: impl Iterator<Item = (&'a str, &'a Verdict)>) -> Vec<String> {
    limit_warnings(refused.map(|(written, verdict)| {
        warning(written, &format!("its Pods will be refused: {}", summary("reasons", &verdict.reasons)))
    }))
}

fn summary(what: &str, reasons: &[VerdictReason]) -> String {
    let worst = sort_reasons(reasons).first().map(|reason| reason_line(reason)).unwrap_or_default();
    match reasons.len() {
        0 => "refused by the policy".to_owned(),
        1 => worst,
        count => format!("{count} {what}, first {worst}"),
    }
}

fn warning(written: &str, text: &str) -> String {
    let whole = format!("{}: {text}", shorten(written, 120));
    match whole.char_indices().nth(WARNING_CHARS_MAX) {
        None => whole,
        Some(_) => whole.chars().take(WARNING_CHARS_MAX - 1).chain(['…']).collect(),
    }
    // A line break would end the header in which the API server passes warnings on.
    .replace(char::is_control, " ")
}

fn limit_warnings(lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut all: Vec<String> = lines.collect();
    if all.len() > WARNINGS_MAX {
        let rest = all.len() - (WARNINGS_MAX - 1);
        all.truncate(WARNINGS_MAX - 1);
        all.push(format!("and {rest} more images with warnings"));
    }
    all
}

/// The text, cut at a character so that it has at most so many bytes, on one line.
fn shorten(text: &str, bytes_max: usize) -> String {
    // Names in images come from whoever made them, and this is read in terminals.
    let line = text.replace(char::is_control, " ");
    if line.len() <= bytes_max {
        return line;
    }
    let end = line.floor_char_boundary(bytes_max.saturating_sub('…'.len_utf8()));
    format!("{}…", &line[..end])
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;

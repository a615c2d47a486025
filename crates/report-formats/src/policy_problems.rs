//! What `lazaret policy check` says about a bundle.

use std::fmt::Write as _;

use model::{EvaluationProblem, ProblemSeverity};
use serde::Serialize;

use crate::printable::printable;
use crate::{SCHEMA_VERSION, wire};

#[derive(Serialize)]
struct CheckJson<'a> {
    schema_version: &'static str,
    bundle: &'a str,
    is_valid: bool,
    problems: Vec<ProblemJson<'a>>,
}

#[derive(Serialize)]
struct ProblemJson<'a> {
    severity: &'static str,
    problem_type: &'a str,
    path: Option<&'a str>,
    details: &'a str,
}

/// Whether a bundle with these problems is accepted.
pub fn is_valid_bundle(problems: &[EvaluationProblem]) -> bool {
    problems.iter().all(|problem| problem.severity != ProblemSeverity::Error)
}

/// One problem in each line, with its place in front, and a summary.
pub fn policy_check_table(bundle_name: &str, problems: &[EvaluationProblem]) -> String {
    let mut text = String::new();
    for problem in problems {
        let EvaluationProblem { problem_type, details, severity, path } = problem;
        let word = match severity {
            ProblemSeverity::Error => "error",
            ProblemSeverity::Warn => "warning",
        };
        let place = path.as_ref().map(|path| format!(" at {}", printable(path))).unwrap_or_default();
        writeln!(text, "{word}{place}: {} [{problem_type}]", printable(details))
            .expect("writing to a String cannot fail");
    }
    let errors = problems.iter().filter(|problem| problem.severity == ProblemSeverity::Error).count();
    let count = |count: usize, word: &str| match count {
        1 => format!("1 {word}"),
        count => format!("{count} {word}s"),
    };
    let (errors_text, warnings_text) = (count(errors, "error"), count(problems.len() - errors, "warning"));
    let verdict = match (errors, problems.len()) {
        (0, 0) => "is good".to_owned(),
        (0, _) => format!("is good, with {warnings_text}"),
        _ => format!("has {errors_text} and {warnings_text}; an engine would refuse it"),
    };
    writeln!(text, "bundle `{}` {verdict}", printable(bundle_name)).expect("writing to a String cannot fail");
    text
}

/// The same for programs.
pub fn policy_check_json(bundle_name: &str, problems: &[EvaluationProblem]) -> String {
    wire::to_text(&CheckJson {
        schema_version: SCHEMA_VERSION,
        bundle: bundle_name,
        is_valid: is_valid_bundle(problems),
        problems: problems
            .iter()
            .map(|EvaluationProblem { problem_type, details, severity, path }| ProblemJson {
                severity: severity.name(),
                problem_type,
                path: path.as_deref(),
                details,
            })
            .collect(),
    })
}

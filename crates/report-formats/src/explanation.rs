//! Why a vulnerability is, or is not, a finding of an image: for people, and as JSON for programs.

use std::fmt::Write as _;

use model::{
    Answer, AnswerOutcome, Comparison, ExplainedPackage, ExplainedRecord, Explanation, FindingState,
    MatchedBy,
};
use serde::Serialize;

use crate::printable::printable;
use crate::{SCHEMA_VERSION, wire};

#[derive(Serialize)]
struct ExplanationJson<'a> {
    schema_version: &'static str,
    image: &'a str,
    id: &'a str,
    names: &'a [String],
    summary: Option<&'a str>,
    url: Option<&'a str>,
    is_reported: bool,
    answers: Vec<AnswerJson<'a>>,
    answers_left_out: usize,
}

#[derive(Serialize)]
struct AnswerJson<'a> {
    outcome: &'static str,
    sentence: String,
    record: Option<RecordJson<'a>>,
    package: Option<PackageJson<'a>>,
    comparison: Option<ComparisonJson<'a>>,
}

#[derive(Serialize)]
struct RecordJson<'a> {
    id: &'a str,
    feed: &'static str,
    ecosystem: Option<String>,
    package: &'a str,
    says: &'a str,
}

#[derive(Serialize)]
struct PackageJson<'a> {
    r#type: &'static str,
    name: &'a str,
    version: Option<&'a str>,
    purl: &'a str,
    path: &'a str,
}

#[derive(Serialize)]
struct ComparisonJson<'a> {
    matched_by: &'static str,
    name: &'a str,
    version: &'a str,
    scheme: &'static str,
}

/// The explanation as JSON, valid under [`crate::EXPLANATION_SCHEMA`].
pub fn explanation_json(explanation: &Explanation, image_name: &str) -> String {
    let Explanation { id, names, summary, url, answers, answers_left_out } = explanation;
    wire::to_text(&ExplanationJson {
        schema_version: SCHEMA_VERSION,
        image: image_name,
        id,
        names,
        summary: summary.as_deref(),
        url: url.as_deref(),
        is_reported: explanation.is_reported(),
        answers: answers.iter().map(answer_json).collect(),
        answers_left_out: *answers_left_out,
    })
}

fn answer_json(answer: &Answer) -> AnswerJson<'_> {
    let Answer { record, package, comparison, outcome } = answer;
    AnswerJson {
        outcome: outcome.name(),
        sentence: sentence(outcome),
        record: record.as_ref().map(|ExplainedRecord { id, feed, ecosystem, package, says }| RecordJson {
            id,
            feed: feed.name(),
            ecosystem: ecosystem.as_ref().map(ToString::to_string),
            package,
            says,
        }),
        package: package.as_ref().map(|ExplainedPackage { kind, name, version, purl, path }| PackageJson {
            r#type: kind.purl_type(),
            name,
            version: version.as_deref(),
            purl,
            path,
        }),
        comparison: comparison.as_ref().map(|Comparison { matched_by, name, version, scheme }| {
            ComparisonJson {
                matched_by: match matched_by {
                    MatchedBy::SourcePackage => "source-package",
                    MatchedBy::PackageName => "package-name",
                },
                name,
                version,
                scheme,
            }
        }),
    }
}

/// The explanation as text: what is known of the vulnerability, then each answer with what it rests on.
pub fn explanation_text(explanation: &Explanation, image_name: &str) -> String {
    let mut lines = vec![explanation.id.clone()];
    let others =
        explanation.names.iter().filter(|name| **name != explanation.id).cloned().collect::<Vec<_>>();
    if !others.is_empty() {
        lines[0] = format!("{}, also {}", explanation.id, others.join(", "));
    }
    lines.extend(explanation.summary.clone());
    lines.extend(explanation.url.clone());
    let verdict = if explanation.is_reported() { "is reported for" } else { "is not reported for" };
    lines.push(format!("{} {verdict} {image_name}", explanation.id));
    for answer in &explanation.answers {
        lines.push(String::new());
        lines.extend(answer_lines(answer));
    }
    if explanation.answers_left_out > 0 {
        lines.push(format!("{} more answers of this kind are left out", explanation.answers_left_out));
    }
    let mut text = String::new();
    for line in lines {
        writeln!(text, "{}", printable(&line)).expect("writing to a String cannot fail");
    }
    text
}

fn answer_lines(answer: &Answer) -> Vec<String> {
    let Answer { record, package, comparison, outcome } = answer;
    let heading = match package {
        Some(ExplainedPackage { kind, name, version, purl: _, path }) => {
            let version = version.as_deref().unwrap_or("(unknown version)");
            format!("{name} {version} ({}) at {path}", kind.purl_type())
        }
        None => "no installed package".to_owned(),
    };
    let mut lines = vec![format!("{}: {heading}", outcome.name())];
    lines.push(format!("  outcome   {}", sentence(outcome)));
    if let Some(ExplainedRecord { id, feed, ecosystem, package, says }) = record {
        let about = match ecosystem {
            Some(ecosystem) => format!(", about {package} of {ecosystem}: {says}"),
            None => String::new(),
        };
        lines.push(format!("  record    {id} of {}{about}", feed.name()));
    }
    if let Some(Comparison { matched_by, name, version, scheme }) = comparison {
        let what = match matched_by {
            MatchedBy::SourcePackage => "source package",
            MatchedBy::PackageName => "package",
        };
        lines.push(format!("  compared  {what} {name} {version}, ordered as {scheme} does"));
    }
    lines
}

/// What came out, in one sentence without a full stop.
fn sentence(outcome: &AnswerOutcome) -> String {
    match outcome {
        AnswerOutcome::Reported { finding, state, range, fixed_in } => {
            let cure = match state {
                FindingState::Fixed => format!("fixed in {}", fixed_in.join(", ")),
                FindingState::NotFixed => "there is no fix yet".to_owned(),
                FindingState::WillNotFix => "the distro will not fix it".to_owned(),
                FindingState::Undecided => "undecided, because a version could not be ordered".to_owned(),
            };
            format!("reported as {finding}: the version lies in {range}; {cure}")
        }
        AnswerOutcome::Suppressed(reason) => format!("suppressed: {}", reason.sentence()),
        AnswerOutcome::Overruled { by } => format!("other records count more: {}", by.join(", ")),
        AnswerOutcome::Fixed { fixed_in } => {
            format!("the installed version has the fix, which came with {fixed_in}")
        }
        AnswerOutcome::OutsideRange => {
            "the installed version lies outside of what the record says".to_owned()
        }
        AnswerOutcome::NotAffected => "the record says that this package is not affected".to_owned(),
        AnswerOutcome::Undecidable { problem } => format!("this cannot be decided: {problem}"),
        AnswerOutcome::Undetermined => "the source has not decided yet whether its record applies".to_owned(),
        AnswerOutcome::Withdrawn => "the record was withdrawn".to_owned(),
        AnswerOutcome::OtherModule { wanted: Some(wanted) } => {
            format!("the record is about packages of the module {wanted}, and this is none")
        }
        AnswerOutcome::OtherModule { wanted: None } => {
            "the record is about packages outside of modules, and this one is of a module".to_owned()
        }
        AnswerOutcome::OtherEcosystem => {
            "the record is about another distro, release or language than this image has".to_owned()
        }
        AnswerOutcome::NotInstalled => "the package that the record is about is not installed".to_owned(),
        AnswerOutcome::NoVersion => "the package has no version, so nothing can be compared".to_owned(),
        AnswerOutcome::ThirdParty => {
            "somebody else than the distro made the package, so the distro's records do not count for it"
                .to_owned()
        }
        AnswerOutcome::NoRecordOfPackage => "no record of this vulnerability names the package".to_owned(),
        AnswerOutcome::NoDataForPackage => {
            "the database has nothing about packages of this kind or distro, so nobody knows".to_owned()
        }
        AnswerOutcome::NoSuchPackage => "no package of this name is installed".to_owned(),
        AnswerOutcome::NotInDatabase => {
            "the database has no record of this name; `lazaret db status` tells what it has".to_owned()
        }
    }
}

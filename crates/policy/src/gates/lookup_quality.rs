//! Triggers of our own about the look-up itself: what could not be read or compared, and how old the data is.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use model::{Diagnostic, DiagnosticCode, DistroCoverage, FindingState};

use super::finding_filter::finding_trigger_id;
use super::missing_data::{MISSING_DATA, fires_without_data, lookup_gap, no_data_match};
use super::{BadValue, Built, Check, Match, Output, Trigger};
use crate::budget::Failure;
use crate::judge::EvaluationInput;
use crate::parameter::{Parameter, ParameterValues, Validator};
use crate::prefix_regex::RegexCompiler;
use crate::problem::quote;
use crate::python_text::repr;

pub(super) const UNDECIDED_PACKAGES: Trigger = Trigger {
    name: "undecided_packages",
    description: "Fires for everything that keeps the list of findings from being complete: versions that cannot be compared, packages that cannot be read, kinds of packages that nothing is looked up for, layers that were read in parts.",
    parameters: &[
        Parameter {
            name: "codes",
            description: "Diagnostics that count, with commas between them. Default: all but undetermined-advisory.",
            example: "unreadable-database, packages-left-out",
            is_required: false,
            validator: Validator::TextList,
        },
        MISSING_DATA,
    ],
    is_unconditional: false,
    build: build_undecided_packages,
};

pub(super) const DATABASE_AGE: Trigger = Trigger {
    name: "database_age",
    description: "Fires when the vulnerability database, or the data about the image's distro in it, is older than that many hours.",
    parameters: &[
        Parameter {
            name: "maximum_hours",
            description: "Hours that the data may be old.",
            example: "24",
            is_required: true,
            validator: Validator::Integer,
        },
        MISSING_DATA,
    ],
    is_unconditional: false,
    build: |values, _regexes| {
        Ok(Box::new(DatabaseAge {
            hours_max: values.integer("maximum_hours").unwrap_or_default(),
            fires_without_data: fires_without_data(&values),
        }))
    },
};

#[derive(Debug)]
struct UndecidedPackages {
    codes: Vec<DiagnosticCode>,
    fires_without_data: bool,
}

/// What counts when a rule names nothing: all that is about packages. Advisories that their source has not decided are
/// many, and about nothing that the image could do better.
const DEFAULT_CODES: [DiagnosticCode; 12] = [
    DiagnosticCode::UnreadableDatabase,
    DiagnosticCode::BrokenRecord,
    DiagnosticCode::UnknownDistro,
    DiagnosticCode::FileTooLarge,
    DiagnosticCode::PackagesLeftOut,
    DiagnosticCode::BrokenLink,
    DiagnosticCode::MissingVersion,
    DiagnosticCode::UnparsableVersion,
    DiagnosticCode::UnparsableBound,
    DiagnosticCode::UnmatchedEcosystem,
    DiagnosticCode::ThirdPartyPackages,
    DiagnosticCode::LayerReadInParts,
];

fn build_undecided_packages(values: ParameterValues, _regexes: &mut RegexCompiler) -> Built {
    let codes = match values.text_list("codes") {
        None => DEFAULT_CODES.to_vec(),
        Some(names) => names
            .iter()
            .map(|name| {
                DiagnosticCode::from_name(name).ok_or_else(|| BadValue {
                    parameter: "codes",
                    reason: format!(
                        "{} is no diagnostic; there are {}, undetermined-advisory",
                        repr(&quote(name)),
                        DEFAULT_CODES.map(DiagnosticCode::name).join(", ")
                    ),
                })
            })
            .collect::<Result<_, _>>()?,
    };
    Ok(Box::new(UndecidedPackages { codes, fires_without_data: fires_without_data(&values) }))
}

impl Check for UndecidedPackages {
    fn run(&self, input: &EvaluationInput<'_>, output: &mut Output<'_>) -> Result<(), Failure> {
        if self.fires_without_data
            && let Some(gap) = lookup_gap(input.report, true)
        {
            output.push(no_data_match(UNDECIDED_PACKAGES.name, gap))?;
        }
        // A version or a bound that cannot be compared is told with its finding, which exceptions may cover.
        let is_about_finding = |code: DiagnosticCode| {
            matches!(code, DiagnosticCode::UnparsableVersion | DiagnosticCode::UnparsableBound)
        };
        if self.codes.iter().any(|code| is_about_finding(*code)) {
            for (position, finding) in input.report.findings.iter().enumerate() {
                output.budget.spend(1)?;
                if finding.state == FindingState::Undecided {
                    output.push(Match {
                        message: format!(
                            "{} in {} {}: the version cannot be compared with `{}`",
                            finding.id, finding.package, finding.version, finding.evidence.range
                        ),
                        trigger_id: Some(finding_trigger_id(finding)),
                        finding: Some(position),
                    })?;
                }
            }
        }
        // One row for each subject, however many of its records are broken.
        let mut by_subject: BTreeMap<(DiagnosticCode, &str), Vec<&Diagnostic>> = BTreeMap::new();
        for diagnostic in input.inventory.diagnostics.iter().chain(&input.report.diagnostics) {
            output.budget.spend(1)?;
            if self.codes.contains(&diagnostic.code) && !is_about_finding(diagnostic.code) {
                by_subject.entry((diagnostic.code, &diagnostic.subject)).or_default().push(diagnostic);
            }
        }
        for ((code, subject), diagnostics) in by_subject {
            let text = diagnostics.first().map_or("", |diagnostic| &diagnostic.message);
            let more = match diagnostics.len() {
                0 | 1 => String::new(),
                count => format!(", and {} more like this", count - 1),
            };
            output.push(Match {
                message: format!("{subject}: {text}{more} ({})", code.name()),
                trigger_id: Some(format!("{}+{subject}", code.name())),
                finding: None,
            })?;
        }
        Ok(())
    }
}

#[derive(Debug)]
struct DatabaseAge {
    hours_max: u32,
    fires_without_data: bool,
}

impl DatabaseAge {
    fn is_old(&self, at: Timestamp, now: Timestamp) -> bool {
        now.duration_since(at) > SignedDuration::from_hours(i64::from(self.hours_max))
    }
}

impl Check for DatabaseAge {
    fn run(&self, input: &EvaluationInput<'_>, output: &mut Output<'_>) -> Result<(), Failure> {
        let Some(database) = &input.report.database else {
            if self.fires_without_data {
                let reason = "there is no vulnerability database";
                output.push(no_data_match(DATABASE_AGE.name, reason))?;
            }
            return Ok(());
        };
        if self.is_old(database.built_at, input.now) {
            return output.push_message(format!(
                "The vulnerability database was built more than {} hours ago",
                self.hours_max
            ));
        }
        match &input.report.coverage {
            DistroCoverage::Covered { ecosystem, synced_at } if self.is_old(*synced_at, input.now) => output
                .push_message(format!(
                    "The vulnerability data about {ecosystem} was taken over more than {} hours ago",
                    self.hours_max
                )),
            DistroCoverage::Covered { .. } | DistroCoverage::NoData(_) | DistroCoverage::NotNeeded => Ok(()),
        }
    }
}

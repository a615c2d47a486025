//! Gate `vulnerabilities`: asks about findings and about the data they come from.

use model::{DistroCoverage, FindingState, NoDataReason};

use super::vulnerable_package::{PACKAGE_PARAMETERS, build_package};
use super::{Built, Check, Gate, Output, Trigger, exploitation, lookup_quality};
use crate::budget::Failure;
use crate::judge::EvaluationInput;
use crate::parameter::{Parameter, ParameterValues, Validator};
use crate::prefix_regex::RegexCompiler;
use crate::python_text::repr_list;

const SECONDS_PER_DAY: i64 = 24 * 60 * 60;

pub(super) const GATE: Gate = Gate {
    name: "vulnerabilities",
    description: "Asks about vulnerabilities of packages and about the data they were looked up in.",
    triggers: &[
        Trigger {
            name: "package",
            description: "Fires for each vulnerability of a package that passes all given filters.",
            parameters: PACKAGE_PARAMETERS,
            is_unconditional: false,
            build: build_package,
        },
        Trigger {
            name: "stale_feed_data",
            description: "Fires when the vulnerability data of the image's distro is too old, or absent.",
            parameters: &[Parameter {
                name: "max_days_since_sync",
                description: "Days that the data may be old.",
                example: "10",
                is_required: true,
                validator: Validator::Integer,
            }],
            is_unconditional: false,
            build: build_stale_feed_data,
        },
        Trigger {
            name: "vulnerability_data_unavailable",
            description: "Fires when there is no vulnerability data for the distro whose packages the image holds.",
            parameters: &[],
            is_unconditional: false,
            build: build_data_unavailable,
        },
        Trigger {
            name: "blacklist",
            description: "Fires once when one of the listed vulnerabilities is in the image.",
            parameters: &[
                Parameter {
                    name: "vulnerability_ids",
                    description: "Identifiers with commas between them.",
                    example: "CVE-2019-1234",
                    is_required: true,
                    validator: Validator::TextList,
                },
                Parameter {
                    name: "vendor_only",
                    description: "Leave out what the distro has said that it will not fix. Default: true.",
                    example: "true",
                    is_required: false,
                    validator: Validator::Boolean,
                },
            ],
            is_unconditional: false,
            build: build_blacklist,
        },
        exploitation::KNOWN_EXPLOITED,
        exploitation::EXPLOIT_PROBABILITY,
        exploitation::RISK,
        exploitation::FIX_AGE,
        lookup_quality::UNDECIDED_PACKAGES,
        lookup_quality::DATABASE_AGE,
    ],
};

#[derive(Debug)]
struct StaleFeedData {
    days_max: u32,
}

fn build_stale_feed_data(values: ParameterValues, _regexes: &mut RegexCompiler) -> Built {
    Ok(Box::new(StaleFeedData { days_max: values.integer("max_days_since_sync").unwrap_or_default() }))
}

impl Check for StaleFeedData {
    fn run(&self, input: &EvaluationInput<'_>, output: &mut Output<'_>) -> Result<(), Failure> {
        let synced_at = match &input.report.coverage {
            DistroCoverage::Covered { synced_at, .. } => Some(*synced_at),
            // Without operating system packages the data of the whole database counts: other packages were looked up in it.
            DistroCoverage::NotNeeded => input.report.database.as_ref().map(|database| database.built_at),
            DistroCoverage::NoData(_) => None,
        };
        let is_fresh = synced_at.is_some_and(|synced_at| {
            let age_seconds = input.now.as_second() - synced_at.as_second();
            let age_max_seconds = i64::from(self.days_max) * SECONDS_PER_DAY;
            // Sub-second parts decide when the seconds are equal.
            (age_seconds, input.now.subsec_nanosecond()) <= (age_max_seconds, synced_at.subsec_nanosecond())
        });
        if is_fresh {
            return Ok(());
        }
        output.push_message(format!(
            "The vulnerability feed for this image distro is older than MAXAGE ({}) days",
            self.days_max
        ))
    }
}

#[derive(Debug)]
struct DataUnavailable;

fn build_data_unavailable(_values: ParameterValues, _regexes: &mut RegexCompiler) -> Built {
    Ok(Box::new(DataUnavailable))
}

impl Check for DataUnavailable {
    fn run(&self, input: &EvaluationInput<'_>, output: &mut Output<'_>) -> Result<(), Failure> {
        let namespace = match &input.report.coverage {
            DistroCoverage::Covered { .. } | DistroCoverage::NotNeeded => return Ok(()),
            DistroCoverage::NoData(NoDataReason::NotInDatabase { namespace }) => namespace.clone(),
            DistroCoverage::NoData(
                NoDataReason::NoDatabase | NoDataReason::UnknownDistro | NoDataReason::PackagesNotRead,
            ) => {
                input.inventory.distro.as_ref().map_or_else(|| "unknown".to_owned(), model::Distro::namespace)
            }
        };
        output.push_message(format!(
            "Distro-specific feed data not found for distro namespace: {namespace}. Cannot perform CVE scan OS/distro packages"
        ))
    }
}

#[derive(Debug)]
struct Blacklist {
    ids: Vec<String>,
    is_vendor_only: bool,
}

fn build_blacklist(values: ParameterValues, _regexes: &mut RegexCompiler) -> Built {
    Ok(Box::new(Blacklist {
        ids: values.text_list("vulnerability_ids").unwrap_or_default().to_vec(),
        is_vendor_only: values.boolean("vendor_only").unwrap_or(true),
    }))
}

impl Check for Blacklist {
    /// What an exception of the account covers is left out of the list.
    ///
    /// Other names of a vulnerability count too: which of them a finding shows depends on the feeds, not on the image.
    fn run(&self, input: &EvaluationInput<'_>, output: &mut Output<'_>) -> Result<(), Failure> {
        let mut found = Vec::new();
        for id in &self.ids {
            output.budget.spend(input.report.findings.len() as u64)?;
            let mut findings = input.report.findings.iter().enumerate();
            let is_found = findings.any(|(position, finding)| {
                (!self.is_vendor_only || finding.state != FindingState::WillNotFix)
                    && (finding.id == *id || finding.aliases.contains(id))
                    && !output.accepted.covers(position)
            });
            if is_found {
                found.push(id.as_str());
            }
        }
        if found.is_empty() {
            return Ok(());
        }
        output.push_message(format!("Blacklisted vulnerabilities detected: {}", repr_list(found)))
    }
}

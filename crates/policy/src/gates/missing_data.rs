//! What our own triggers do when nobody has the data that they ask for: they fire and say so, unless the rule says otherwise.
//!
//! Unknown is never clean: a rule that asks for something nobody has looked at is not passed over in silence.

use std::fmt;

use model::{DistroCoverage, MatchReport, NoDataReason};

use super::Match;
use crate::parameter::{Parameter, ParameterValues, Validator};

pub(super) const MISSING_DATA: Parameter = Parameter {
    name: "missing_data",
    description: "Whether the rule fires when there is no data for it: `fire` or `ignore`. Default: fire.",
    example: "fire",
    is_required: false,
    validator: Validator::Choice(&["fire", "ignore"]),
};

/// Reads [`MISSING_DATA`].
pub(super) fn fires_without_data(values: &ParameterValues) -> bool {
    values.choice("missing_data") != Some("ignore")
}

/// The one row of a rule without data. Its identifier is `TRIGGER+no_data`, whatever the reason.
pub(super) fn no_data_match(trigger: &str, reason: impl fmt::Display) -> Match {
    Match {
        message: format!("There is no data for this rule: {reason}"),
        trigger_id: Some(format!("{trigger}+no_data")),
        finding: None,
    }
}

/// Why the list of findings is not complete, if it is not.
pub(super) fn lookup_gap(report: &MatchReport, wants_os_packages: bool) -> Option<String> {
    if report.database.is_none() {
        return Some("there is no vulnerability database".to_owned());
    }
    match &report.coverage {
        DistroCoverage::NoData(reason) if wants_os_packages => Some(match reason {
            NoDataReason::NoDatabase => "there is no vulnerability database".to_owned(),
            NoDataReason::UnknownDistro => "the image names no distro".to_owned(),
            NoDataReason::PackagesNotRead => "not all packages of the distro could be read".to_owned(),
            NoDataReason::NotInDatabase { namespace } => {
                format!("the vulnerability database knows nothing about {namespace}")
            }
        }),
        DistroCoverage::NoData(_) | DistroCoverage::Covered { .. } | DistroCoverage::NotNeeded => None,
    }
}

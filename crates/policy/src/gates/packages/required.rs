//! Trigger `packages`/`required_package`: a package that must be there, perhaps in a version.
//!
//! Of several packages of the name the first counts, in the order of the inventory.

use super::version::WrittenVersion;
use crate::budget::Failure;
use crate::gates::{Built, Check, Output};
use crate::judge::EvaluationInput;
use crate::parameter::{Parameter, ParameterValues, Validator};
use crate::prefix_regex::RegexCompiler;

pub(super) const PARAMETERS: &[Parameter] = &[
    Parameter {
        name: "name",
        description: "Name of the package, exactly.",
        example: "libssl",
        is_required: true,
        validator: Validator::Text,
    },
    Parameter {
        name: "version",
        description: "The version that must be there. Default: any.",
        example: "1.10.3rc3",
        is_required: false,
        validator: Validator::Text,
    },
    Parameter {
        name: "version_match_type",
        description: "Whether exactly this version must be there, or this one or a higher one. Default: exact.",
        example: "exact",
        is_required: false,
        validator: Validator::Choice(&["exact", "minimum"]),
    },
];

#[derive(Debug)]
struct RequiredPackage {
    name: String,
    version: Option<String>,
    is_minimum: bool,
}

pub(super) fn build(values: ParameterValues, _regexes: &mut RegexCompiler) -> Built {
    let text = |name| values.text(name).map(str::to_owned);
    Ok(Box::new(RequiredPackage {
        name: text("name").unwrap_or_default(),
        version: text("version"),
        is_minimum: values.choice("version_match_type") == Some("minimum"),
    }))
}

impl Check for RequiredPackage {
    fn run(&self, input: &EvaluationInput<'_>, output: &mut Output<'_>) -> Result<(), Failure> {
        output.budget.spend(input.inventory.packages.len() as u64)?;
        let name = &self.name;
        let package = input.inventory.packages.iter().find(|package| package.name == *name);
        match (package, &self.version) {
            (None, None) => output
                .push_message(format!("Required input package ({name}) is not present in container image")),
            (None, Some(version)) => output.push_message(format!(
                "Required input package ({name},{version}) is not present in container image"
            )),
            (Some(_), None) => Ok(()),
            (Some(package), Some(version)) => {
                let written = WrittenVersion::of(package);
                let shown = written.map_or("None", |written| written.shown());
                let is_good = match written {
                    // Nobody can say that a package without a version is good enough.
                    None => false,
                    Some(written) if self.is_minimum => !written.is_lower_than(package, version)?,
                    Some(written) => written.is(version),
                };
                match (is_good, self.is_minimum) {
                    (true, _) => Ok(()),
                    (false, true) => output.push_message(format!(
                        "Required min-version input package ({name}) is present ({shown}), but is lower version than what is specified in policy ({version})"
                    )),
                    // The name stands where the version should: that is the message that existing whitelists know.
                    (false, false) => output.push_message(format!(
                        "Required input package ({name}) is present ({shown}), but not at the version specified in policy ({name})"
                    )),
                }
            }
        }
    }
}

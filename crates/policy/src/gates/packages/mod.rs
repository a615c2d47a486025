//! Gate `packages`: asks which packages are installed, of the operating system and of languages, and whether their files
//! are still as they were installed.

mod required;
mod third_party;
mod verify;
mod version;

use super::{Built, Check, Gate, Output, Trigger};
use crate::budget::Failure;
use crate::judge::EvaluationInput;
use crate::parameter::{Parameter, ParameterValues, Validator};
use crate::prefix_regex::RegexCompiler;
use version::WrittenVersion;

pub(super) const GATE: Gate = Gate {
    name: "packages",
    description: "Asks which packages are installed and whether their files are as they were installed.",
    triggers: &[
        Trigger {
            name: "required_package",
            description: "Fires when the package is not installed, or not in the version that is asked for.",
            parameters: required::PARAMETERS,
            is_unconditional: false,
            build: required::build,
        },
        Trigger {
            name: "verify",
            description: "Fires for each file of a package that is missing or changed.",
            parameters: verify::PARAMETERS,
            is_unconditional: false,
            build: verify::build,
        },
        Trigger {
            name: "blacklist",
            description: "Fires for each installed package of this name, in the given version where there is one.",
            parameters: &[
                Parameter {
                    name: "name",
                    description: "Name of the package, exactly.",
                    example: "openssh-server",
                    is_required: true,
                    validator: Validator::Text,
                },
                Parameter {
                    name: "version",
                    description: "Only this version, with or without its release. Default: any.",
                    example: "1.0.1",
                    is_required: false,
                    validator: Validator::Text,
                },
            ],
            is_unconditional: false,
            build: build_refused,
        },
        third_party::TRIGGER,
    ],
};

#[derive(Debug)]
struct RefusedPackage {
    name: String,
    version: Option<String>,
}

fn build_refused(values: ParameterValues, _regexes: &mut RegexCompiler) -> Built {
    let text = |name| values.text(name).map(str::to_owned);
    Ok(Box::new(RefusedPackage { name: text("name").unwrap_or_default(), version: text("version") }))
}

impl Check for RefusedPackage {
    fn run(&self, input: &EvaluationInput<'_>, output: &mut Output<'_>) -> Result<(), Failure> {
        output.budget.spend(input.inventory.packages.len() as u64)?;
        for package in input.inventory.packages.iter().filter(|package| package.name == self.name) {
            match &self.version {
                None => output.push_message(format!("Package is blacklisted: {}", self.name))?,
                Some(version) => {
                    let written = WrittenVersion::of(package);
                    if written.is_some_and(|written| written.is_about(version)) {
                        output.push_message(format!("Package is blacklisted: {}-{version}", self.name))?;
                    }
                }
            }
        }
        Ok(())
    }
}

//! A trigger of our own: packages of the operating system that somebody else than the distro has made.

use crate::budget::Failure;
use crate::gates::missing_data::{MISSING_DATA, fires_without_data, no_data_match};
use crate::gates::{Built, Check, Match, Output, Trigger};
use crate::judge::EvaluationInput;
use crate::parameter::{Parameter, ParameterValues, Validator};
use crate::pattern::Pattern;
use crate::prefix_regex::RegexCompiler;

/// Packages that a row about missing data names.
const UNKNOWN_NAMED_MAX: usize = 5;

pub(super) const TRIGGER: Trigger = Trigger {
    name: "third_party",
    description: "Fires for each package of the operating system that somebody else than the distro has made: the distro's vulnerability data says nothing about it.",
    parameters: &[
        Parameter {
            name: "except",
            description: "Names of packages that are expected, with commas between them; * stands for any run of characters.",
            example: "docker-ce, nginx-module-*",
            is_required: false,
            validator: Validator::TextList,
        },
        MISSING_DATA,
    ],
    is_unconditional: false,
    build,
};

#[derive(Debug)]
struct ThirdParty {
    expected: Vec<Pattern>,
    fires_without_data: bool,
}

fn build(values: ParameterValues, _regexes: &mut RegexCompiler) -> Built {
    let names = values.text_list("except").unwrap_or_default();
    Ok(Box::new(ThirdParty {
        expected: names.iter().map(|name| Pattern::with_stars_only(name)).collect(),
        fires_without_data: fires_without_data(&values),
    }))
}

impl Check for ThirdParty {
    fn run(&self, input: &EvaluationInput<'_>, output: &mut Output<'_>) -> Result<(), Failure> {
        let mut unknown = Vec::new();
        // Packages of languages have no distro.
        for package in input.inventory.packages.iter().filter(|package| package.kind.is_operating_system()) {
            output.budget.spend(1)?;
            if package.is_third_party == Some(false) {
                continue;
            }
            let mut is_expected = false;
            for pattern in &self.expected {
                is_expected |= pattern.is_match(&package.name, output.budget)?;
            }
            if is_expected {
                continue;
            }
            if package.is_third_party.is_none() {
                unknown.push(package.name.as_str());
                continue;
            }
            let version = package.version.as_deref().unwrap_or("of unknown version");
            let maker = package.maintainer.as_ref().map(|maker| format!(" ({maker})")).unwrap_or_default();
            output.push(Match {
                message: format!("Package {} {version} is not made by the distro{maker}", package.name),
                trigger_id: Some(format!("{}+{}", TRIGGER.name, package.name)),
                finding: None,
            })?;
        }
        if self.fires_without_data && !unknown.is_empty() {
            unknown.sort_unstable();
            unknown.dedup();
            let named = unknown.iter().take(UNKNOWN_NAMED_MAX).copied().collect::<Vec<_>>().join(", ");
            let more = match unknown.len().saturating_sub(UNKNOWN_NAMED_MAX) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            output.push(no_data_match(TRIGGER.name, format!("nobody knows who has made {named}{more}")))?;
        }
        Ok(())
    }
}

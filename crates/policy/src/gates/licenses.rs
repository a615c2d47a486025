//! Gate `licenses`: asks which licences packages are under.
//!
//! What a package states is cut at blanks, and each piece is compared: `GPL v2` is two of them. The message names all
//! packages at once; they are sorted, because the original names them in the order of its database.

use std::collections::BTreeSet;

use super::{Built, Check, Gate, Output, Trigger};
use crate::budget::Failure;
use crate::judge::EvaluationInput;
use crate::parameter::{Parameter, ParameterValues, Validator};

const fn licenses(description: &'static str, example: &'static str) -> Parameter {
    Parameter { name: "licenses", description, example, is_required: true, validator: Validator::TextList }
}

pub(super) const GATE: Gate = Gate {
    name: "licenses",
    description: "Asks which licences the packages of the image are under.",
    triggers: &[
        Trigger {
            name: "blacklist_exact_match",
            description: "Fires once when a package states one of the listed licences.",
            parameters: &[licenses("Licences with commas between them.", "GPLv2+,GPL-3+")],
            is_unconditional: false,
            build: |values, _| build(&values, Comparison::Exact),
        },
        Trigger {
            name: "blacklist_partial_match",
            description: "Fires once when a licence that a package states contains one of the listed texts.",
            parameters: &[licenses("Parts of licences with commas between them.", "LGPL,BSD")],
            is_unconditional: false,
            build: |values, _| build(&values, Comparison::Partial),
        },
    ],
};

#[derive(Debug, Clone, Copy)]
enum Comparison {
    Exact,
    Partial,
}

#[derive(Debug)]
struct LicenseCheck {
    refused: BTreeSet<String>,
    comparison: Comparison,
}

fn build(values: &ParameterValues, comparison: Comparison) -> Built {
    let refused = values.text_list("licenses").unwrap_or_default().iter();
    Ok(Box::new(LicenseCheck { refused: refused.cloned().collect(), comparison }))
}

impl Check for LicenseCheck {
    fn run(&self, input: &EvaluationInput<'_>, output: &mut Output<'_>) -> Result<(), Failure> {
        let mut found: Vec<(&str, &str)> = Vec::new();
        for package in &input.inventory.packages {
            output.budget.spend(1)?;
            for license in package.licenses.iter().flat_map(|licenses| licenses.split_whitespace()) {
                if self.is_refused(license, output)? {
                    output.budget.spend(crate::budget::ROW_STEPS)?;
                    found.push((&package.name, license));
                }
            }
        }
        if found.is_empty() {
            return Ok(());
        }
        found.sort_unstable();
        let found: Vec<String> =
            found.into_iter().map(|(package, license)| format!("{package}({license})")).collect();
        let word = match self.comparison {
            Comparison::Exact => "LICFULLMATCH",
            Comparison::Partial => "LICSUBMATCH",
        };
        output.push_message(format!(
            "{word} Packages are installed that have blacklisted licenses: {}",
            found.join(", ")
        ))
    }
}

impl LicenseCheck {
    fn is_refused(&self, license: &str, output: &mut Output<'_>) -> Result<bool, Failure> {
        match self.comparison {
            Comparison::Exact => {
                output.budget.spend(1)?;
                Ok(self.refused.contains(license))
            }
            Comparison::Partial => {
                let steps = 1 + license.len() as u64 / 16;
                output.budget.spend(steps.saturating_mul(self.refused.len() as u64))?;
                Ok(self.refused.iter().any(|part| license.contains(part.as_str())))
            }
        }
    }
}

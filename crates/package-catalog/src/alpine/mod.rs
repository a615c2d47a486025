//! Alpine and its relatives: the installed-package database of apk.

mod installed_db;
mod package;
#[cfg(test)]
mod tests;

use crate::cataloger::{Cataloger, PathPattern};
use crate::parse::{ParseInput, Parsed, Problems};

/// What the table says about apk.
pub(crate) const CATALOGER: Cataloger = Cataloger {
    id: "apk",
    databases: &[PathPattern::Ends("lib/apk/db/installed")],
    companions: &[],
    exceptions: &[],
    linked_paths: &[
        "lib/apk",
        "lib/apk/db",
        "lib/apk/db/installed",
        "usr/lib/apk",
        "usr/lib/apk/db",
        "usr/lib/apk/db/installed",
    ],
    parse,
};

fn parse(input: &ParseInput<'_>) -> Parsed {
    let mut problems = Problems::new(input);
    let records = installed_db::parse(input, &mut problems);
    let packages = records.iter().map(|record| package::to_package(record, input)).collect();
    Parsed { packages, diagnostics: problems.finish(records.len(), "a package database of apk") }
}

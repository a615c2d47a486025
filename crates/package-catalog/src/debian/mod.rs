//! Debian and its relatives: the status file of dpkg, and the folder that distroless images have in its place.

mod copyright;
pub(crate) mod file_list;
pub(crate) mod package;
pub(crate) mod status_file;
#[cfg(test)]
mod tests;

use model::PackageKind;

use crate::cataloger::{Cataloger, PathPattern};
use crate::parse::{ParseInput, Parsed, Problems};

/// What the table says about dpkg.
pub(crate) const CATALOGER: Cataloger = Cataloger {
    id: "dpkg",
    databases: &[PathPattern::Ends("lib/dpkg/status"), PathPattern::In("lib/dpkg/status.d")],
    companions: &[
        PathPattern::InWithEnding("lib/dpkg/info", ".list"),
        PathPattern::InWithEnding("lib/dpkg/info", ".md5sums"),
        PathPattern::Grandchild("usr/share/doc", "copyright"),
    ],
    exceptions: &[PathPattern::InWithEnding("lib/dpkg/status.d", ".md5sums")],
    linked_paths: &[
        "var/lib/dpkg",
        "var/lib/dpkg/status",
        "var/lib/dpkg/status.d",
        "var/lib/dpkg/info",
        "usr/lib/dpkg",
        "usr/lib/dpkg/status",
        "usr/share/doc",
    ],
    parse,
};

fn parse(input: &ParseInput<'_>) -> Parsed {
    let mut problems = Problems::new(input);
    let paragraphs = status_file::parse(input, &mut problems);
    let count = paragraphs.len();
    let files = file_list::FileLists::of(input);
    // Each paragraph goes when its package is there: a database may be as large as the limits allow.
    let packages = paragraphs
        .into_iter()
        .filter(status_file::RawParagraph::is_installed)
        .map(|paragraph| package::to_package(PackageKind::Deb, &paragraph, input, &files, &mut problems))
        .collect();
    Parsed { packages, diagnostics: problems.finish(count, "a package database of dpkg") }
}

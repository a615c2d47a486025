//! The table of `lazaret sbom`.

use std::fmt::Write as _;

use crate::Sbom;
use crate::base::{FoundBase, origin_word, package_lines};
use crate::printable::{cell, printable};
use crate::scan_table::{diagnostics_text, new_table};

/// The inventory of an image as a table; `width` is the terminal's, `None` for a pipe.
pub fn sbom_table(sbom: &Sbom<'_>, width: Option<u16>) -> String {
    let inventory = sbom.inventory;
    let mut text = String::new();
    if !inventory.packages.is_empty() {
        let base = FoundBase::of(sbom);
        let headings = ["NAME", "VERSION", "TYPE", "SOURCE"];
        let headings: Vec<&str> = headings.into_iter().chain(base.as_ref().map(|_| "FROM")).collect();
        let mut table = new_table(width, &headings);
        for package in &inventory.packages {
            let source = match &package.source {
                Some(source) if source.name != package.name => source.name.as_str(),
                _ => "",
            };
            let origin = base.as_ref().map(|base| origin_word(base.has(package)).into());
            let columns = [
                cell(&package.name),
                cell(package.version.as_deref().unwrap_or("(unknown)")),
                package.kind.purl_type().into(),
                cell(source),
            ];
            table.add_row(columns.into_iter().chain(origin));
        }
        writeln!(text, "{}", table.trim_fmt()).expect("writing to a String cannot fail");
        text.push('\n');
    }
    let distro = inventory.distro.as_ref().map_or_else(
        || "unknown operating system".to_owned(),
        |distro| distro.pretty_name.clone().unwrap_or_else(|| distro.namespace()),
    );
    let (name, distro) = (printable(sbom.image_name), cell(&distro));
    writeln!(text, "{name}: {} packages, {distro}", inventory.packages.len())
        .expect("writing to a String cannot fail");
    for line in package_lines(sbom) {
        writeln!(text, "{}", printable(&line)).expect("writing to a String cannot fail");
    }
    text.push_str(&diagnostics_text(&inventory.diagnostics));
    text
}

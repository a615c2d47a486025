//! Databases that rpm made, and databases that are written here byte by byte.

mod build;
mod forms;
mod hostile;
mod judged;
mod samples;
mod tool;

use model::{Diagnostic, Package};

/// The packages of one database as one line each, as [`tool::QUERY`] has rpm write them.
fn to_lines(packages: &[Package]) -> Vec<String> {
    let mut lines: Vec<String> = packages.iter().map(to_line).collect();
    lines.sort();
    lines
}

fn to_line(package: &Package) -> String {
    let or_none = |value: Option<&str>| value.unwrap_or("(none)").to_owned();
    let version = package.version.as_deref().unwrap_or_default();
    let (epoch, version) =
        version.split_once(':').map_or((None, version), |(epoch, version)| (Some(epoch), version));
    let qualifier = |key: &str| {
        let (_, rest) = package.purl.split_once(&format!("{key}="))?;
        Some(rest.split('&').next().unwrap().replace("%3A", ":").replace("%2B", "+").replace("%7E", "~"))
    };
    [
        package.name.clone(),
        or_none(epoch),
        version.to_owned(),
        or_none(package.architecture.as_deref()),
        or_none(qualifier("upstream").as_deref()),
        or_none(package.licenses.first().map(String::as_str)),
        or_none(package.maintainer.as_deref()),
        or_none(qualifier("rpmmod").as_deref()),
        package.installed_size_bytes.unwrap_or_default().to_string(),
    ]
    .join("|")
}

fn messages(diagnostics: &[Diagnostic]) -> Vec<&str> {
    diagnostics.iter().map(|told| told.message.as_str()).collect()
}

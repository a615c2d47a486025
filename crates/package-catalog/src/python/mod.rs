//! Python: the description that an installer leaves beside an installed package.
//!
//! `*.dist-info/METADATA`, `*.egg-info/PKG-INFO` and plain `*.egg-info` files have the same form, and so has what lies in eggs:
//! fields as in a letter, up to the first empty line. Source: Core metadata specifications of the Python Packaging Authority.

mod direct_url;
mod record;
#[cfg(test)]
mod tests;

use model::{DiagnosticCode, Ecosystem, PackageKind};
use spdx::{Expression, ParseMode};

use crate::described::PackedKind;
use crate::extract::{ManifestKind, read_section};
use crate::installed::code_of_broken;
use crate::parse::{ParseInput, Parsed, Problems, lines};
use crate::purl::build_language_purl;

pub(crate) use direct_url::DIRECT_URL;
pub(crate) use record::{RecordSearch, visit_brought};

/// The fields that matter, one line each.
pub(crate) static MANIFEST: ManifestKind = ManifestKind { tag: 4, is_manifest, reduce };

/// Packages of old installers, each an archive.
pub(crate) static EGG: PackedKind = PackedKind {
    tag: MANIFEST.tag,
    is_archive: |path| ends_with(path, ".egg"),
    is_description: |entry| entry == "EGG-INFO/PKG-INFO",
    reduce,
};

/// Endings of paths, lower case.
const ENDINGS: [&str; 4] =
    [".dist-info/metadata", ".egg-info/pkg-info", ".egg-info", ".egg/egg-info/pkg-info"];
const FIELDS: [&[u8]; 7] =
    [b"name", b"version", b"license", b"license-expression", b"author", b"author-email", b"maintainer"];
/// What the standard library calls itself.
const INTERPRETER: &str = "Python";
const CLASSIFIER: &[u8] = b"classifier";
const LICENSE_CLASSIFIER: &[u8] = b"License ::";

fn is_manifest(path: &str) -> bool {
    ENDINGS.iter().any(|ending| ends_with(path, ending))
}

/// Whatever the case.
fn ends_with(path: &str, ending: &str) -> bool {
    let at = path.len().checked_sub(ending.len());
    at.and_then(|at| path.get(at..)).is_some_and(|tail| tail.eq_ignore_ascii_case(ending))
}

/// A field and its value; a line that goes on with the value before it is none.
fn field(line: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    if line.first().is_none_or(u8::is_ascii_whitespace) {
        return None;
    }
    let colon = line.iter().position(|byte| *byte == b':')?;
    Some((line[..colon].to_ascii_lowercase(), line[colon + 1..].trim_ascii()))
}

fn reduce(content: &[u8]) -> Result<Vec<u8>, String> {
    let mut kept = Vec::new();
    for (_, line) in lines(content).take_while(|(_, line)| !line.is_empty()) {
        let Some((name, value)) = field(line) else { continue };
        let is_license = name == CLASSIFIER && value.starts_with(LICENSE_CLASSIFIER);
        if FIELDS.contains(&name.as_slice()) || is_license {
            kept.extend_from_slice(line);
            kept.push(b'\n');
        }
    }
    Ok(kept)
}

/// Whether it is an expression of SPDX, such as `MIT` or `BSD-3-Clause OR Apache-2.0`.
fn is_expression(license: &str) -> bool {
    let mode = ParseMode { allow_deprecated: true, ..ParseMode::STRICT };
    // The crate counts the word for "nobody says" among the licences, and names of another document mean nothing here.
    license != "NOASSERTION"
        && !["LicenseRef-", "DocumentRef-", "AdditionRef-"].iter().any(|name| license.contains(name))
        && Expression::parse_mode(license, mode).is_ok()
}

/// The package of one description.
pub(crate) fn parse(input: &ParseInput<'_>) -> Parsed {
    let broken = |why: String| Parsed {
        packages: Vec::new(),
        diagnostics: vec![input.diagnostic(code_of_broken(MANIFEST.tag, input), None, why)],
    };
    let kept = match read_section(input.bytes) {
        Ok(kept) => kept,
        Err(why) => return broken(why),
    };
    let mut problems = Problems::new(input);
    let (mut name, mut version, mut expression, mut license) = (String::new(), None, None, None);
    let (mut maintainer, mut classified) = (None, Vec::new());
    for (offset, line) in lines(kept) {
        let Some((field, value)) = field(line) else { continue };
        let value = problems.value(offset, value);
        if value.is_empty() || value == "UNKNOWN" {
            continue;
        }
        match field.as_slice() {
            b"name" if name.is_empty() => name = value,
            b"version" => version = version.or(Some(value)),
            b"license-expression" => expression = Some(value),
            b"license" => license = Some(value),
            CLASSIFIER => classified.extend(value.rsplit(" :: ").next().map(str::to_owned)),
            _ => maintainer = maintainer.or(Some(value)),
        }
    }
    if name.is_empty() {
        return broken("description has no name".to_owned());
    }
    // Python's own modules describe themselves so in some builds; the interpreter is not a package of the index.
    if name == INTERPRETER {
        return Parsed::default();
    }
    if version.is_none() {
        problems.add(DiagnosticCode::MissingVersion, 0, format!("package `{name}` has no version"));
    }
    if record::is_hollow(input.tree, &input.location.path) {
        let message = format!("package `{name}` is described, but none of the files that it lists is there");
        problems.add(DiagnosticCode::BrokenRecord, 0, message);
    }
    let mut package = input.language_package(PackageKind::PyPi, name, version);
    let ecosystem = Ecosystem { family: "pypi".to_owned(), release: None };
    let normal = ecosystem.normal_name(&package.name);
    let origin = direct_url::find(input);
    let qualifiers =
        direct_url::QUALIFIERS.map(|key| (key, origin.filter(|(stated, _)| *stated == key).map(|it| it.1)));
    package.purl = build_language_purl(PackageKind::PyPi, &normal, package.version.as_deref(), &qualifiers);
    // The newest form says it best; the oldest is often a whole text, or an expression before there was a field for it.
    let expression = expression.or_else(|| license.clone().filter(|license| is_expression(license)));
    package.licenses = match (expression, classified.is_empty()) {
        (Some(expression), _) => vec![expression],
        (None, false) => classified,
        (None, true) => license.into_iter().collect(),
    };
    package.maintainer = maintainer;
    input.one_package(package, problems)
}

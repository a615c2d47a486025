//! From what was found in a file to a package.

use model::{DiagnosticCode, Package, PackageKind};

use super::classifier::Product;
use super::index::INDEX;
use crate::parse::{ParseInput, Parsed, Problems, lines};
use crate::purl::language_purl;

/// One program.
pub(crate) fn parse_program(input: &ParseInput<'_>) -> Parsed {
    let mut problems = Problems::new(input);
    let mut values = lines(input.bytes).map(|(offset, line)| problems.value(offset, line));
    let id = values.next().unwrap_or_default();
    let version = values.next().unwrap_or_default();
    let release = values.next().unwrap_or_default();
    let update = values.next().unwrap_or_default();
    drop(values);
    // What another version of this program kept may name a product that is not there any more.
    let Some(product) = INDEX.product(&id).filter(|_| !version.is_empty()) else { return Parsed::default() };
    let is_module = product.kind == PackageKind::Golang;
    let stated = if release.is_empty() { &version } else { &release };
    // What stands behind a plus is the build, which no record of a vulnerability names: `17.0.21.1+2-1-deb12u1-Debian`.
    let stated = stated.split('+').next().unwrap_or_default();
    let cpes = product.cpes.iter().map(|cpe| platform_name('a', cpe, stated, &update)).collect();
    let version = if is_module { format!("v{version}") } else { version.clone() };
    let package = to_package(product, version, cpes, input);
    input.one_package(package, problems)
}

/// A file in which more looks like a version than is tried.
pub(crate) fn parse_left_out(input: &ParseInput<'_>) -> Parsed {
    let message = "file holds too much that looks like a version: it is not recognised".to_owned();
    let diagnostic = input.diagnostic(DiagnosticCode::ContentNotSearched, None, message);
    Parsed { packages: Vec::new(), diagnostics: vec![diagnostic] }
}

fn to_package(product: &Product, version: String, cpes: Vec<String>, input: &ParseInput<'_>) -> Package {
    let purl = language_purl(product.kind, product.purl_name.unwrap_or(product.name), Some(&version));
    Package { purl, cpes, ..input.language_package(product.kind, product.name.to_owned(), Some(version)) }
}

/// `cpe:2.3:a:redis:redis:7.2.4:*:*:*:*:*:*:*`. Source: NIST IR 7695, the formatted string.
/// `part` is `a` for an application and `o` for an operating system.
pub(crate) fn platform_name(part: char, vendor_and_product: &str, version: &str, update: &str) -> String {
    let (vendor, product) = vendor_and_product.split_once(':').unwrap_or_default();
    let update = match update {
        "" => "*".to_owned(),
        update => format!("update{}", quote(update)),
    };
    format!("cpe:2.3:{part}:{}:{}:{}:{update}:*:*:*:*:*:*", quote(vendor), quote(product), quote(version))
}

/// All but letters, digits and three signs stand behind a backslash.
fn quote(value: &str) -> String {
    let mut quoted = String::with_capacity(value.len());
    for character in value.chars() {
        if !character.is_ascii_alphanumeric() && !matches!(character, '_' | '.' | '-') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted
}

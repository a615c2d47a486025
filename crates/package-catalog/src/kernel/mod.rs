//! The Linux kernel, and modules of it that have a version of their own.

mod image;
mod module;
mod search;
#[cfg(test)]
mod tests;

use model::{DiagnosticCode, Package, PackageKind};

pub(crate) use search::KernelSearch;

use crate::binary::platform_name;
use crate::parse::{ParseInput, Parsed, Problems, lines};
use crate::purl::language_purl;

/// The name of a module, empty for a kernel, and a version; or two empty lines, and why a packed module was not read.
pub(crate) const TAG_KERNEL: u8 = 25;

const NAME: &str = "linux-kernel";

/// A kernel or a module.
pub(crate) fn parse(input: &ParseInput<'_>) -> Parsed {
    let mut problems = Problems::new(input);
    let mut values = lines(input.bytes).map(|(offset, line)| problems.value(offset, line));
    let mut next = || values.next().unwrap_or_default();
    let (module, version, why) = (next(), next(), next());
    drop(values);
    if version.is_empty() {
        if !why.is_empty() {
            let message = format!("module of the kernel cannot be unpacked: {why}");
            problems.add(DiagnosticCode::ContentNotSearched, 0, message);
        }
        return Parsed { packages: Vec::new(), diagnostics: problems.finish(1, "a module") };
    }
    let is_kernel = module.is_empty();
    let name = if is_kernel { NAME.to_owned() } else { module };
    let purl = language_purl(PackageKind::Binary, &name, Some(&version));
    let cpes = match is_kernel {
        true => vec![platform_name('o', "linux:linux_kernel", upstream(&version), "")],
        false => Vec::new(),
    };
    let package = input.language_package(PackageKind::Binary, name, Some(version));
    input.one_package(Package { purl, cpes, ..package }, problems)
}

/// `6.1.0-49-amd64` is 6.1.0 with what a distro adds.
fn upstream(version: &str) -> &str {
    let end = version.find(|character: char| !character.is_ascii_digit() && character != '.');
    end.map_or(version, |end| &version[..end])
}

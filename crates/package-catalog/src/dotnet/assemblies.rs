//! From version resources to packages; and the names under which vulnerabilities of the runtimes are known.

use std::collections::BTreeMap;

use model::{DiagnosticCode, Package, PackageKind};

use crate::parse::{ParseInput, Parsed, Problems};
use crate::pattern_index::name;
use crate::purl::language_purl;

/// The package that an assembly is, as long as no application claims it.
pub(crate) fn parse_assembly(input: &ParseInput<'_>) -> Parsed {
    let values: BTreeMap<String, String> = match serde_json::from_slice(input.bytes) {
        Ok(values) => values,
        Err(error) => {
            let message = format!("what was kept of the assembly cannot be read: {error}");
            let diagnostic = input.diagnostic(DiagnosticCode::BrokenRecord, None, message);
            return Parsed { packages: Vec::new(), diagnostics: vec![diagnostic] };
        }
    };
    // What nobody has put his name on is no release.
    if !["CompanyName", "ProductName"].iter().any(|key| values.contains_key(*key)) {
        return Parsed::default();
    }
    let mut problems = Problems::new(input);
    let mut value = |text: &str| Some(problems.value(0, text.as_bytes())).filter(|text| !text.is_empty());
    let stated = values.get("OriginalFilename").filter(|name| is_assembly_name(name));
    let file = stated.map_or(name(input.path), |it| it.rsplit(['/', '\\']).next().unwrap_or(it));
    let name = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let version = version_of(&values);
    let (name, version) = (value(name), version.and_then(&mut value));
    let maintainer = values.get("CompanyName").and_then(|company| value(company));
    let Some(name) = name else { return Parsed::default() };
    if version.is_none() {
        problems.add(DiagnosticCode::MissingVersion, 0, format!("assembly `{name}` has no version"));
    }
    let package = input.language_package(PackageKind::Nuget, name, version);
    let purl = language_purl(PackageKind::Nuget, &package.name, package.version.as_deref());
    input.one_package(Package { purl, maintainer, ..package }, problems)
}

/// Whether a path ends like that of an assembly.
pub(super) fn is_assembly_name(path: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(stem, ending)| {
        !stem.is_empty() && ["dll", "exe"].iter().any(|known| known.eq_ignore_ascii_case(ending))
    })
}

/// The product's version is that of the package, without what the build put behind it; the file's has a number more.
fn version_of(values: &BTreeMap<String, String>) -> Option<&str> {
    let version = |key: &str| {
        let word = values.get(key)?.split(|it: char| it.is_whitespace() || matches!(it, '+' | ',')).next()?;
        let word = word.trim_end_matches('.');
        let is_version = word.starts_with(|it: char| it.is_ascii_digit()) && word.contains('.');
        is_version.then_some(word)
    };
    version("ProductVersion").or_else(|| version("FileVersion"))
}

/// Names of a runtime in the Common Platform Enumeration. Releases before 5 were called .NET Core.
pub(super) fn runtime_cpes(name: &str, version: Option<&str>) -> Vec<String> {
    let name = name.to_ascii_lowercase();
    // `3.1.23-servicing.22122.4` is what was released as 3.1.23.
    let Some(version) = version.and_then(|version| version.split("-servicing").next()) else {
        return Vec::new();
    };
    let is = |framework: &str| {
        name == framework
            || name.starts_with(&format!("{framework}.runtime."))
            || (name.starts_with("runtime.") && name.ends_with(framework))
    };
    let is_core =
        version.split('.').next().and_then(|major| major.parse::<u32>().ok()).is_some_and(|major| major < 5);
    let product = if is("microsoft.netcore.app") || is("microsoft.windowsdesktop.app") {
        if is_core { ".net_core" } else { ".net" }
    } else if is("microsoft.aspnetcore.app") {
        "asp.net_core"
    } else {
        return Vec::new();
    };
    let is_plain = |it: char| it.is_ascii_alphanumeric() || matches!(it, '.' | '-' | '_');
    let version: String = version.chars().filter(|it| is_plain(*it)).collect();
    vec![format!("cpe:2.3:a:microsoft:{product}:{}:*:*:*:*:*:*:*", version.replace('-', "\\-"))]
}

#[cfg(test)]
mod tests {
    use super::runtime_cpes;

    #[test]
    fn a_runtime_is_known_by_what_was_released() {
        for (name, version, expected) in [
            ("runtime.linux-x64.Microsoft.NETCore.App", "3.1.23-servicing.22122.4", ".net_core:3.1.23"),
            ("Microsoft.NETCore.App.Runtime.linux-x64", "8.0.4", ".net:8.0.4"),
        ] {
            let found = runtime_cpes(name, Some(version));
            assert_eq!(found, [format!("cpe:2.3:a:microsoft:{expected}:*:*:*:*:*:*:*")]);
        }
    }
}

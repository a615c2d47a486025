//! Package lists in the JSON of SPDX 2 that makers of images leave in them.

use std::fmt;
use std::str::FromStr as _;

use model::{DiagnosticCode, Package, PackageKind};
use packageurl::PackageUrl;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::extract::read_section;
use crate::parse::{ParseInput, Parsed, Problems};

/// One element that is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Element {
    pub(crate) purl: String,
    #[serde(default)]
    pub(crate) license: Option<String>,
}

/// A text, or nothing where the document has something else.
#[derive(Debug, Default)]
pub(crate) struct Text(pub(crate) Option<String>);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyText;
        impl<'de> Visitor<'de> for AnyText {
            type Value = Text;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("any value")
            }

            fn visit_str<E>(self, value: &str) -> Result<Text, E> {
                Ok(Text(Some(value.to_owned())))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Text, E> {
                Ok(Text(None))
            }

            fn visit_i64<E>(self, _: i64) -> Result<Text, E> {
                Ok(Text(None))
            }

            fn visit_u64<E>(self, _: u64) -> Result<Text, E> {
                Ok(Text(None))
            }

            fn visit_f64<E>(self, _: f64) -> Result<Text, E> {
                Ok(Text(None))
            }

            fn visit_unit<E>(self) -> Result<Text, E> {
                Ok(Text(None))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Text, A::Error> {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Text(None))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Text, A::Error> {
                while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Text(None))
            }
        }
        deserializer.deserialize_any(AnyText)
    }
}

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    packages: Vec<RawElement>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct RawElement {
    license_concluded: Text,
    license_declared: Text,
    external_refs: Vec<Reference>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Reference {
    reference_type: Text,
    reference_locator: Text,
}

/// What is kept of a document: its elements whose package URLs begin so.
pub(crate) fn reduce(content: &[u8], purl_start: &str) -> Result<Vec<u8>, String> {
    let document: Document = serde_json::from_slice(content)
        .map_err(|error| format!("file is no SPDX document in JSON: {error}"))?;
    let mut elements = Vec::new();
    for element in document.packages {
        let purl = element
            .external_refs
            .into_iter()
            .filter(|it| it.reference_type.0.as_deref() == Some("purl"))
            .find_map(|it| it.reference_locator.0.filter(|purl| purl.starts_with(purl_start)));
        let is_stated = |license: &String| !matches!(license.as_str(), "NOASSERTION" | "NONE" | "");
        let licenses = [element.license_declared.0, element.license_concluded.0];
        let license = licenses.into_iter().flatten().find(is_stated);
        elements.extend(purl.map(|purl| Element { purl, license }));
    }
    to_section(&elements)
}

/// The form in which elements are kept.
pub(crate) fn to_section(elements: &[Element]) -> Result<Vec<u8>, String> {
    serde_json::to_vec(elements).map_err(|error| error.to_string())
}

/// The packages of what was kept of one document. `complete`: adds what only the kind of document knows.
pub(crate) fn parse(
    input: &ParseInput<'_>,
    kind: PackageKind,
    complete: fn(&mut Package, &PackageUrl<'_>, &ParseInput<'_>),
) -> Parsed {
    let kept = read_section(input.bytes)
        .and_then(|kept| serde_json::from_slice::<Vec<Element>>(kept).map_err(|error| error.to_string()));
    let elements = match kept {
        Ok(elements) => elements,
        Err(why) => {
            let diagnostic = input.diagnostic(DiagnosticCode::BrokenRecord, None, why);
            return Parsed { packages: Vec::new(), diagnostics: vec![diagnostic] };
        }
    };
    let mut problems = Problems::new(input);
    let mut packages = Vec::new();
    for Element { purl, license } in elements {
        if packages.len() >= input.packages_left() {
            let message = format!("more than {} packages", input.limits.packages_max);
            problems.add(DiagnosticCode::PackagesLeftOut, 0, message);
            break;
        }
        let written = problems.value(0, purl.as_bytes());
        let Ok(url) = PackageUrl::from_str(&written) else {
            problems.add(DiagnosticCode::BrokenRecord, 0, "package URL cannot be read");
            continue;
        };
        let version = url.version().map(str::to_owned);
        if version.is_none() {
            let message = format!("package `{}` has no version", url.name());
            problems.add(DiagnosticCode::MissingVersion, 0, message);
        }
        let mut package = input.language_package(kind, url.name().to_owned(), version);
        package.architecture = url.qualifiers().get("arch").map(|it| it.to_string());
        package.licenses = license.map(|license| problems.value(0, license.as_bytes())).into_iter().collect();
        complete(&mut package, &url, input);
        package.purl.clone_from(&written);
        packages.push(package);
    }
    let diagnostics = problems.finish(packages.len().max(1), "a package list");
    Parsed { packages, diagnostics }
}

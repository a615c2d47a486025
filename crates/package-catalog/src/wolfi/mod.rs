//! Wolfi and its relatives: the SPDX file that each package brings. It counts where apk's database does not list the package.

use std::collections::BTreeSet;

use model::{Package, PackageKind, SourcePackage};

use crate::extract::ManifestKind;
use crate::parse::{ParseInput, Parsed};
use crate::{spdx, third_party};

/// `/var/lib/db/sbom/NAME-VERSION.spdx.json`
pub(crate) static DOCUMENT: ManifestKind = ManifestKind { tag: 63, is_manifest: is_document, reduce };

const FOLDER: &str = "var/lib/db/sbom";
const ENDING: &str = ".spdx.json";

fn is_document(path: &str) -> bool {
    path.ends_with(ENDING) && path.rsplit_once('/').is_some_and(|(folder, _)| folder == FOLDER)
}

fn reduce(content: &[u8]) -> Result<Vec<u8>, String> {
    spdx::reduce(content, "pkg:apk/")
}

/// The packages of one file; usually one.
pub(crate) fn parse(input: &ParseInput<'_>) -> Parsed {
    spdx::parse(input, PackageKind::Apk, |package, purl, input| {
        let origin = purl.qualifiers().get("origin").or_else(|| purl.qualifiers().get("upstream"));
        package.source = Some(SourcePackage {
            name: origin.map_or_else(|| package.name.clone(), |origin| origin.to_string()),
            version: package.version.clone().unwrap_or_default(),
        });
        package.is_third_party = third_party::of_alpine(None, input.distro);
    })
}

/// Drops what apk lists itself, whatever version it lists.
pub(crate) fn settle(packages: &mut Vec<Package>) {
    let is_from_document = |package: &Package| {
        package.kind == PackageKind::Apk
            && package
                .locations
                .first()
                .is_some_and(|location| is_document(location.path.trim_start_matches('/')))
    };
    if !packages.iter().any(is_from_document) {
        return;
    }
    let listed: BTreeSet<String> = packages
        .iter()
        .filter(|it| it.kind == PackageKind::Apk && !is_from_document(it))
        .map(|it| it.name.clone())
        .collect();
    packages.retain(|it| !is_from_document(it) || !listed.contains(&it.name));
}

#[cfg(test)]
mod tests {
    use crate::tests::{inventory, names};

    #[test]
    fn documents_count_where_apk_lists_nothing() {
        let document = |name: &str, version: &str| {
            format!(
                r#"{{"packages": [{{"name": "{name}", "licenseDeclared": "MIT", "externalRefs": [{{"referenceType": "purl",
                "referenceLocator": "pkg:apk/wolfi/{name}@{version}?arch=x86_64&origin=from"}}]}},
                {{"externalRefs": [{{"referenceType": "purl", "referenceLocator": "pkg:github/a/b@1"}}]}}]}}"#
            )
        };
        let (stale, only) = (document("bash", "5.1-r0"), document("libssl3", "3.3.0-r1"));
        let found = inventory(&[
            ("etc/os-release", b"ID=wolfi\nVERSION_ID=\"20230201\"\n"),
            ("lib/apk/db/installed", b"P:bash\nV:5.2-r1\n"),
            ("var/lib/db/sbom/bash-5.1-r0.spdx.json", stale.as_bytes()),
            ("var/lib/db/sbom/libssl3-3.3.0-r1.spdx.json", only.as_bytes()),
            ("srv/other.spdx.json", only.as_bytes()),
        ]);
        assert_eq!(found.diagnostics, vec![]);
        assert_eq!(names(&found.packages), ["bash 5.2-r1", "libssl3 3.3.0-r1"]);
        let package = &found.packages[1];
        assert_eq!(package.purl, "pkg:apk/wolfi/libssl3@3.3.0-r1?arch=x86_64&origin=from");
        assert_eq!(package.source.as_ref().unwrap().name, "from");
        assert_eq!((package.licenses[0].as_str(), package.is_third_party), ("MIT", Some(false)));
        assert_eq!(package.locations[0].path, "/var/lib/db/sbom/libssl3-3.3.0-r1.spdx.json");
    }
}

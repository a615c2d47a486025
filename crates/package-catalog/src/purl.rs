//! Package URLs as other tools of the trade write them.

use model::{Distro, Package, PackageKind, SourcePackage};
use packageurl::PackageUrl;

/// What of a package goes into its URL.
pub(crate) struct PurlParts<'a> {
    pub(crate) kind: PackageKind,
    pub(crate) name: &'a str,
    pub(crate) version: Option<&'a str>,
    pub(crate) architecture: Option<&'a str>,
    pub(crate) source: Option<&'a SourcePackage>,
    pub(crate) distro: Option<&'a Distro>,
    /// Qualifiers that only this kind has, those that are stated.
    pub(crate) more: &'a [(&'static str, Option<String>)],
}

/// `pkg:deb/debian/libssl3@3.0.11-1?arch=amd64&distro=debian-12&upstream=openssl`.
///
/// `upstream` is there where the source differs from the package, with its version where that differs.
/// Source: package-url/purl-spec, types `deb`, `apk` and `rpm`.
pub(crate) fn to_purl(parts: &PurlParts<'_>) -> String {
    let Ok(mut purl) = PackageUrl::new(parts.kind.purl_type(), parts.name) else {
        // Only an empty name is refused, and a package without a name is not a package.
        return String::new();
    };
    let mut add = |key: &'static str, value: String| {
        purl.add_qualifier(key, value).map(drop).expect("the keys are constants of letters")
    };
    if let Some(architecture) = parts.architecture {
        add("arch", architecture.to_owned());
    }
    if let Some(distro) = parts.distro {
        add("distro", distro.namespace().replacen(':', "-", 1));
    }
    if let Some(source) = parts.source {
        let has_own_version = parts.version.is_some_and(|version| version != source.version);
        match (source.name != parts.name, has_own_version) {
            (true, false) => add("upstream", source.name.clone()),
            (_, true) => add("upstream", format!("{}@{}", source.name, source.version)),
            (false, false) => {}
        }
    }
    for (key, value) in parts.more {
        if let Some(value) = value {
            add(key, value.clone());
        }
    }
    if let Some(distro) = parts.distro {
        purl.with_namespace(namespace(parts.kind, distro))
            .map(drop)
            .expect("these types may have a namespace");
    }
    if let Some(version) = parts.version {
        purl.with_version(version).map(drop).expect("any text is a version");
    }
    purl.to_string()
}

/// Whose packages they are. Those of rpm are named by their vendor, which for these is not the distro's own id.
fn namespace(kind: PackageKind, distro: &Distro) -> &str {
    match (kind, distro.id.as_str()) {
        (PackageKind::Rpm, "rhel") => "redhat",
        (PackageKind::Rpm, id) if id.starts_with("opensuse") => "opensuse",
        (_, id) => id,
    }
}

/// `pkg:golang/github.com/gorilla/mux@v1.8.0`, `pkg:npm/%40scope/name@1.0.0`: what stands before the last slash of a name is its
/// namespace.
///
/// Source: package-url/purl-spec, types `golang`, `npm` and `pypi`.
pub(crate) fn language_purl(kind: PackageKind, full_name: &str, version: Option<&str>) -> String {
    build_language_purl(kind, full_name, version, &[])
}

/// That of a package, with the qualifiers that are stated, by its name and version.
pub(crate) fn qualified_purl(package: &Package, qualifiers: &[(&'static str, Option<&str>)]) -> String {
    build_language_purl(package.kind, &package.name, package.version.as_deref(), qualifiers)
}

/// The same under another name, where a URL has its own form of it.
pub(crate) fn build_language_purl(
    kind: PackageKind,
    full_name: &str,
    version: Option<&str>,
    qualifiers: &[(&'static str, Option<&str>)],
) -> String {
    let (namespace, name) = match full_name.rsplit_once('/') {
        Some((namespace, name)) if !namespace.trim_matches('/').is_empty() && !name.is_empty() => {
            (namespace, name)
        }
        _ => ("", full_name),
    };
    let Ok(mut purl) = PackageUrl::new(kind.purl_type(), name) else { return String::new() };
    if !namespace.is_empty() && purl.with_namespace(namespace).is_err() {
        // Types without namespaces have a name of one piece, whatever is in it.
        let Ok(whole) = PackageUrl::new(kind.purl_type(), full_name) else { return String::new() };
        purl = whole;
    }
    if let Some(version) = version {
        purl.with_version(version).map(drop).expect("any text is a version");
    }
    for (key, value) in qualifiers {
        if let Some(value) = value {
            purl.add_qualifier(*key, *value).map(drop).expect("the keys are constants of letters");
        }
    }
    purl.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        version: Option<&str>,
        source: Option<(&str, &str)>,
        distro: Option<(&str, Option<&str>)>,
        expected: &str,
    ) {
        let source =
            source.map(|(name, version)| SourcePackage { name: name.into(), version: version.into() });
        let distro = distro.map(|(id, version_id)| Distro {
            id: id.into(),
            version_id: version_id.map(Into::into),
            ..Distro::default()
        });
        let parts = PurlParts {
            kind: PackageKind::Deb,
            name: "libssl3",
            version,
            architecture: Some("amd64"),
            source: source.as_ref(),
            distro: distro.as_ref(),
            more: &[],
        };
        assert_eq!(to_purl(&parts), expected);
    }

    #[test]
    fn urls_have_the_usual_qualifiers() {
        let debian = Some(("debian", Some("12")));
        let version = Some("3.0.11-1");
        check(
            version,
            Some(("openssl", "3.0.11-1")),
            debian,
            "pkg:deb/debian/libssl3@3.0.11-1?arch=amd64&distro=debian-12&upstream=openssl",
        );
        check(
            version,
            Some(("libssl3", "3.0.11-1")),
            debian,
            "pkg:deb/debian/libssl3@3.0.11-1?arch=amd64&distro=debian-12",
        );
        check(
            Some("3.0.11-1+b1"),
            Some(("openssl", "3.0.11-1")),
            debian,
            "pkg:deb/debian/libssl3@3.0.11-1%2Bb1?arch=amd64&distro=debian-12&upstream=openssl%403.0.11-1",
        );
        check(
            Some("1:2"),
            Some(("libssl3", "3")),
            debian,
            "pkg:deb/debian/libssl3@1:2?arch=amd64&distro=debian-12&upstream=libssl3%403",
        );
        check(None, None, Some(("debian", None)), "pkg:deb/debian/libssl3?arch=amd64&distro=debian");
        check(version, None, None, "pkg:deb/libssl3@3.0.11-1?arch=amd64");
    }
}

//! From a record to a package.

use model::{DiagnosticCode, Package, PackageKind, SourcePackage};

use crate::parse::{ParseInput, Problems};
use crate::purl::{PurlParts, to_purl};
use crate::rpm::files::{OwnedFiles, owned_files};
use crate::rpm::header::{Header, Tag, tag};
use crate::third_party;

/// One package, as written. Every text is trimmed and not empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct RawPackage {
    /// Where its record begins.
    pub(super) offset: usize,
    pub(super) name: String,
    /// Without one is not the same as zero to rpm's own messages, though it is to its order.
    pub(super) epoch: Option<u64>,
    /// `5.1.8-1.cm2`
    pub(super) version_release: Option<String>,
    pub(super) architecture: Option<String>,
    pub(super) vendor: Option<String>,
    pub(super) license: Option<String>,
    /// `bash-5.1.8-1.cm2.src.rpm`
    pub(super) source_rpm: Option<String>,
    pub(super) installed_size_bytes: Option<u64>,
    /// `nodejs:18:8080020230718:63b34585`
    pub(super) modularity_label: Option<String>,
}

impl RawPackage {
    /// `None` without a name.
    pub(super) fn from_header(
        header: &Header<'_>,
        offset: usize,
        problems: &mut Problems<'_>,
    ) -> Option<Self> {
        let mut text = |tag: Tag| {
            let value = header.text(tag).map(|bytes| problems.value(offset, bytes));
            value.filter(|value| is_stated(value))
        };
        let name = text(tag::NAME)?;
        let version_release = text(tag::VERSION).zip(text(tag::RELEASE));
        Some(Self {
            offset,
            name,
            epoch: header.number(tag::EPOCH, 0),
            version_release: version_release.map(|(version, release)| format!("{version}-{release}")),
            architecture: text(tag::ARCHITECTURE),
            vendor: text(tag::VENDOR),
            license: text(tag::LICENSE),
            source_rpm: text(tag::SOURCE_RPM),
            installed_size_bytes: header.number(tag::LONG_SIZE, 0).or_else(|| header.number(tag::SIZE, 0)),
            modularity_label: text(tag::MODULARITY_LABEL),
        })
    }
}

/// `(none)` is what rpm writes for nothing.
pub(super) fn is_stated(value: &str) -> bool {
    !value.is_empty() && value != "(none)"
}

/// `header`: where the owned files are; a list of packages has none.
pub(super) fn to_package(
    raw: RawPackage,
    header: Option<&Header<'_>>,
    input: &ParseInput<'_>,
    problems: &mut Problems<'_>,
) -> Package {
    let OwnedFiles { files, is_limited, broken_count } =
        header.map(|header| owned_files(header, input)).unwrap_or_default();
    if is_limited {
        problems.add(DiagnosticCode::FileTooLarge, raw.offset, input.limits.too_many_owned());
    }
    if broken_count > 0 {
        let message = format!("{broken_count} files of `{}` have no path that can be read", raw.name);
        problems.add(DiagnosticCode::BrokenRecord, raw.offset, message);
    }
    let version = raw.version_release.as_ref().map(|version| match raw.epoch {
        Some(epoch) => format!("{epoch}:{version}"),
        None => version.clone(),
    });
    let purl = to_purl(&PurlParts {
        kind: PackageKind::Rpm,
        name: &raw.name,
        version: raw.version_release.as_deref(),
        architecture: raw.architecture.as_deref(),
        source: None,
        distro: input.distro,
        more: &[
            ("epoch", raw.epoch.map(|epoch| epoch.to_string())),
            ("upstream", raw.source_rpm.clone()),
            ("rpmmod", raw.modularity_label.clone()),
        ],
    });
    Package {
        architecture: raw.architecture,
        source: raw.source_rpm.as_deref().and_then(to_source),
        purl,
        licenses: raw.license.into_iter().collect(),
        is_third_party: third_party::of_rpm(raw.vendor.as_deref(), input.distro),
        maintainer: raw.vendor,
        installed_size_bytes: raw.installed_size_bytes,
        locations: vec![input.location.clone()],
        files,
        modularity: raw.modularity_label,
        ..Package::new(PackageKind::Rpm, raw.name, version)
    }
}

/// `openssl-3.0.7-24.el9.src.rpm`: name, version and release. The file's name carries no epoch.
fn to_source(file_name: &str) -> Option<SourcePackage> {
    let stem = file_name.strip_suffix(".rpm")?;
    let stem = stem.strip_suffix(".src").or_else(|| stem.strip_suffix(".nosrc"))?;
    let (rest, release) = stem.rsplit_once('-')?;
    let (name, version) = rest.rsplit_once('-')?;
    let is_whole = !name.is_empty() && !version.is_empty() && !release.is_empty();
    is_whole.then(|| SourcePackage { name: name.to_owned(), version: format!("{version}-{release}") })
}

#[cfg(test)]
mod tests {
    use super::to_source;

    #[test]
    fn the_source_is_in_the_name_of_its_file() {
        let rows = [
            ("bash-5.1.8-1.cm2.src.rpm", Some(("bash", "5.1.8-1.cm2"))),
            ("java-11-openjdk-11.0.1-2.el8.src.rpm", Some(("java-11-openjdk", "11.0.1-2.el8"))),
            ("a-1-2.nosrc.rpm", Some(("a", "1-2"))),
            ("a-1-2.x86_64.rpm", None),
            ("a-1.src.rpm", None),
            ("-1-2.src.rpm", None),
            ("a--2.src.rpm", None),
            (".src.rpm", None),
            ("", None),
        ];
        for (file_name, expected) in rows {
            let found = to_source(file_name);
            let found = found.as_ref().map(|source| (source.name.as_str(), source.version.as_str()));
            assert_eq!(found, expected, "{file_name}");
        }
    }
}

//! The parts of a package's version as its package manager writes them: `epoch:version-release`.

use std::cmp::Ordering;

use model::{Package, PackageKind};
use package_versions::VersionScheme;

use crate::budget::Failure;
use crate::problem::quote;

/// A version, cut where its package manager cuts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WrittenVersion<'a> {
    kind: PackageKind,
    whole: &'a str,
    /// Behind the epoch.
    without_epoch: &'a str,
    /// Bytes of the release at the end, with what divides it from the version.
    release_bytes: usize,
}

impl<'a> WrittenVersion<'a> {
    /// The version of a package; `None` when its record has none.
    pub(super) fn of(package: &'a Package) -> Option<Self> {
        package.version.as_deref().map(|version| Self::new(package.kind, version))
    }

    pub(super) fn new(kind: PackageKind, whole: &'a str) -> Self {
        let without_epoch = match (kind, whole.split_once(':')) {
            (PackageKind::Deb | PackageKind::Rpm, Some((epoch, rest)))
                if !epoch.is_empty() && epoch.bytes().all(|byte| byte.is_ascii_digit()) =>
            {
                rest
            }
            _ => whole,
        };
        let release_start = match kind {
            PackageKind::Deb | PackageKind::Rpm => without_epoch.rfind('-'),
            PackageKind::Apk => without_epoch.rfind("-r").filter(|start| {
                let digits = &without_epoch[start + "-r".len()..];
                !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
            }),
            _ => None,
        };
        let release_bytes = release_start.map_or(0, |start| without_epoch.len() - start);
        Self { kind, whole, without_epoch, release_bytes }
    }

    /// As messages show it. Anchore keeps the epoch of an rpm apart, so its messages never had it.
    pub(super) fn shown(&self) -> &'a str {
        if self.kind == PackageKind::Rpm { self.without_epoch } else { self.whole }
    }

    /// Whether a text is this whole version. The epoch may be left out.
    pub(super) fn is(&self, text: &str) -> bool {
        text == self.whole || text == self.without_epoch
    }

    /// Whether a text is this version, with or without its release and its epoch.
    pub(super) fn is_about(&self, text: &str) -> bool {
        self.is(text) || text == self.cut(self.whole) || text == self.cut(self.without_epoch)
    }

    fn cut(&self, text: &'a str) -> &'a str {
        &text[..text.len() - self.release_bytes]
    }

    /// Whether this version is lower than another one, by the rules of the package manager. What the other one leaves out
    /// does not count: the release always, the epoch for rpm.
    pub(super) fn is_lower_than(&self, package: &Package, text: &str) -> Result<bool, Failure> {
        let not_comparable =
            |reason: String| Failure::VersionsNotComparable { package: quote(&package.name), reason };
        let Some(scheme) = VersionScheme::of_kind(self.kind) else {
            return Err(not_comparable(format!(
                "versions of {} packages cannot be ordered yet, so no minimum can be asked for",
                self.kind.purl_type()
            )));
        };
        let other = WrittenVersion::new(self.kind, text);
        let has_epoch = other.without_epoch.len() < text.len();
        let own = if self.kind == PackageKind::Rpm && !has_epoch { self.without_epoch } else { self.whole };
        let own = if other.release_bytes == 0 { self.cut(own) } else { own };
        match scheme.compare_strictly(own, text) {
            Ok(order) => Ok(order == Ordering::Less),
            Err(error) => Err(not_comparable(format!(
                "versions `{}` and `{}` cannot be ordered: {}",
                quote(own),
                quote(text),
                quote(&error.to_string())
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_cut_where_their_package_manager_cuts_them() {
        use PackageKind::{Apk, Deb, Npm, Rpm};
        // Kind, whole version, as shown, without release, without both.
        let rows = [
            (Deb, "1:1.2.3-4", "1:1.2.3-4", "1:1.2.3", "1.2.3"),
            (Deb, "1.2-rc-4", "1.2-rc-4", "1.2-rc", "1.2-rc"),
            (Deb, "1.2", "1.2", "1.2", "1.2"),
            (Deb, "a:1.2-1", "a:1.2-1", "a:1.2", "a:1.2"),
            (Rpm, "2:1.2.3-4.el8", "1.2.3-4.el8", "2:1.2.3", "1.2.3"),
            (Apk, "1.2.4-r1", "1.2.4-r1", "1.2.4", "1.2.4"),
            (Apk, "1.2.4-rc", "1.2.4-rc", "1.2.4-rc", "1.2.4-rc"),
            (Apk, "1.2.4-r", "1.2.4-r", "1.2.4-r", "1.2.4-r"),
            (Npm, "1.2.3-beta.1", "1.2.3-beta.1", "1.2.3-beta.1", "1.2.3-beta.1"),
        ];
        for (kind, whole, shown, without_release, without_both) in rows {
            let version = WrittenVersion::new(kind, whole);
            assert_eq!(version.shown(), shown, "{whole}");
            assert_eq!(version.cut(version.whole), without_release, "{whole}");
            assert_eq!(version.cut(version.without_epoch), without_both, "{whole}");
            for text in [whole, without_release, without_both] {
                assert!(version.is_about(text), "{whole} {text}");
            }
            assert!(!version.is_about("1"), "{whole}");
        }
    }
}

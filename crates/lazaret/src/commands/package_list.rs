//! Package lists in place of images: a file or standard input in any format that is read, or package URLs.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use model::{ImageFacts, Inventory};
use report_formats::{SbomLimits, SbomSubject, read_sbom};

/// Where a package list is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PackageList {
    StandardInput,
    File(PathBuf),
    /// A package URL that was typed.
    Purl(String),
}

impl PackageList {
    /// `sbom:FILE`, `sbom:-`, `-`, `purl:pkg:…`, `pkg:…`, `purl-file:FILE`, or a file that is one by its content; `None`: it is
    /// something else.
    pub(super) fn parse(text: &str) -> anyhow::Result<Option<Self>> {
        if text == "-" {
            return Ok(Some(Self::StandardInput));
        }
        for prefix in ["sbom:", "purl-file:"] {
            match text.strip_prefix(prefix) {
                Some("") => bail!("`{text}` names no file"),
                Some("-") => return Ok(Some(Self::StandardInput)),
                Some(path) => return Ok(Some(Self::File(path.into()))),
                None => {}
            }
        }
        if let Some(purl) = text.strip_prefix("purl:").or_else(|| text.starts_with("pkg:").then_some(text)) {
            return Ok(Some(Self::Purl(purl.to_owned())));
        }
        // As for archives: a file without folder or ending must not change what an image's name means.
        let looks_like_path = text.contains('/')
            || [".json", ".xml", ".spdx", ".cdx", ".txt"].iter().any(|ending| text.ends_with(ending));
        let path = Path::new(text);
        let is_list = looks_like_path && path.is_file() && begins_like_a_list(path).unwrap_or(false);
        Ok(is_list.then(|| Self::File(path.to_owned())))
    }

    /// What the list is of, by the name that it has for it or else as it was typed, and its packages.
    pub(super) fn load_as(&self, typed: &str) -> anyhow::Result<(String, Option<ImageFacts>, Inventory)> {
        let (SbomSubject { name, image }, inventory) = self.load()?;
        Ok((name.unwrap_or_else(|| typed.to_owned()), image, inventory))
    }

    fn load(&self) -> anyhow::Result<(SbomSubject, Inventory)> {
        let limits = SbomLimits::default();
        let (bytes, name) = match self {
            Self::StandardInput => (read(io::stdin().lock(), &limits)?, "standard input".to_owned()),
            Self::File(path) => {
                (read(fs_err::File::open(path)?, &limits)?, format!("file `{}`", path.display()))
            }
            Self::Purl(purl) => (purl.clone().into_bytes(), format!("package URL `{purl}`")),
        };
        if let Self::Purl(purl) = self
            && !purl.starts_with("pkg:")
        {
            bail!("`{purl}` is no package URL (`pkg:type/name@version`)");
        }
        let (subject, mut inventory) = read_sbom(&bytes, &limits)
            .with_context(|| format!("failed to read the package list from {name}"))?;
        scanner::note_makers(&mut inventory);
        Ok((subject, inventory))
    }
}

/// Bytes of a file that tell a list from an archive.
const HEAD_BYTES: u64 = 512;

fn begins_like_a_list(path: &Path) -> io::Result<bool> {
    let mut head = Vec::new();
    io::copy(&mut fs_err::File::open(path)?.take(HEAD_BYTES), &mut head)?;
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&head).trim_ascii_start();
    let has_start =
        ["{", "<", "SPDXVersion:", "pkg:", "#"].iter().any(|start| text.starts_with(start.as_bytes()));
    Ok(has_start && !head.contains(&0))
}

fn read(from: impl Read, limits: &SbomLimits) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // One more than is taken: the reader names the limit.
    let wanted = u64::try_from(limits.bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    io::copy(&mut from.take(wanted), &mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_told_from_images() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, content: &[u8]| {
            let path = folder.path().join(name);
            fs_err::write(&path, content).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let json = file("a", b"\xef\xbb\xbf\n {}");
        let tar = file("b.json", b"{}\0\0");
        let file_of = |path: &str| Some(PackageList::File(path.into()));
        for (text, expected) in [
            ("-", Some(PackageList::StandardInput)),
            ("sbom:-", Some(PackageList::StandardInput)),
            ("sbom:x.json", file_of("x.json")),
            ("purl-file:list", file_of("list")),
            ("purl:pkg:npm/a@1", Some(PackageList::Purl("pkg:npm/a@1".to_owned()))),
            ("pkg:npm/a@1", Some(PackageList::Purl("pkg:npm/a@1".to_owned()))),
            (&json, file_of(&json)),
            (&tar, None),
            ("nginx", None),
            ("registry.example.org/app:1.json", None),
        ] {
            assert_eq!(PackageList::parse(text).unwrap(), expected, "{text}");
        }
        assert!(PackageList::parse("sbom:").is_err());
    }

    #[test]
    fn who_has_made_the_packages_of_a_list_is_found_out() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.spdx.json");
        let list = r#"{"spdxVersion": "SPDX-2.3", "packages": [
            {"SPDXID": "SPDXRef-1", "name": "docker-ce", "versionInfo": "1", "supplier": "Organization: Docker (support@docker.com)",
             "externalRefs": [{"referenceType": "purl", "referenceLocator": "pkg:deb/debian/docker-ce@1?distro=debian-12"}]}]}"#;
        fs_err::write(&file, list).unwrap();
        let (_, inventory) = PackageList::File(file).load().unwrap();
        let package = &inventory.packages[0];
        assert_eq!(package.maintainer.as_deref(), Some("Docker <support@docker.com>"));
        assert_eq!(package.is_third_party, Some(true));
    }

    #[test]
    fn package_urls_are_packages() {
        let (_, inventory) = PackageList::Purl("pkg:npm/%40a/B@1".to_owned()).load().unwrap();
        assert_eq!(inventory.packages[0].name, "@a/B");
        for bad in ["a", "pkg:npm"] {
            assert!(PackageList::Purl(bad.to_owned()).load().is_err(), "{bad}");
        }
    }
}

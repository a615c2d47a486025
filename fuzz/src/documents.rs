//! Documents: of images, package lists, feeds, policies.

use advisory_feeds::{FeedLimits, alpine_secdb, debian_tracker, osv};
use model::ImageFacts;
use report_formats::SbomLimits;
use scanner::ScanError;

const PACKAGES_MAX: usize = 10_000;

/// A manifest and a configuration, with a NUL between them.
pub(crate) fn describe_image(bytes: &[u8]) {
    let mut parts = bytes.splitn(2, |byte| *byte == 0);
    drop(facts(parts.next().unwrap_or_default(), parts.next().unwrap_or_default()));
}

/// What both say. No change of a configuration keeps its digest: the manifest is made to name the one that it has.
pub(crate) fn facts(manifest: &[u8], config: &[u8]) -> Result<ImageFacts, ScanError> {
    let error = match scanner::describe_image(manifest, config) {
        Err(error) => error,
        described => return described,
    };
    let ScanError::DigestMismatch { expected, actual, .. } = &error else { return Err(error) };
    let manifest = String::from_utf8_lossy(manifest).replace(&expected.to_string(), &actual.to_string());
    scanner::describe_image(manifest.as_bytes(), config)
}

/// A package list of syft.
pub(crate) fn read_syft(bytes: &[u8]) {
    if let Ok(inventory) = report_formats::read_syft(bytes, Vec::new(), PACKAGES_MAX) {
        assert!(inventory.packages.iter().all(|package| !package.name.is_empty()), "names are not empty");
    }
}

/// A package list of any format.
pub(crate) fn read_package_list(bytes: &[u8]) {
    let limits = SbomLimits { bytes_max: 1 << 20, packages_max: PACKAGES_MAX };
    if let Ok((_, inventory)) = report_formats::read_sbom(bytes, &limits) {
        assert!(inventory.packages.len() <= PACKAGES_MAX, "no more than the limit");
    }
}

/// A record of OSV.
pub(crate) fn read_osv(bytes: &[u8]) {
    drop(osv::parse(bytes, "fuzz", &FeedLimits::default()));
}

/// Alpine's database.
pub(crate) fn read_alpine_secdb(bytes: &[u8]) {
    drop(alpine_secdb::parse(bytes, "fuzz", &FeedLimits::default()));
}

/// Debian's tracker.
pub(crate) fn read_debian_tracker(bytes: &[u8]) {
    drop(debian_tracker::parse(bytes, "fuzz", &FeedLimits::default()));
}

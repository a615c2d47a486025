//! Names and times that reports need and nobody gives: made from what is reported, so that they are the same each time.

use jiff::Timestamp;
use model::{Digest, Finding};
use sha2::{Digest as _, Sha256};

use crate::Report;
use crate::format::WriteOptions;

/// Hexadecimal digits that stand for these words and for no others.
pub(crate) fn fingerprint(words: &[&str]) -> String {
    let mut hash = Sha256::new();
    for word in words {
        hash.update(u64::try_from(word.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(word.as_bytes());
    }
    Digest::from_sha256(&hash.finalize().into()).hex().to_owned()
}

/// A UUID of version 8 that stands for these words.
pub(crate) fn uuid(words: &[&str]) -> String {
    let hex = fingerprint(words);
    format!("{}-{}-8{}-9{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
}

/// What a finding is about, without the version: the same after an update that does not mend it.
pub(crate) fn finding_fingerprint(finding: &Finding) -> String {
    let kind = finding.package_kind.purl_type();
    fingerprint(&[&finding.id, kind, &finding.package, &finding.package_path])
}

/// The time that a report carries: the one that was given, else the one of the data, else of the image.
pub(crate) fn report_time(report: &Report<'_>, options: &WriteOptions<'_>) -> Timestamp {
    let of_database = || Some(report.scan()?.report.database.as_ref()?.built_at);
    let of_image = || report.sbom().facts()?.created;
    options.written_at.or_else(of_database).or_else(of_image).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The text as part of an address: everything but unreserved characters and `/` as `%41`.
pub(crate) fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_has_its_form_and_each_boundary_counts() {
        let text = uuid(&["a", "bc"]);
        assert_eq!(text.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
        assert!(text.split('-').nth(2).is_some_and(|part| part.starts_with('8')));
        assert_ne!(text, uuid(&["ab", "c"]));
        assert_eq!(text, uuid(&["a", "bc"]));
    }

    #[test]
    fn paths_become_parts_of_addresses() {
        assert_eq!(percent_encoded("usr/lib/a b:ü"), "usr/lib/a%20b%3A%C3%BC");
    }
}

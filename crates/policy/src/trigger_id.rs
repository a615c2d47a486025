//! The stable identifier of a match, which users write into whitelists.

use std::fmt::Write as _;

use md5::{Digest as _, Md5};

/// The identifier of a match whose trigger has no rule of its own: the MD5 of gate, trigger and message.
///
/// MD5 is part of the policy language (existing whitelists hold these values); nothing here relies on its strength.
/// `gate` and `trigger` are the canonical spellings, not those of the rule.
pub fn trigger_id(gate: &str, trigger: &str, message: &str) -> String {
    let mut hasher = Md5::new();
    for part in [gate, trigger, message] {
        hasher.update(part.as_bytes());
    }
    hasher.finalize().iter().fold(String::with_capacity(32), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a String cannot fail");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::trigger_id;

    /// Rows of the contract's table (§2.7): gate, trigger, message, identifier.
    const VECTORS: &[(&str, &str, &str, &str)] = &[
        (
            "files",
            "suid_or_guid_set",
            "SUID or SGID found set on file /bin/su. Mode: 0o104755",
            "91192388289daa4ffb2844ac9fbd709f",
        ),
        (
            "files",
            "name_match",
            "Application of regex matched file found in container: file=/etc/passwd regexp=.*passwd",
            "64fd3465144979006c9060b7560ce07c",
        ),
        (
            "files",
            "attribute_match",
            "filename=/etc/passwd and checksum=abc op=equals specified_checksum=abc",
            "aad69d4a6c952573a05327a5b4f9e55c",
        ),
        (
            "files",
            "attribute_match",
            "filename=/etc/passwd and mode=0o644 op=equals specified_mode=0o644",
            "6c7453ceb1bcc50980dec5af8aa5303d",
        ),
        (
            "files",
            "attribute_match",
            "filename=/nope and skip_missing=False",
            "4e124d0f8d7142c998196a718f2d56b3",
        ),
        (
            "metadata",
            "attribute",
            "Attribute check for attribute: 'size' check: '>' check_value: '500' matched image value: '1000'",
            "f2ea71015392ee47e0408290ec9dfa48",
        ),
        (
            "metadata",
            "attribute",
            "Attribute check for attribute: 'distro' check: '=' check_value: 'debian' matched image value: 'debian'",
            "928b8f0784891909924a08e7891beb35",
        ),
        (
            "dockerfile",
            "instruction",
            "Dockerfile directive 'HEALTHCHECK' not found, matching condition 'not_exists' check",
            "41cb7cdf04850e33a11f80c42bf660b3",
        ),
        (
            "dockerfile",
            "instruction",
            "Dockerfile directive 'FROM' check '=' matched against 'scratch' for line 'scratch'",
            "e262a2bcde7efdc1bec001795304680f",
        ),
        (
            "dockerfile",
            "exposed_ports",
            "Dockerfile exposes port (22) which is in policy file DENIEDPORTS list",
            "cc05c35507995b4a657b63f9b0baa281",
        ),
        (
            "dockerfile",
            "exposed_ports",
            "Dockerfile exposes port (443) which is not in policy file ALLOWEDPORTS list",
            "b82bd31334c61b61ccea7ea3a8323b5d",
        ),
        (
            "dockerfile",
            "effective_user",
            "User root found as effective user, which is explicity not allowed",
            "cbff271f45d32e78dcc1979dbca9c14d",
        ),
        (
            "dockerfile",
            "no_dockerfile_provided",
            "Image was not analyzed with an actual Dockerfile",
            "b00b22232c1902075263067d2d2b8eea",
        ),
        ("malware", "scan_not_run", "No malware scans found for image", "7feaec55f790ab6b3edba15014b8b5f2"),
        ("packages", "blacklist", "Package is blacklisted: openssl", "48633c43b5d540533610acc3bbf61808"),
        (
            "packages",
            "blacklist",
            "Package is blacklisted: openssl-1.1.0",
            "2094d4f4ee768ec131a737a41c5ef379",
        ),
        (
            "packages",
            "required_package",
            "Required input package (curl) is not present in container image",
            "761274853fabf1b30b81c29a0997190b",
        ),
        (
            "vulnerabilities",
            "stale_feed_data",
            "The vulnerability feed for this image distro is older than MAXAGE (2) days",
            "deb3f1afb4ea0ddf587e6c62c341c6fa",
        ),
        (
            "vulnerabilities",
            "vulnerability_data_unavailable",
            "Distro-specific feed data not found for distro namespace: debian:9. Cannot perform CVE scan OS/distro packages",
            "e3bc2d35a7faaa8e875f016f0f6ca2c9",
        ),
        (
            "vulnerabilities",
            "blacklist",
            "Blacklisted vulnerabilities detected: ['CVE-2020-1', 'GHSA-1']",
            "8b9e99a7296e356226b34b53ed0dcebe",
        ),
        (
            "passwd_file",
            "content_not_available",
            "Cannot locate /etc/passwd in image stored files archive: check analyzer settings.",
            "a03e8bea98bc473ccb1dc7471b201943",
        ),
        (
            "retrieved_files",
            "content_not_available",
            "Cannot locate file in the image analysis",
            "013ff87ce9b12826800438355925acd3",
        ),
        // The rule of malware/scans is `SCANNER+SIGNATURE+md5(path)`.
        ("", "", "/elf", "305c88b97bea4feeaf6e8263efd34e26"),
        // Seen from a running engine.
        (
            "files",
            "suid_or_guid_set",
            "SUID or SGID found set on file /usr/bin/chage. Mode: 0o102755",
            "75d08d8c7b064bbd44f2f524c924d17b",
        ),
        (
            "packages",
            "required_package",
            "Required input package (nosuchpkg) is not present in container image",
            "0b5f02b4cedb1225c5e4af86b7a6a6fa",
        ),
    ];

    #[test]
    fn identifiers_are_those_that_existing_whitelists_hold() {
        for (gate, trigger, message, expected) in VECTORS {
            assert_eq!(trigger_id(gate, trigger, message), *expected, "{gate}/{trigger}: {message}");
        }
    }
}

//! Names of ecosystems, from the many ways in which feeds write them to one.

use model::Ecosystem;

/// Debian's releases by their codenames.
const DEBIAN_CODENAMES: [(&str, &str); 10] = [
    ("sid", "unstable"),
    ("unstable", "unstable"),
    ("forky", "14"),
    ("trixie", "13"),
    ("bookworm", "12"),
    ("bullseye", "11"),
    ("buster", "10"),
    ("stretch", "9"),
    ("jessie", "8"),
    ("wheezy", "7"),
];

/// Debian's release of this codename; an unknown one stays as it is and so stays visible.
pub(crate) fn debian_release(codename: &str) -> String {
    let known = DEBIAN_CODENAMES.iter().find(|(name, _)| *name == codename);
    known.map_or(codename, |(_, release)| release).to_owned()
}

/// Reads an OSV ecosystem: `Debian:12`, `Alpine:v3.20`, `Ubuntu:22.04:LTS`, `Wolfi`, `npm`.
///
/// Ubuntu's paid channels become families of their own, `ubuntu-pro` and `ubuntu-pro-fips`: their fixes are not
/// those of `ubuntu`. Of Red Hat and SUSE one release has many names, one for each repository: they become one release, `9` or
/// `15.5`, and the paid channels others, `9.2+eus` or `15.5+ltss`. `None` is no name at all.
pub fn parse_ecosystem(text: &str) -> Option<Ecosystem> {
    let (name, rest) = match text.split_once(':') {
        Some((name, rest)) => (name.trim(), Some(rest.trim()).filter(|rest| !rest.is_empty())),
        None => (text.trim(), None),
    };
    if name.is_empty() {
        return None;
    }
    let family = name.to_lowercase();
    let release = match (family.as_str(), rest) {
        (_, None) => None,
        ("ubuntu", Some(rest)) => return Some(ubuntu(rest)),
        ("debian", Some(rest)) => Some(debian_release(rest)),
        ("red hat", Some(rest)) => Some(red_hat_release(rest)),
        ("suse", Some(rest)) => Some(suse_release(rest)),
        ("opensuse", Some(rest)) => Some(rest.to_lowercase()),
        // GitHub's own name for what has no place in the list of ecosystems.
        ("purl-type", Some("swift")) => {
            return Some(Ecosystem { family: "swifturl".to_owned(), release: None });
        }
        (_, Some(rest)) => Some(without_letter(rest).to_owned()),
    };
    Some(Ecosystem { family, release })
}

/// `22.04:LTS`, `25.10`, `Pro:18.04:LTS`, `Pro:FIPS-updates:20.04:LTS`.
fn ubuntu(rest: &str) -> Ecosystem {
    let mut family = "ubuntu".to_owned();
    let mut release = None;
    for word in rest.split(':') {
        if word.starts_with(|first: char| first.is_ascii_digit()) {
            release = Some(word.to_owned());
        } else if !word.is_empty() && !word.eq_ignore_ascii_case("LTS") {
            family.push('-');
            family.push_str(&word.to_lowercase());
        }
    }
    Ecosystem { family, release }
}

/// Channels of Red Hat that get other fixes than the release itself.
const RED_HAT_CHANNELS: [&str; 6] = ["eus", "eus_long_life", "aus", "e4s", "tus", "els"];

/// The end of a CPE: `enterprise_linux:9::appstream`, `rhel_eus:9.2::baseos`, `enterprise_linux:10.0`. A package is in one
/// repository only, so the repository does not matter. Other products stay as they are written.
fn red_hat_release(cpe_end: &str) -> String {
    let mut parts = cpe_end.split(':');
    let product = parts.next().unwrap_or_default();
    let version = parts.next().filter(|version| version.starts_with(|first: char| first.is_ascii_digit()));
    let channel = product.strip_prefix("rhel_").or_else(|| product.strip_prefix("enterprise_linux_"));
    match (version, channel) {
        (Some(version), None) if product == "enterprise_linux" => {
            version.split('.').next().unwrap_or(version).to_owned()
        }
        (Some(version), Some(channel)) if RED_HAT_CHANNELS.contains(&channel) => {
            format!("{version}+{channel}")
        }
        _ => cpe_end.to_lowercase(),
    }
}

/// `Linux Enterprise Server 15 SP5`, `Linux Enterprise Module for Basesystem 15 SP5`, `Linux Enterprise Server 12 SP5-LTSS`,
/// `Linux Micro 6.0`. Other products stay as they are written.
fn suse_release(product: &str) -> String {
    let whole = || product.to_lowercase();
    let Some(product) = product.strip_prefix("Linux ") else { return whole() };
    let product = product.strip_prefix("Enterprise ").unwrap_or(product);
    let Some(start) = product.find(|first: char| first.is_ascii_digit()) else { return whole() };
    let (name, version) = (product[..start].trim(), &product[start..]);
    let (version, channel) = match version.split_once('-') {
        Some((version, channel)) => (version, Some(channel.to_lowercase())),
        None => (version, None),
    };
    let version = version.replacen(" SP", ".", 1);
    let is_base = ["Server", "Desktop", "Workstation Extension", "Software Development Kit"].contains(&name);
    match (name, channel) {
        ("Micro", None) => format!("micro {version}"),
        (name, None) if is_base || name.starts_with("Module for ") => version,
        (_, Some(channel)) if is_base => format!("{version}+{channel}"),
        _ => whole(),
    }
}

/// A release without the `v` that some feeds write in front of the number.
pub(crate) fn without_letter(release: &str) -> &str {
    match release.strip_prefix('v') {
        Some(number) if number.starts_with(|first: char| first.is_ascii_digit()) => number,
        _ => release,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_ecosystems_are_read() {
        let cases = [
            ("Debian:12", Some("debian:12")),
            ("Debian:sid", Some("debian:unstable")),
            ("Debian", Some("debian")),
            ("Alpine:v3.20", Some("alpine:3.20")),
            ("alpine:3.21", Some("alpine:3.21")),
            ("Alpine:edge", Some("alpine:edge")),
            ("Ubuntu:22.04:LTS", Some("ubuntu:22.04")),
            ("Ubuntu:25.10", Some("ubuntu:25.10")),
            ("Ubuntu:Pro:18.04:LTS", Some("ubuntu-pro:18.04")),
            ("Ubuntu:Pro:FIPS-updates:20.04:LTS", Some("ubuntu-pro-fips-updates:20.04")),
            ("Wolfi", Some("wolfi")),
            ("crates.io", Some("crates.io")),
            ("npm", Some("npm")),
            ("PyPI", Some("pypi")),
            ("Rocky Linux:9", Some("rocky linux:9")),
            ("Packagist:https://packages.example.org/8", Some("packagist:https://packages.example.org/8")),
            ("Wolfi:", Some("wolfi")),
            ("Red Hat:enterprise_linux:9::baseos", Some("red hat:9")),
            ("Red Hat:enterprise_linux:7::server", Some("red hat:7")),
            ("Red Hat:enterprise_linux:10.0", Some("red hat:10")),
            ("Red Hat:rhel_eus:9.2::appstream", Some("red hat:9.2+eus")),
            ("Red Hat:enterprise_linux_eus:10.0", Some("red hat:10.0+eus")),
            ("Red Hat:rhel_aus:8.4::baseos", Some("red hat:8.4+aus")),
            ("Red Hat:openshift:4.12::el8", Some("red hat:openshift:4.12::el8")),
            ("Red Hat:rhel_software_collections:3::el7", Some("red hat:rhel_software_collections:3::el7")),
            ("Red Hat:enterprise_linux", Some("red hat:enterprise_linux")),
            ("SUSE:Linux Enterprise Server 15 SP5", Some("suse:15.5")),
            ("SUSE:Linux Enterprise Module for Basesystem 15 SP5", Some("suse:15.5")),
            ("SUSE:Linux Enterprise Server 15 SP3-LTSS", Some("suse:15.3+ltss")),
            ("SUSE:Linux Enterprise Server 15", Some("suse:15")),
            ("SUSE:Linux Enterprise Server 16.0", Some("suse:16.0")),
            ("SUSE:Linux Enterprise Micro 5.5", Some("suse:micro 5.5")),
            ("SUSE:Linux Micro 6.0", Some("suse:micro 6.0")),
            (
                "SUSE:Linux Enterprise Server for SAP Applications 15 SP5",
                Some("suse:linux enterprise server for sap applications 15 sp5"),
            ),
            ("SUSE:Package Hub 15 SP6", Some("suse:package hub 15 sp6")),
            ("openSUSE:Leap 15.6", Some("opensuse:leap 15.6")),
            ("openSUSE:Tumbleweed", Some("opensuse:tumbleweed")),
            ("openEuler:22.03-LTS-SP3", Some("openeuler:22.03-LTS-SP3")),
            ("Azure Linux:3", Some("azure linux:3")),
            ("Photon OS:5.0", Some("photon os:5.0")),
            ("purl-type:swift", Some("swifturl")),
            ("", None),
            (":12", None),
        ];
        for (text, expected) in cases {
            let found = parse_ecosystem(text).map(|ecosystem| ecosystem.to_string());
            assert_eq!(found.as_deref(), expected, "`{text}`");
        }
    }
}

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
/// those of `ubuntu`. `None` is no name at all.
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
            ("", None),
            (":12", None),
        ];
        for (text, expected) in cases {
            let found = parse_ecosystem(text).map(|ecosystem| ecosystem.to_string());
            assert_eq!(found.as_deref(), expected, "`{text}`");
        }
    }
}

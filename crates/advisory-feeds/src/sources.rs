//! Where feeds come from: the public addresses, the same behind a mirror, and what makes a list of sources valid.

use std::collections::BTreeSet;
use std::time::Duration;

use model::FeedKind;

use crate::fetch::{FetchError, parse_address};

/// How often a source is asked unless something else is said.
pub const INTERVAL_DEFAULT: Duration = Duration::from_secs(60 * 60);

/// One thing that is fetched as a whole: if one of its files fails, none of them is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedSource {
    /// Its name, which is also that of its folder: lower-case letters, digits, `.` and `-`.
    pub name: String,
    /// The form of its files.
    pub kind: FeedKind,
    /// Its files.
    pub files: Vec<FeedFile>,
    /// How often it is asked.
    pub interval: Duration,
    /// Whether it is fetched and used.
    pub is_enabled: bool,
}

/// One file of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedFile {
    /// Its name in the folder of the source.
    pub name: String,
    /// Its address.
    pub url: String,
}

/// Where the public feeds are, or a mirror that keeps their layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedAddresses {
    /// Open Source Vulnerabilities: `{osv}/{ecosystem}/all.zip`.
    pub osv: String,
    /// Alpine's security database: `{alpine}/v3.20/main.json`.
    pub alpine: String,
    /// The document of Debian's security tracker.
    pub debian: String,
    /// The security database of Wolfi.
    pub wolfi: String,
    /// The security database of Chainguard.
    pub chainguard: String,
}

impl Default for FeedAddresses {
    /// The public addresses.
    fn default() -> Self {
        Self {
            osv: "https://osv-vulnerabilities.storage.googleapis.com".to_owned(),
            alpine: "https://secdb.alpinelinux.org".to_owned(),
            debian: "https://security-tracker.debian.org/tracker/data/json".to_owned(),
            wolfi: "https://packages.wolfi.dev/os/security.json".to_owned(),
            chainguard: "https://packages.cgr.dev/chainguard/security.json".to_owned(),
        }
    }
}

impl FeedAddresses {
    /// All of them under one address: `{base}/osv/PyPI/all.zip`, `{base}/alpine/v3.20/main.json`,
    /// `{base}/debian/tracker.json`, `{base}/wolfi/security.json`, `{base}/chainguard/security.json`.
    pub fn mirror(base: &str) -> Self {
        let base = base.trim_end_matches('/');
        Self {
            osv: format!("{base}/osv"),
            alpine: format!("{base}/alpine"),
            debian: format!("{base}/debian/tracker.json"),
            wolfi: format!("{base}/wolfi/security.json"),
            chainguard: format!("{base}/chainguard/security.json"),
        }
    }
}

/// Alpine's releases that have a security database with both repositories, and the branch that has no end.
const ALPINE_MINORS: std::ops::RangeInclusive<u32> = 10..=23;

/// Ecosystems of Open Source Vulnerabilities, and whether an image is matched against them. Those of Debian and Alpine
/// repeat the distro's own data, with severities that the distro does not give.
///
/// Those of other distros and of languages can be switched on; some are large, and all cost time with every build.
const OSV_ECOSYSTEMS: [(&str, bool); 32] = [
    ("Debian", true),
    ("Alpine", true),
    ("Ubuntu", true),
    ("Wolfi", false),
    ("Chainguard", false),
    ("PyPI", false),
    ("npm", false),
    ("Go", false),
    ("RubyGems", false),
    ("Maven", false),
    ("crates.io", false),
    ("Packagist", false),
    ("NuGet", false),
    ("Rocky Linux", false),
    ("AlmaLinux", false),
    ("Red Hat", false),
    ("SUSE", false),
    ("openSUSE", false),
    ("openEuler", false),
    ("Mageia", false),
    ("Azure Linux", false),
    ("Photon OS", false),
    ("MinimOS", false),
    ("Alpaquita", false),
    ("BellSoft Hardened Containers", false),
    ("Echo", false),
    ("Hex", false),
    ("Pub", false),
    ("SwiftURL", false),
    ("CRAN", false),
    ("Julia", false),
    ("Bitnami", false),
];

/// The sources that are known without anybody naming them.
pub fn well_known(addresses: &FeedAddresses) -> Vec<FeedSource> {
    let one = |name: &str, kind, file: &str, url: &str| FeedSource {
        name: name.to_owned(),
        kind,
        files: vec![FeedFile { name: file.to_owned(), url: url.to_owned() }],
        interval: INTERVAL_DEFAULT,
        is_enabled: true,
    };
    let mut sources = vec![
        one("debian-tracker", FeedKind::DebianTracker, "tracker.json", &addresses.debian),
        one("wolfi-secdb", FeedKind::AlpineSecdb, "security.json", &addresses.wolfi),
        one("chainguard-secdb", FeedKind::AlpineSecdb, "security.json", &addresses.chainguard),
        alpine(&addresses.alpine, "edge"),
    ];
    sources.extend(ALPINE_MINORS.map(|minor| alpine(&addresses.alpine, &format!("v3.{minor}"))));
    for (ecosystem, is_enabled) in OSV_ECOSYSTEMS {
        sources.push(FeedSource { is_enabled, ..osv(&addresses.osv, ecosystem) });
    }
    sources.sort_by(|left, right| left.name.cmp(&right.name));
    sources
}

/// A source of one file at any address: another one than the public ones, or further data.
pub fn single(name: &str, kind: FeedKind, url: &str) -> FeedSource {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let last = path.rsplit('/').next().unwrap_or_default().to_lowercase();
    // The ending says how the file is packed.
    let file = if is_name(&last) { last } else { "feed.json".to_owned() };
    FeedSource {
        name: name.to_owned(),
        kind,
        files: vec![FeedFile { name: file, url: url.to_owned() }],
        interval: INTERVAL_DEFAULT,
        is_enabled: true,
    }
}

/// One ecosystem of Open Source Vulnerabilities, as it is written there: `PyPI`, `Debian:12`.
pub fn osv(base: &str, ecosystem: &str) -> FeedSource {
    let url = format!("{}/{}/all.zip", base.trim_end_matches('/'), percent_encoded(ecosystem));
    FeedSource {
        name: format!("osv-{}", name_part(ecosystem)),
        kind: FeedKind::Osv,
        files: vec![FeedFile { name: "all.zip".to_owned(), url }],
        interval: INTERVAL_DEFAULT,
        is_enabled: true,
    }
}

/// One release of Alpine, as it is written in addresses: `v3.20`, `edge`.
pub fn alpine(base: &str, release: &str) -> FeedSource {
    let base = base.trim_end_matches('/');
    let file = |repository: &str| FeedFile {
        name: format!("{repository}.json"),
        url: format!("{base}/{release}/{repository}.json"),
    };
    FeedSource {
        name: format!("alpine-{}", name_part(release.strip_prefix('v').unwrap_or(release))),
        kind: FeedKind::AlpineSecdb,
        files: ["main", "community"].map(file).to_vec(),
        interval: INTERVAL_DEFAULT,
        is_enabled: true,
    }
}

/// As one segment of a path: everything but letters, digits and a few marks is encoded.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte))
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

fn name_part(text: &str) -> String {
    let lower = text.to_lowercase();
    lower.chars().map(|letter| if is_name_character(letter) { letter } else { '-' }).collect()
}

fn is_name_character(letter: char) -> bool {
    matches!(letter, 'a'..='z' | '0'..='9' | '.' | '-')
}

/// Shortest pause between two fetches of one source: no public server is asked more often.
pub const INTERVAL_MIN: Duration = Duration::from_secs(60);
const NAME_BYTES_MAX: usize = 64;
const SOURCES_MAX: usize = 1000;
const FILES_MAX: usize = 100;

/// Why a list of sources cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadSources {
    /// A name is no name.
    #[error(
        "`{}` is no name for a feed source: use up to 64 lower-case letters, digits, `.` and `-`, beginning with a letter",
        name.escape_default()
    )]
    Name {
        /// The name.
        name: String,
    },
    /// Two have the same name.
    #[error("two feed sources have the name `{name}`: leave one out, or give it another name")]
    Twice {
        /// The name.
        name: String,
    },
    /// A source has no files, too many, two of one name, or several where its kind has one.
    #[error("the feed source `{name}` {problem}")]
    Files {
        /// The source.
        name: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// It would be asked too often.
    #[error(
        "the feed source `{name}` is asked every {interval:?}; the shortest interval is {INTERVAL_MIN:?}"
    )]
    Interval {
        /// The source.
        name: String,
        /// The interval.
        interval: Duration,
    },
    /// An address is none.
    #[error("the feed source `{name}` has an unusable address")]
    Address {
        /// The source.
        name: String,
        /// What is wrong.
        #[source]
        source: FetchError,
    },
    /// There are too many.
    #[error("there are {count} feed sources (limit {SOURCES_MAX})")]
    TooMany {
        /// How many.
        count: usize,
    },
}

/// Checks a list of sources: what comes from a configuration, before it is used.
///
/// Errors: the first problem.
pub fn check(sources: &[FeedSource]) -> Result<(), BadSources> {
    if sources.len() > SOURCES_MAX {
        return Err(BadSources::TooMany { count: sources.len() });
    }
    let mut names = BTreeSet::new();
    for source in sources {
        check_one(source)?;
        if !names.insert(&source.name) {
            return Err(BadSources::Twice { name: source.name.clone() });
        }
    }
    Ok(())
}

fn check_one(source: &FeedSource) -> Result<(), BadSources> {
    let FeedSource { name, kind, files, interval, is_enabled: _ } = source;
    if !is_name(name) {
        return Err(BadSources::Name { name: name.clone() });
    }
    let bad = |problem| Err(BadSources::Files { name: name.clone(), problem });
    let file_names: BTreeSet<&str> = files.iter().map(|file| file.name.as_str()).collect();
    match (files.len(), kind) {
        (0, _) => return bad("has no address"),
        (2.., FeedKind::Osv | FeedKind::DebianTracker) => {
            return bad("has several addresses; make one source of each");
        }
        (count, _) if count > FILES_MAX => return bad("has more than 100 addresses"),
        (count, _) if count != file_names.len() => return bad("has two files of the same name"),
        _ if !files.iter().all(|file| is_name(&file.name)) => return bad("has a file with an unusable name"),
        _ => {}
    }
    if *interval < INTERVAL_MIN {
        return Err(BadSources::Interval { name: name.clone(), interval: *interval });
    }
    for file in files {
        parse_address(&file.url).map_err(|source| BadSources::Address { name: name.clone(), source })?;
    }
    Ok(())
}

/// It becomes part of a path: no separators, no leading dot.
fn is_name(name: &str) -> bool {
    name.len() <= NAME_BYTES_MAX
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.chars().all(is_name_character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_valid_and_mirrors_keep_its_layout() {
        let public = well_known(&FeedAddresses::default());
        check(&public).unwrap();
        let mirrored = well_known(&FeedAddresses::mirror("file:///feeds/"));
        check(&mirrored).unwrap();
        let url = |sources: &[FeedSource], name: &str| {
            let source = sources.iter().find(|source| source.name == name).unwrap();
            source.files.iter().map(|file| file.url.clone()).collect::<Vec<_>>().join(" ")
        };
        for (name, expected) in [
            ("osv-pypi", "https://osv-vulnerabilities.storage.googleapis.com/PyPI/all.zip"),
            ("osv-rocky-linux", "https://osv-vulnerabilities.storage.googleapis.com/Rocky%20Linux/all.zip"),
            ("osv-swifturl", "https://osv-vulnerabilities.storage.googleapis.com/SwiftURL/all.zip"),
            (
                "alpine-3.20",
                "https://secdb.alpinelinux.org/v3.20/main.json https://secdb.alpinelinux.org/v3.20/community.json",
            ),
            ("debian-tracker", "https://security-tracker.debian.org/tracker/data/json"),
        ] {
            assert_eq!(url(&public, name), expected);
        }
        assert_eq!(url(&mirrored, "osv-go"), "file:///feeds/osv/Go/all.zip");
        assert_eq!(url(&mirrored, "debian-tracker"), "file:///feeds/debian/tracker.json");
        assert_eq!(osv("http://a", "Debian:12").files[0].url, "http://a/Debian%3A12/all.zip");
        assert_eq!(osv("http://a", "Debian:12").name, "osv-debian-12");
        for (url, file) in [
            ("https://a/b/all.zip?x=y", "all.zip"),
            ("file:///feeds/Tracker.JSON", "tracker.json"),
            ("https://a/tracker/data/json/", "feed.json"),
            ("https://a/%20", "feed.json"),
        ] {
            let source = single("own", FeedKind::Osv, url);
            assert_eq!(source.files[0].name, file);
            check(&[source]).unwrap();
        }
    }

    #[test]
    fn unusable_sources_are_named() {
        let good = || osv("https://a", "npm");
        let with = |change: fn(&mut FeedSource)| {
            let mut source = good();
            change(&mut source);
            check(&[source]).map_err(|error| error.to_string())
        };
        for (change, expected) in [
            (
                (|it| it.name = "../x".to_owned()) as fn(&mut FeedSource),
                "`../x` is no name for a feed source",
            ),
            (|it| it.name = ".x".to_owned(), "`.x` is no name"),
            (|it| it.name = "a".repeat(65), "is no name"),
            (|it| it.name = "a\n".to_owned(), "`a\\n` is no name"),
            (|it| it.name = String::new(), "`` is no name"),
            (|it| it.files.clear(), "has no address"),
            (|it| it.files = alpine("https://a", "edge").files, "has several addresses"),
            (|it| it.files[0].name = "a/b".to_owned(), "has a file with an unusable name"),
            (|it| it.interval = Duration::from_secs(59), "the shortest interval is 60s"),
            (|it| it.files[0].url = "ftp://a/b".to_owned(), "has an unusable address"),
            (|it| it.files[0].url = "file://host/b".to_owned(), "has an unusable address"),
            (|it| it.files[0].url = "https://".to_owned(), "has an unusable address"),
            (
                |it| {
                    it.kind = FeedKind::AlpineSecdb;
                    it.files.push(it.files[0].clone());
                },
                "has two files of the same name",
            ),
        ] {
            let found = with(change).unwrap_err();
            assert!(found.contains(expected), "{found}\n{expected}");
        }
        with(|_| {}).unwrap();
        let twice = check(&[good(), good()]).unwrap_err().to_string();
        assert!(twice.contains("two feed sources have the name `osv-npm`"), "{twice}");
    }
}

//! Gates `ruby_gems` and `npms`: when each trigger fires, with which message.

use model::{PackageFeed, PackageFeeds, PackageKind, PublishedPackage};

use crate::fixture::{Subject, check_bad_value, check_messages, package};

fn feed() -> PackageFeed {
    let published = |latest: Option<&str>, versions: &[&str]| PublishedPackage {
        latest: latest.map(str::to_owned),
        versions: versions.iter().map(|version| (*version).to_owned()).collect(),
    };
    PackageFeed::from([
        ("known".to_owned(), published(Some("1.1"), &["1.1", "1.0", "0.9"])),
        ("undated".to_owned(), published(None, &["1.0"])),
    ])
}

/// `known` in two versions, one of them at two places, `undated`, and `other`, in the given kind.
fn subject(kind: PackageKind, feeds: PackageFeeds) -> Subject {
    let mut subject = Subject::with_packages(vec![
        package(PackageKind::Deb, "known", "7"),
        package(kind, "known", "1.0"),
        package(kind, "known", "1.0"),
        package(kind, "known", "2.0"),
        package(kind, "other", "5"),
        package(kind, "undated", "1.0"),
    ]);
    subject.package_feeds = feeds;
    subject
}

fn gem_feed(feed: PackageFeed) -> PackageFeeds {
    PackageFeeds { gem: Some(feed), npm: None }
}

fn npm_feed(feed: PackageFeed) -> PackageFeeds {
    PackageFeeds { gem: None, npm: Some(feed) }
}

/// Gate, triggers in the order newest, unknown, unknown version; messages.
type Row = (
    &'static str,
    PackageKind,
    fn(PackageFeed) -> PackageFeeds,
    [(&'static str, &'static [&'static str]); 3],
);

const ROWS: [Row; 2] = [
    (
        "ruby_gems",
        PackageKind::Gem,
        gem_feed,
        [
            (
                "newer_version_found_in_feed",
                &[
                    "Package (known) version (1.0) installed but is not the latest version (1.1)",
                    "Package (known) version (2.0) installed but is not the latest version (1.1)",
                ],
            ),
            (
                "not_found_in_feed",
                &["GEMNOTOFFICIAL Package (other) in container but not in official GEM feed."],
            ),
            (
                "version_not_found_in_feed",
                &[
                    "GEMBADVERSION Package (known) version (2.0) installed but version is not in the official feed for this package (['0.9', '1.0', '1.1'])",
                ],
            ),
        ],
    ),
    (
        "npms",
        PackageKind::Npm,
        npm_feed,
        [
            (
                "newer_version_in_feed",
                &[
                    "NPMNOTLATEST Package (known) version (1.0) installed but is not the latest version (1.1)",
                    "NPMNOTLATEST Package (known) version (2.0) installed but is not the latest version (1.1)",
                ],
            ),
            (
                "unknown_in_feeds",
                &["NPMNOTOFFICIAL Package (other) in container but not in official NPM feed."],
            ),
            (
                "version_not_in_feeds",
                &[
                    "NPMBADVERSION Package (known) version (2.0) installed but version is not in the official feed for this package (['0.9', '1.0', '1.1'])",
                ],
            ),
        ],
    ),
];

#[test]
fn the_registry_is_asked() {
    for (gate, kind, feeds, triggers) in ROWS {
        for (trigger, messages) in triggers {
            check_messages((gate, trigger), &[], &subject(kind, feeds(feed())), messages);
        }
    }
}

#[test]
fn without_a_known_package_nothing_is_said() {
    for (gate, kind, feeds, triggers) in ROWS {
        let stranger = PackageFeed::from([("stranger".to_owned(), PublishedPackage::default())]);
        let mut without = subject(kind, feeds(feed()));
        without.inventory.packages.truncate(1);
        for (trigger, _) in triggers {
            for silent in [
                subject(kind, feeds(stranger.clone())),
                subject(kind, feeds(PackageFeed::new())),
                subject(kind, PackageFeeds::default()),
                without.clone(),
            ] {
                check_messages((gate, trigger), &[], &silent, &[]);
            }
        }
    }
}

#[test]
fn a_missing_feed_is_told_where_there_are_packages() {
    let message = |name: &str, feed: &str| {
        format!(
            "{name} packages are present but the anchore {feed} feed is not available - will be unable to perform checks that require feed data"
        )
    };
    let rows = [
        ("ruby_gems", PackageKind::Gem, gem_feed as fn(PackageFeed) -> PackageFeeds, message("Gem", "gem")),
        ("npms", PackageKind::Npm, npm_feed, message("NPM", "npm")),
    ];
    for (gate, kind, feeds, message) in rows {
        let trigger = "feed_data_unavailable";
        check_messages((gate, trigger), &[], &subject(kind, PackageFeeds::default()), &[&message]);
        check_messages((gate, trigger), &[], &subject(kind, feeds(PackageFeed::new())), &[]);
        check_messages((gate, trigger), &[], &subject(PackageKind::PyPi, PackageFeeds::default()), &[]);
    }
}

#[test]
fn packages_are_refused_by_name_and_version() {
    for (gate, trigger, kind, word) in [
        ("ruby_gems", "blacklist", PackageKind::Gem, "Gem"),
        ("npms", "blacklisted_name_version", PackageKind::Npm, "NPM"),
    ] {
        let check = |params: &[(&str, &str)], what: Option<&str>| {
            let message = what.map(|what| format!("{word} Package is blacklisted: {what}"));
            let messages: Vec<&str> = message.as_deref().into_iter().collect();
            check_messages((gate, trigger), params, &subject(kind, PackageFeeds::default()), &messages);
        };
        check(&[("name", "known")], Some("known"));
        check(&[("name", "known"), ("version", "")], Some("known"));
        check(&[("name", "known"), ("version", "2.0")], Some("known-2.0"));
        check(&[("name", "known"), ("version", "7")], None);
        check(&[("name", "Known")], None);
        check(&[("name", "kno")], None);
        check(&[("name", "")], None);
        check_bad_value((gate, trigger), &[("version", "1")], "Required parameter `name`");
    }
}

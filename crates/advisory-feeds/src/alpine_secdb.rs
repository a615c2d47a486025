//! Alpine's security database and those of its relatives (Wolfi, Chainguard, MinimOS): which version fixed what.

use std::collections::BTreeMap;

use model::{
    Advisory, AffectedPackage, AffectedState, DiagnosticCode, Ecosystem, FeedKind, RangeEnd, VersionInterval,
};
use package_versions::VersionScheme;

use crate::ecosystem::without_letter;
use crate::node::Node;
use crate::text::{add_alias, cve_inside, is_cve};
use crate::{FeedError, FeedLimits, ParsedFeed};

/// Parts of host names that say whose database it is, and the family. The names of files are asked in the same way.
const FAMILIES: [(&str, &str); 8] = [
    ("alpinelinux", "alpine"),
    ("wolfi", "wolfi"),
    ("chainguard", "chainguard"),
    ("cgr.dev", "chainguard"),
    ("minimos", "minimos"),
    ("mini.dev", "minimos"),
    ("secureos", "secureos"),
    ("cve0.io", "secureos"),
];

/// Parses one file of such a database.
///
/// Shape:  YAML or JSON, `packages[].pkg.{name, secfixes}`; `secfixes` maps a version to the identifiers that it
///         fixed. Version `0` means that the package never was affected. One entry may hold several identifiers of
///         the same vulnerability, separated by blanks.
/// Result: one advisory per identifier, for all packages of the file.
/// Errors: not such a document, one that breaks off, or one that does not say whose it is.
/// Source: <https://secdb.alpinelinux.org/>, read 2026-08.
pub fn parse(bytes: &[u8], name: &str, limits: &FeedLimits) -> Result<ParsedFeed, FeedError> {
    let mut builder = Builder::default();
    builder.add(bytes, name, limits)?;
    Ok(builder.finish())
}

/// What is known about one identifier.
#[derive(Debug, Default)]
struct Pending {
    aliases: Vec<String>,
    affected: BTreeMap<(Ecosystem, String), Vec<String>>,
}

/// Merges the files of a database by identifier.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    advisories: BTreeMap<String, Pending>,
    parsed: ParsedFeed,
}

impl Builder {
    /// How many records were met, readable or not.
    pub(crate) fn records(&self) -> usize {
        self.advisories.len() + self.parsed.records()
    }

    pub(crate) fn parsed_mut(&mut self) -> &mut ParsedFeed {
        &mut self.parsed
    }

    /// Adds one file.
    pub(crate) fn add(&mut self, bytes: &[u8], name: &str, limits: &FeedLimits) -> Result<(), FeedError> {
        let document = parse_document(bytes).map_err(|reason| not_a_feed(name, reason))?;
        let packages = match document.get("packages") {
            // How a repository without any fix is written.
            Some(Node::Null) => &[],
            Some(Node::List(packages)) => packages.as_slice(),
            _ => return Err(not_a_feed(name, "it has no list `packages`".to_owned())),
        };
        let ecosystem = find_ecosystem(&document, name)
            .ok_or_else(|| not_a_feed(name, "it does not say which distribution it is about".to_owned()))?;
        for (index, package) in packages.iter().enumerate() {
            if let Err(reason) = self.add_package(package, &ecosystem, name) {
                let message = format!("package number {} {reason}", index + 1);
                self.parsed.add_diagnostic(DiagnosticCode::BrokenRecord, name, None, message);
            }
            if self.records() > limits.records_max {
                return Err(FeedError::LimitExceeded {
                    path: name.to_owned(),
                    limit: "records_max",
                    allowed: limits.records_max as u64,
                });
            }
        }
        Ok(())
    }

    fn add_package(&mut self, node: &Node, ecosystem: &Ecosystem, file: &str) -> Result<(), String> {
        let package = node.get("pkg").unwrap_or(node);
        let name = package.get("name").and_then(Node::as_text).filter(|name| !name.is_empty());
        let name = name.ok_or("has no name")?;
        let fixes = match package.get("secfixes") {
            // Packages without any fix are listed, too.
            None | Some(Node::Null) => return Ok(()),
            Some(fixes) if fixes.as_list().is_some_and(<[Node]>::is_empty) => return Ok(()),
            Some(fixes) => fixes.as_map().ok_or("has `secfixes` that are no map")?,
        };
        for (version, entries) in fixes {
            let entries = match entries {
                Node::List(entries) => entries.as_slice(),
                Node::Null => &[],
                single => std::slice::from_ref(single),
            };
            for entry in entries {
                let text = entry.as_text().unwrap_or_default();
                if !self.add_fix(text, version, ecosystem, name) && *entry != Node::Null {
                    let message =
                        format!("version `{version}` has the entry `{text}` without any identifier");
                    let subject = format!("{file}: {name}");
                    self.parsed.add_diagnostic(DiagnosticCode::BrokenRecord, subject, None, message);
                }
            }
        }
        Ok(())
    }

    /// Adds the identifiers of one entry; `false` when there are none.
    fn add_fix(&mut self, entry: &str, version: &str, ecosystem: &Ecosystem, package: &str) -> bool {
        let ids: Vec<_> = entry.split([' ', '\t', ',', ';']).filter_map(parse_identifier).collect();
        for id in &ids {
            let pending = self.advisories.entry(id.clone()).or_default();
            if let Some(cve) = cve_inside(id) {
                add_alias(&mut pending.aliases, id, cve);
            }
            // Two CVEs are two vulnerabilities, even when one line of the file names both.
            for other in ids.iter().filter(|other| !(is_cve(id) && is_cve(other))) {
                add_alias(&mut pending.aliases, id, other);
            }
            let versions = pending.affected.entry((ecosystem.clone(), package.to_owned())).or_default();
            if !versions.iter().any(|known| known == version) {
                versions.push(version.to_owned());
            }
        }
        !ids.is_empty()
    }

    /// The advisories of all files, sorted by identifier.
    pub(crate) fn finish(mut self) -> ParsedFeed {
        for (id, pending) in self.advisories {
            let is_alpine = pending.affected.keys().any(|(ecosystem, _)| ecosystem.family == "alpine");
            let url = is_alpine.then(|| format!("https://security.alpinelinux.org/vuln/{id}"));
            let mut affected = Vec::new();
            for ((ecosystem, package), versions) in pending.affected {
                let part = affected_package(ecosystem, package, versions);
                if let Err(message) = check_bounds(&part) {
                    let subject = format!("{id}: {} {}", part.ecosystem, part.package);
                    self.parsed.add_diagnostic(DiagnosticCode::UnparsableBound, subject, None, message);
                }
                affected.push(part);
            }
            self.parsed.advisories.push(Advisory {
                id,
                aliases: pending.aliases,
                feed: FeedKind::AlpineSecdb,
                summary: None,
                url,
                severities: Vec::new(),
                published: None,
                modified: None,
                is_withdrawn: false,
                affected,
            });
        }
        self.parsed
    }
}

fn not_a_feed(name: &str, reason: String) -> FeedError {
    FeedError::NotAFeed { path: name.to_owned(), kind: FeedKind::AlpineSecdb.name(), reason }
}

fn parse_document(bytes: &[u8]) -> Result<Node, String> {
    if bytes.trim_ascii_start().starts_with(b"{") {
        return serde_json::from_slice(bytes).map_err(|error| error.to_string());
    }
    let options = serde_saphyr::options! {
        // Each entry takes some bytes: bounded by the size of the file, which has its own limit.
        budget: serde_saphyr::budget! {
            max_events: bytes.len().saturating_add(16),
            max_nodes: bytes.len().saturating_add(16),
            max_total_scalar_bytes: bytes.len().saturating_add(16),
            max_anchors: 0,
            max_aliases: 0,
            max_depth: 16,
        },
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::PassThrough,
    };
    serde_saphyr::from_slice_with_options(bytes, options).map_err(|error| {
        let reason = error.to_string();
        reason.lines().next().unwrap_or_default().to_owned()
    })
}

/// Whose database it is: by where its packages lie, by its release, or by the file's path.
fn find_ecosystem(document: &Node, name: &str) -> Option<Ecosystem> {
    let text = |key| document.get(key).and_then(Node::as_text);
    let find = |text: &str| {
        let text = text.to_lowercase();
        FAMILIES.iter().find(|(part, _)| text.contains(part)).map(|(_, family)| *family)
    };
    let release = text("distroversion").map(|release| without_letter(release.trim()).to_owned());
    let by_url = text("urlprefix").and_then(find).or_else(|| text("apkurl").and_then(find));
    let family = match (by_url, &release) {
        (Some(family), _) => family,
        (None, Some(_)) => find(name).unwrap_or("alpine"),
        (None, None) => find(name)?,
    };
    // These have one rolling body of packages, whatever the file says about a release.
    let is_rolling = matches!(family, "wolfi" | "chainguard" | "minimos");
    let release = release.filter(|_| !is_rolling);
    if family == "alpine" && release.is_none() {
        return None;
    }
    Some(Ecosystem { family: family.to_owned(), release })
}

/// The identifier that a word is: `CVE-2019-9517`, `XSA-207`, `wnpa-sec-2017-18`; not `(+`, `N/A` or `fix`.
///
/// `CVE_2019-2426` and `cve-2019-2426`, which people have typed, become the CVE that they mean.
fn parse_identifier(word: &str) -> Option<String> {
    let has_shape = word.contains('-')
        && word.starts_with(|first: char| first.is_ascii_alphabetic())
        && word.chars().all(|character| character.is_ascii_alphanumeric() || "-_.:".contains(character))
        // The identifiers of GitHub may have letters only.
        && (word.contains(|character: char| character.is_ascii_digit()) || word.starts_with("GHSA-"));
    let is_typed_cve = word
        .get(..4)
        .is_some_and(|start| start.eq_ignore_ascii_case("CVE-") || start.eq_ignore_ascii_case("CVE_"));
    match (has_shape, is_typed_cve) {
        (false, _) => None,
        (true, false) => Some(word.to_owned()),
        (true, true) => word.get(4..).map(|rest| format!("CVE-{rest}")),
    }
}

/// A package is affected below the greatest version that fixes the vulnerability: an earlier fix that is listed
/// beside a later one was not complete. `0` counts only when nothing else is said.
fn affected_package(ecosystem: Ecosystem, package: String, mut versions: Vec<String>) -> AffectedPackage {
    let has_fix = versions.iter().any(|version| version != "0");
    let state = if has_fix { AffectedState::Affected } else { AffectedState::NotAffected };
    versions.retain(|version| version != "0");
    let scheme = VersionScheme::Apk;
    let greatest = versions.iter().find(|candidate| {
        versions
            .iter()
            .all(|other| matches!(scheme.compare_strictly(candidate, other), Ok(order) if order.is_ge()))
    });
    let bounds = match greatest {
        Some(greatest) => vec![greatest.clone()],
        None => versions,
    };
    let intervals = bounds
        .into_iter()
        .map(|version| VersionInterval { introduced: None, end: RangeEnd::Fixed(version) })
        .collect();
    AffectedPackage {
        ecosystem,
        package,
        state,
        intervals,
        versions: Vec::new(),
        severities: Vec::new(),
        modularity: None,
    }
}

fn check_bounds(affected: &AffectedPackage) -> Result<(), String> {
    for interval in &affected.intervals {
        if let RangeEnd::Fixed(version) = &interval.end {
            VersionScheme::Apk.check(version).map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}

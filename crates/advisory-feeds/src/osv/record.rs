//! From a record as written to an advisory.

use model::{Advisory, AffectedPackage, AffectedState, FeedKind, SeverityRating};
use package_versions::{VersionScheme, is_in_interval};
use serde_json::Value;

use super::intervals::to_intervals;
use super::module_build;
use super::raw::{RawAffected, RawRange, RawRecord, RawReference, RawSeverity};
use crate::cvss_severity;
use crate::ecosystem::parse_ecosystem;
use crate::severity_word::rate_word;
use crate::text::{add_alias, cve_inside, first_line, is_cve, parse_time};

/// Who writes records with these beginnings; their ratings bear the name.
const DATABASES: [(&str, &str); 29] = [
    ("GHSA-", "github"),
    ("DEBIAN-", "debian"),
    ("DSA-", "debian"),
    ("DLA-", "debian"),
    ("UBUNTU-", "ubuntu"),
    ("USN-", "ubuntu"),
    ("LSN-", "ubuntu"),
    ("ALPINE-", "alpine"),
    ("CGA-", "chainguard"),
    ("ALSA-", "almalinux"),
    ("ALBA-", "almalinux"),
    ("ALEA-", "almalinux"),
    ("RLSA-", "rocky"),
    ("RXSA-", "rocky"),
    ("RHSA-", "red hat"),
    ("RHBA-", "red hat"),
    ("RHEA-", "red hat"),
    ("SUSE-", "suse"),
    ("openSUSE-", "suse"),
    ("OESA-", "openeuler"),
    ("MGASA-", "mageia"),
    ("AZL-", "azure linux"),
    ("PHSA-", "photon"),
    ("GO-", "go"),
    ("RUSTSEC-", "rustsec"),
    ("PYSEC-", "pypa"),
    ("BIT-", "bitnami"),
    ("ECHO-", "echo"),
    ("MAL-", "openssf"),
];

/// Whose records bring together what one update fixes, and name it as related.
const RELATED_MEANS_FIXED: [&str; 6] = ["almalinux", "rocky", "red hat", "suse", "openeuler", "mageia"];

/// The advisory, and what is wrong with the bounds of its versions.
pub(crate) fn to_advisory(raw: RawRecord) -> (Advisory, Vec<String>) {
    let RawRecord {
        id,
        aliases,
        upstream,
        related,
        summary,
        details,
        severity,
        published,
        modified,
        withdrawn,
        affected,
        references,
        database_specific,
        ecosystem_specific,
    } = raw;
    let id = id.trim().to_owned();
    let source = database_of(&id);
    let affected = affected.unwrap_or_default();
    let aliases = all_aliases(&id, &affected, aliases, upstream, related);
    let text = summary.as_deref().and_then(first_line).or_else(|| details.as_deref().and_then(first_line));
    let is_withdrawn =
        withdrawn.is_some_and(|time| !time.trim().is_empty()) || text.as_deref().is_some_and(is_rejected);
    let mut problems = Vec::new();
    let mut parts: Vec<AffectedPackage> = Vec::new();
    // A tombstone keeps its names only, so that nothing can match it.
    for raw_part in affected.into_iter().filter(|_| !is_withdrawn) {
        if let Some(part) = to_affected(raw_part, source, text.as_deref(), &mut problems)
            && !parts.contains(&part)
        {
            parts.push(part);
        }
    }
    let mut severities = rate(severity, [&database_specific, &ecosystem_specific], source);
    if let Some(word) = leading_word(text.as_deref(), source) {
        severities.insert(0, word);
    }
    let advisory = Advisory {
        summary: text,
        url: Some(find_url(references, &id)),
        severities,
        id,
        aliases,
        feed: FeedKind::Osv,
        published: parse_time(published.as_deref()),
        modified: parse_time(modified.as_deref()),
        is_withdrawn,
        affected: parts,
    };
    (advisory, problems)
}

/// What a CVE says that nobody counts as a vulnerability any more.
fn is_rejected(text: &str) -> bool {
    ["** REJECT **", "Rejected reason:"].iter().any(|mark| text.starts_with(mark))
}

/// `Important: openssl security update`: Red Hat and who rebuilds it rate updates in the first word of their title.
fn leading_word(text: Option<&str>, source: &str) -> Option<SeverityRating> {
    let is_habit = ["red hat", "almalinux", "rocky"].contains(&source);
    let text = text?.trim_start_matches("Red Hat Security Advisory: ");
    text.split_once(':').filter(|_| is_habit).and_then(|(word, _)| rate_word(word, source))
}

fn database_of(id: &str) -> &'static str {
    DATABASES.iter().find(|(prefix, _)| id.starts_with(prefix)).map_or("osv", |(_, name)| *name)
}

fn find_url(references: Option<Vec<RawReference>>, id: &str) -> String {
    let mut references = references.unwrap_or_default();
    // The sort is stable: advisories first, otherwise as written.
    references.sort_by_key(|reference| reference.kind.as_deref() != Some("ADVISORY"));
    let first =
        references.into_iter().filter_map(|reference| reference.url).find(|url| url.starts_with("http"));
    first.unwrap_or_else(|| format!("https://osv.dev/vulnerability/{id}"))
}

/// Aliases, and what a distro's record was made from; with the CVE that such an identifier holds.
fn all_aliases(
    id: &str,
    affected: &[RawAffected],
    aliases: Option<Vec<String>>,
    upstream: Option<Vec<String>>,
    related: Option<Vec<String>>,
) -> Vec<String> {
    let ecosystem_of =
        |part: &RawAffected| part.package.as_ref().and_then(|package| package.ecosystem.clone());
    // Distros of rpm write the CVEs that an advisory fixes as related; elsewhere related means what it says.
    let is_fixed_there = RELATED_MEANS_FIXED.contains(&database_of(id))
        || affected.iter().filter_map(ecosystem_of).any(|ecosystem| ecosystem.starts_with("AlmaLinux"));
    let related = related.unwrap_or_default().into_iter().filter(|other| is_fixed_there && is_cve(other));
    let stated = aliases.unwrap_or_default().into_iter().chain(upstream.unwrap_or_default()).chain(related);
    let mut all = Vec::new();
    for other in std::iter::once(id.to_owned()).chain(stated) {
        add_alias(&mut all, id, other.trim());
        if let Some(cve) = cve_inside(&other) {
            add_alias(&mut all, id, cve);
        }
    }
    all
}

/// `None` for parts that are about a repository and not about a package.
fn to_affected(
    raw: RawAffected,
    source: &str,
    title: Option<&str>,
    problems: &mut Vec<String>,
) -> Option<AffectedPackage> {
    let RawAffected { package, ranges, versions, severity, database_specific, ecosystem_specific } = raw;
    let package = package?;
    let ecosystem = parse_ecosystem(package.ecosystem.as_deref()?)?;
    let purl = package.purl;
    let name = package.name.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty())?;
    let scheme = VersionScheme::for_ecosystem(&ecosystem.family);

    let mut intervals = Vec::new();
    let mut has_range = false;
    for RawRange { kind, events } in ranges.unwrap_or_default() {
        // Commits cannot be compared with the version of a package.
        if kind.as_deref() == Some("GIT") {
            continue;
        }
        let events = events.unwrap_or_default();
        has_range |= !events.is_empty();
        let (found, found_problems) = to_intervals(events, scheme);
        intervals
            .extend(found.into_iter().filter(|interval| !intervals.contains(interval)).collect::<Vec<_>>());
        problems.extend(found_problems.into_iter().map(|problem| format!("package `{name}`: {problem}")));
    }
    let mut versions = versions.unwrap_or_default();
    if let Some(scheme) = scheme {
        // Some records list every version that a range already holds; hundreds, for a kernel.
        versions.retain(|version| {
            !intervals.iter().any(|interval| matches!(is_in_interval(scheme, version, interval), Ok(true)))
        });
    }
    let state = match (intervals.is_empty() && versions.is_empty(), has_range) {
        (false, _) => AffectedState::Affected,
        // The only range ends where it begins.
        (true, true) => AffectedState::NotAffected,
        // Nothing that could be compared: not known is not the same as clean.
        (true, false) => AffectedState::Undetermined,
    };
    let modularity = match scheme {
        Some(VersionScheme::Rpm) => {
            module_build::find(&intervals, &ecosystem_specific, purl.as_deref(), title)
        }
        _ => None,
    };
    let severities = rate(severity, [&ecosystem_specific, &database_specific], source);
    let package = ecosystem.normal_name(&name).into_owned();
    Some(AffectedPackage { ecosystem, package, state, intervals, versions, severities, modularity })
}

/// All ratings: the words of the database first, then vectors, the newest CVSS first.
fn rate(
    listed: Option<Vec<RawSeverity>>,
    specific: [&Option<Value>; 2],
    source: &str,
) -> Vec<SeverityRating> {
    let mut words = Vec::new();
    let mut vectors = Vec::new();
    for RawSeverity { kind, score } in listed.unwrap_or_default() {
        let score = score.unwrap_or_default();
        match kind.as_deref() {
            Some(kind) if kind.starts_with("CVSS") => vectors.extend(cvss_severity::rate(&score, source)),
            Some(other) => words.extend(rate_word(&score, &other.to_lowercase())),
            None => {}
        }
    }
    for specific in specific.into_iter().flatten() {
        for key in ["severity", "urgency", "ubuntu_priority"] {
            words.extend(specific.get(key).and_then(Value::as_str).and_then(|word| rate_word(word, source)));
        }
        vectors.extend(
            specific
                .get("cvss")
                .and_then(Value::as_str)
                .and_then(|vector| cvss_severity::rate(vector, source)),
        );
    }
    vectors.sort_by_key(|rating| std::cmp::Reverse(cvss_version(rating)));
    words.extend(vectors);
    let mut ratings: Vec<SeverityRating> = Vec::new();
    for rating in words {
        if !ratings.contains(&rating) {
            ratings.push(rating);
        }
    }
    ratings
}

/// The number after `CVSS:`; vectors of version 2 have no such beginning.
fn cvss_version(rating: &SeverityRating) -> Option<String> {
    let version = rating.vector.as_deref()?.strip_prefix("CVSS:")?.split('/').next()?;
    Some(version.to_owned())
}

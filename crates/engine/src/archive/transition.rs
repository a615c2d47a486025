//! Applying the rules: which images go to the archive now, and which leave it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use storage::from_micros;

use super::rules::{ArchiveRule, NewArchiveRule, Transition};
use super::{ArchiveImage, ArchivedImage};
use crate::{Engine, ImageDeletion, StorageError};

/// Images that one turn moves for an account; more wait for the next.
const MOVED_MAX: usize = 500;
const DAY: i64 = 24 * 3600;

/// A tag of an image, in use or in the archive, as rules see it.
#[derive(Debug, Clone)]
struct Version {
    digest: String,
    registry: String,
    repository: String,
    tag: String,
    detected_us: i64,
    /// What the age of the image counts from.
    since: Timestamp,
}

/// Applies every rule to its account, the global ones to all. One turn of a duty.
pub(crate) async fn apply_rules(engine: &Arc<Engine>) -> Result<(), StorageError> {
    let rules = engine.all_archive_rules().await?;
    if rules.is_empty() {
        return Ok(());
    }
    let accounts: Vec<(String,)> = storage::query("SELECT name FROM accounts WHERE state <> 'deleting'")
        .fetch_all_as(&engine.storage)
        .await
        .map_err(StorageError::at("list accounts"))?;
    for (account,) in &accounts {
        for rule in rules.iter().filter(|rule| rule.rule.is_global || rule.account == *account) {
            match rule.rule.transition {
                Transition::Archive => archive_by(engine, account, rule).await?,
                Transition::Delete => delete_by(engine, account, rule).await?,
            }
        }
    }
    Ok(())
}

async fn archive_by(engine: &Engine, account: &str, rule: &ArchiveRule) -> Result<(), StorageError> {
    let versions = versions_in_use(engine, account).await?;
    let digests: BTreeSet<&str> = versions.iter().map(|version| version.digest.as_str()).collect();
    let excess = match rule.rule.max_images_per_account {
        Some(most) => digests.len().saturating_sub(usize::try_from(most).unwrap_or(0)),
        None => usize::MAX,
    };
    for digest in select(rule, &versions, engine.now()).into_iter().take(excess.min(MOVED_MAX)) {
        let Ok(parsed) = digest.parse() else { continue };
        let archived = engine.archive_image(account, &parsed).await?;
        if matches!(archived, ArchiveImage::Archived | ArchiveImage::AlreadyArchived)
            && engine.delete_image(account, &parsed, true).await? == ImageDeletion::Deleting
        {
            tracing::info!(image.digest = digest, rule.id = rule.id, "image moved into the archive by rule");
        }
    }
    Ok(())
}

async fn delete_by(engine: &Engine, account: &str, rule: &ArchiveRule) -> Result<(), StorageError> {
    let versions = versions_in_archive(&engine.list_archived_images(account).await?);
    for digest in select(rule, &versions, engine.now()).into_iter().take(MOVED_MAX) {
        if engine.delete_archived_image(account, &digest).await? {
            tracing::info!(image.digest = digest, rule.id = rule.id, "archived image deleted by rule");
        }
    }
    Ok(())
}

async fn versions_in_use(engine: &Engine, account: &str) -> Result<Vec<Version>, StorageError> {
    let rows: Vec<(String, String, String, String, i64, i64)> = storage::query(
        "SELECT i.digest, t.registry, t.repository, t.tag, t.detected_us, i.analyzed_us FROM images i \
         JOIN image_tags t ON t.account = i.account AND t.digest = i.digest \
         WHERE i.account = $1 AND i.image_status = 'active' AND i.analysis_status = 'analyzed' \
           AND i.analyzed_us IS NOT NULL",
    )
    .bind(account)
    .fetch_all_as(&engine.storage)
    .await
    .map_err(StorageError::at("list analyzed images"))?;
    let version = |(digest, registry, repository, tag, detected_us, analyzed)| Version {
        digest,
        registry,
        repository,
        tag,
        detected_us,
        since: from_micros(analyzed),
    };
    Ok(rows.into_iter().map(version).collect())
}

fn versions_in_archive(images: &[ArchivedImage]) -> Vec<Version> {
    let of_image = |image: &ArchivedImage| {
        let (digest, since) = (image.digest.clone(), image.created_at);
        image.tags.clone().into_iter().map(move |tag| Version {
            digest: digest.clone(),
            registry: tag.registry,
            repository: tag.repository,
            tag: tag.tag,
            detected_us: tag.detected_us,
            since,
        })
    };
    images.iter().flat_map(of_image).collect()
}

/// The images that a rule moves, oldest first: those of which every tag is meant.
fn select(rule: &ArchiveRule, versions: &[Version], now: Timestamp) -> Vec<String> {
    let mut by_tag: BTreeMap<(&str, &str, &str), Vec<i64>> = BTreeMap::new();
    for version in versions {
        by_tag
            .entry((&version.registry, &version.repository, &version.tag))
            .or_default()
            .push(version.detected_us);
    }
    let is_meant = |version: &Version| {
        let times = &by_tag[&(version.registry.as_str(), version.repository.as_str(), version.tag.as_str())];
        let newer = times.iter().filter(|time| **time > version.detected_us).count();
        is_selected(rule, version, now)
            && i64::try_from(newer).is_ok_and(|newer| newer >= rule.rule.tag_versions_newer)
    };
    let spared: BTreeSet<&str> =
        versions.iter().filter(|version| !is_meant(version)).map(|version| version.digest.as_str()).collect();
    let mut moved: Vec<(Timestamp, &str)> = versions
        .iter()
        .filter(|version| !spared.contains(version.digest.as_str()))
        .map(|version| (version.since, version.digest.as_str()))
        .collect();
    moved.sort();
    moved.dedup();
    moved.into_iter().map(|(_, digest)| digest.to_owned()).collect()
}

fn is_selected(rule: &ArchiveRule, version: &Version, now: Timestamp) -> bool {
    let NewArchiveRule { selector, exclude, analysis_age_days, .. } = &rule.rule;
    let Version { registry, repository, tag, since, .. } = version;
    let days = |from: Timestamp| (now.as_second() - from.as_second()) / DAY;
    let is_excluded = exclude.as_ref().is_some_and(|exclude| {
        let is_over = exclude.expiration_days >= 0 && days(rule.created_at) >= exclude.expiration_days;
        !is_over && exclude.selector.matches(registry, repository, tag)
    });
    selector.matches(registry, repository, tag) && !is_excluded && days(*since) > *analysis_age_days
}

#[cfg(test)]
mod tests {
    use super::super::rules::{Exclusion, Selector};
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn at(days_ago: i64) -> Timestamp {
        Timestamp::from_second(NOW - days_ago * DAY - 1).unwrap()
    }

    fn version(digest: &str, tag: &str, days_ago: i64) -> Version {
        Version {
            digest: digest.to_owned(),
            registry: "docker.io".to_owned(),
            repository: "app".to_owned(),
            tag: tag.to_owned(),
            detected_us: at(days_ago).as_microsecond(),
            since: at(days_ago),
        }
    }

    fn selector(tag: &str) -> Selector {
        Selector { registry: "*".to_owned(), repository: "app".to_owned(), tag: tag.to_owned() }
    }

    fn rule(
        tag: &str,
        analysis_age_days: i64,
        tag_versions_newer: i64,
        except: Option<(&str, i64)>,
    ) -> ArchiveRule {
        let exclude =
            except.map(|(tag, expiration_days)| Exclusion { selector: selector(tag), expiration_days });
        ArchiveRule {
            id: "r".to_owned(),
            account: "admin".to_owned(),
            rule: NewArchiveRule {
                selector: selector(tag),
                exclude,
                analysis_age_days,
                tag_versions_newer,
                transition: Transition::Archive,
                is_global: false,
                max_images_per_account: None,
            },
            created_at: at(10),
            updated_at: at(10),
        }
    }

    #[test]
    fn a_rule_selects_by_age_versions_and_tag() {
        let versions = [
            version("a", "1", 40),
            version("b", "1", 20),
            version("c", "1", 1),
            version("d", "2", 40),
            // Two tags: both must be meant.
            version("e", "1", 30),
            version("e", "keep", 30),
        ];
        for (rule, expected) in [
            (rule("*", -1, 0, None), vec!["a", "d", "e", "b", "c"]),
            (rule("*", 10, 0, None), vec!["a", "d", "e", "b"]),
            (rule("*", 40, 0, None), vec![]),
            (rule("*", -1, 1, None), vec!["a", "b"]),
            (rule("1", -1, 0, None), vec!["a", "b", "c"]),
            (rule("*", -1, 0, Some(("keep", -1))), vec!["a", "d", "b", "c"]),
            (rule("*", -1, 0, Some(("keep", 10))), vec!["a", "d", "e", "b", "c"]),
            (rule("*", -1, 0, Some(("keep", 11))), vec!["a", "d", "b", "c"]),
        ] {
            let now = Timestamp::from_second(NOW).unwrap();
            assert_eq!(select(&rule, &versions, now), expected, "{:?}", rule.rule);
        }
    }
}

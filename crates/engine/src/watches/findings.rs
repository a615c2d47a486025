//! Comparing the vulnerabilities of an image with those that were told last.

use std::collections::BTreeMap;

use jiff::Timestamp;
use model::{Digest, DistroCoverage, NoDataReason, PackageKind};
use serde_json::{Map, Value, json};
use storage::WriteTransaction;

use super::results::{Watched, find_told, is_there, store_told};
use crate::events::{Level, NewEvent, Resource, Service, record};
use crate::http::package_type;
use crate::notifications::{Notification, NotificationKind, notify};
use crate::reports::{StoredFinding, StoredReport, load_report};
use crate::{Engine, EvaluateError, ImageFilter, StorageError, SubscriptionKind};

/// What makes a finding the same one in two reports: vulnerability, package, version, body of packages.
type Identity = (String, String, String, String);

/// Looks at an image's vulnerabilities and tells what differs from what was told last.
pub(super) async fn compare_findings(engine: &Engine, watched: Watched<'_>) -> Result<(), EvaluateError> {
    const KIND: SubscriptionKind = SubscriptionKind::VulnerabilityUpdate;
    let image_report = engine.report(watched.account, &ImageFilter::Digest(watched.digest.clone())).await?;
    // Without data nothing is known, which is no news about vulnerabilities.
    if matches!(
        image_report.report.coverage,
        DistroCoverage::NoData(NoDataReason::NoDatabase | NoDataReason::NotInDatabase { .. })
    ) {
        return Ok(());
    }
    let findings = image_report.report.findings.iter().map(StoredFinding::from);
    let current = Value::Array(findings.map(|finding| row(&finding)).collect());
    let told = find_told(&engine.storage, watched, KIND).await?;
    if let Some(told) = &told
        && told.content()? == current
    {
        return Ok(());
    }
    let now = engine.now();
    let mut tx = engine.storage.begin().await.map_err(StorageError::at("begin"))?;
    // Read again: somebody else may have told it in the meantime.
    let last = match find_told(&mut tx, watched, KIND).await? {
        Some(told) => Some(told.content()?),
        // Stored with the data before, while newer data has just come: the first look must not swallow the difference.
        None => load_report(&mut tx, &watched.digest.to_string()).await?.map(|(_, report)| rows(&report)),
    };
    if !is_there(&mut tx, watched).await? {
        return Ok(());
    }
    if let Some(difference) = last.and_then(|last| difference(&last, &current)) {
        let annotations = &image_report.image.annotations;
        tell_findings(engine, &mut tx, watched, annotations, difference).await?;
    }
    store_told(&mut tx, watched, KIND, ("", &current), now).await?;
    Ok(tx.commit().await.map_err(StorageError::at("commit"))?)
}

/// Remembers a report of an image as what is known, for those who watch it and were told nothing yet.
///
/// Called in the transaction in which the report begins or ends to be the stored one, so that nobody who watches misses the
/// difference to the next one, wherever the work is cut off.
pub(crate) async fn remember_findings(
    tx: &mut WriteTransaction,
    digest: &str,
    report: &StoredReport,
    now: Timestamp,
) -> Result<(), StorageError> {
    let watching: Vec<(String, String)> = storage::query(
        "SELECT DISTINCT s.account, s.subscription_key FROM image_tags t \
         JOIN subscriptions s ON s.account = t.account \
           AND s.subscription_key = t.registry || '/' || t.repository || ':' || t.tag \
         WHERE t.digest = $1 AND s.is_active = 1 AND s.type = $2 AND NOT EXISTS (SELECT 1 FROM watch_results w \
           WHERE w.account = s.account AND w.subscription_key = s.subscription_key AND w.type = s.type \
             AND w.digest = t.digest) \
           AND NOT EXISTS (SELECT 1 FROM analyses a WHERE a.digest = t.digest AND a.imported_by IS NOT NULL \
             AND a.imported_by <> s.account) \
         ORDER BY s.account, s.subscription_key",
    )
    .bind(digest)
    .bind(SubscriptionKind::VulnerabilityUpdate.name())
    .fetch_all_as(&mut *tx)
    .await
    .map_err(StorageError::at("look who watches an image"))?;
    if watching.is_empty() {
        return Ok(());
    }
    let digest: Digest = digest.parse().map_err(StorageError::at("read a digest"))?;
    let known = rows(report);
    for (account, full_tag) in &watching {
        let watched = Watched { account, full_tag, digest: &digest };
        store_told(tx, watched, SubscriptionKind::VulnerabilityUpdate, ("", &known), now).await?;
    }
    Ok(())
}

async fn tell_findings(
    engine: &Engine,
    tx: &mut WriteTransaction,
    watched: Watched<'_>,
    annotations: &Map<String, Value>,
    difference: Value,
) -> Result<(), StorageError> {
    let now = engine.now();
    let mut payload = Map::new();
    payload.insert("annotations".to_owned(), Value::Object(annotations.clone()));
    payload.insert("diff_vulnerability_result".to_owned(), difference);
    // The digest has both names: what is sent has always had one, what is published the other.
    for name in ["imageDigest", "image_digest"] {
        payload.insert(name.to_owned(), json!(watched.digest.to_string()));
    }
    let mut details = payload.clone();
    details.insert("subscription_type".to_owned(), json!("vuln_update"));
    let event = NewEvent {
        account: watched.account,
        kind: "user.checks.tag.vulnerabilities.update",
        level: Level::Info,
        message: "Vulnerability update detected for tagged image".to_owned(),
        details: Value::Object(details),
        resource: Resource::new("image_tag", watched.full_tag),
        service: Service::Catalog,
    };
    record(engine, tx, &event, now).await?;
    let notification = Notification {
        account: watched.account,
        kind: NotificationKind::VulnerabilityUpdate,
        subscription_key: watched.full_tag,
        payload,
    };
    notify(engine, tx, &notification, now).await
}

fn rows(report: &StoredReport) -> Value {
    Value::Array(report.findings.iter().map(row).collect())
}

/// A finding as clients are told about it.
fn row(finding: &StoredFinding) -> Value {
    let StoredFinding { id, kind, package, version, severity, fixed_in, url, group, .. } = finding;
    json!({
        "CVE_ID": id,
        "Severity": severity,
        "Vulnerable_Package": format!("{package}-{version}"),
        "Fix_Available": if fixed_in.is_empty() { "None".to_owned() } else { fixed_in.join(", ") },
        "URL": url,
        "Package_Name": package,
        "Package_Version": version,
        "Package_Type": PackageKind::from_purl_type(kind).map(package_type),
        "Feed": "vulnerabilities",
        "Feed_Group": group,
    })
}

/// What came, changed and went; `None`: nothing did.
fn difference(last: &Value, current: &Value) -> Option<Value> {
    let (last, current) = (by_identity(last), by_identity(current));
    let in_one = |one: &BTreeMap<Identity, &Value>, other: &BTreeMap<Identity, &Value>| -> Vec<Value> {
        one.iter().filter(|(key, _)| !other.contains_key(*key)).map(|(_, row)| (*row).clone()).collect()
    };
    let (added, removed) = (in_one(&current, &last), in_one(&last, &current));
    let updated: Vec<Value> = current
        .iter()
        .filter(|(key, row)| last.get(*key).is_some_and(|before| before != *row))
        .map(|(_, row)| (*row).clone())
        .collect();
    let is_same = added.is_empty() && removed.is_empty() && updated.is_empty();
    (!is_same).then(|| json!({"added": added, "updated": updated, "removed": removed}))
}

fn by_identity(rows: &Value) -> BTreeMap<Identity, &Value> {
    let text = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let identity = |row: &Value| {
        (
            text(row, "CVE_ID"),
            text(row, "Package_Name"),
            text(row, "Package_Version"),
            text(row, "Feed_Group"),
        )
    };
    rows.as_array().into_iter().flatten().map(|row| (identity(row), row)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(id: &str, severity: &str) -> Value {
        json!({"CVE_ID": id, "Severity": severity, "Package_Name": "p", "Package_Version": "1",
               "Feed_Group": "debian:12"})
    }

    #[test]
    fn what_came_changed_and_went_is_told_apart() {
        let last = json!([finding("A", "High"), finding("B", "Low"), finding("C", "Low")]);
        let current = json!([finding("B", "High"), finding("C", "Low"), finding("D", "Low")]);
        assert_eq!(
            difference(&last, &current).unwrap(),
            json!({"added": [finding("D", "Low")], "updated": [finding("B", "High")],
                   "removed": [finding("A", "High")]})
        );
        assert_eq!(difference(&last, &last), None);
        assert_eq!(difference(&json!([]), &json!([])), None);
    }
}

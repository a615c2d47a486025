//! Comparing the vulnerabilities of an image with those that were told last.

use std::collections::BTreeMap;

use model::{DistroCoverage, Finding, NoDataReason};
use serde_json::{Map, Value, json};

use super::results::{Watched, find_told, is_there, store_told};
use crate::events::{Level, NewEvent, Resource, Service, record};
use crate::http::package_type;
use crate::notifications::{Notification, NotificationKind, notify};
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
    let current = Value::Array(image_report.report.findings.iter().map(row).collect());
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
        None => None,
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

async fn tell_findings(
    engine: &Engine,
    tx: &mut storage::WriteTransaction,
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

/// A finding as clients are told about it.
fn row(finding: &Finding) -> Value {
    json!({
        "CVE_ID": finding.id,
        "Severity": finding.severity.name(),
        "Vulnerable_Package": format!("{}-{}", finding.package, finding.version),
        "Fix_Available":
            if finding.fixed_in.is_empty() { "None".to_owned() } else { finding.fixed_in.join(", ") },
        "URL": finding.url.clone().unwrap_or_default(),
        "Package_Name": finding.package,
        "Package_Version": finding.version,
        "Package_Type": package_type(finding.package_kind),
        "Feed": "vulnerabilities",
        "Feed_Group": finding.evidence.ecosystem.to_string(),
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

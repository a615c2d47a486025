//! The tables of Pods that run. Whoever calls has the right to the cluster, or works for the installation.

use std::collections::BTreeMap;

use jiff::Timestamp;
use storage::{Database, Executor, Row, WriteTransaction, from_micros, to_micros};

use super::PodState;
use super::judgement::Judgement;
use super::pod::{SeenImage, SeenPod};
use super::tell::STALE;
use crate::services::SECURITY_SCAN;
use crate::storage_error::StorageError;

/// Pods that are asked for in one statement.
const UIDS_MAX: usize = 500;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What a look is made from: equal ones see the same, but for Pods that came and went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Basis {
    pub(super) service_version: i64,
    pub(super) policy_revision: String,
    pub(super) database_revision: String,
    pub(super) whitelist_revision: String,
}

/// How far the looks at a cluster are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// Of the last complete look.
    pub(super) basis: Basis,
    pub(super) started_at: Option<Timestamp>,
    pub(super) finished_at: Option<Timestamp>,
    pub(super) failures: i64,
    pub(super) problem: String,
}

/// A Pod as it is kept.
#[derive(Debug, Clone)]
pub(super) struct KeptPod {
    pub(super) pod: SeenPod,
    pub(super) state: PodState,
    /// What was told last; `None`: nothing.
    pub(super) told: Option<PodState>,
    pub(super) audit_hash: String,
    pub(super) told_count: i64,
}

fn failed(action: &'static str) -> impl FnOnce(sqlx::Error) -> StorageError {
    StorageError::at(action)
}

/// How far the looks at a cluster are; nothing where there was none.
pub(super) async fn find_progress<'c>(
    on: impl Executor<'c>,
    cluster: i64,
) -> Result<Option<Progress>, StorageError> {
    let row = storage::query(
        "SELECT service_version, policy_revision, database_revision, whitelist_revision, started_us, finished_us, failures, \
            problem FROM plane_running_clusters WHERE cluster_id = $1",
    )
    .bind(cluster)
    .fetch_optional(on)
    .await
    .map_err(failed("read how far the look at running Pods is"))?;
    let read = |row: Row| -> Result<Progress, sqlx::Error> {
        let time = |time: Option<i64>| time.map(from_micros);
        Ok(Progress {
            basis: Basis {
                service_version: row.get("service_version")?,
                policy_revision: row.get("policy_revision")?,
                database_revision: row.get("database_revision")?,
                whitelist_revision: row.get("whitelist_revision")?,
            },
            started_at: time(row.get("started_us")?),
            finished_at: time(row.get("finished_us")?),
            failures: row.get("failures")?,
            problem: row.get("problem")?,
        })
    };
    row.map(read).transpose().map_err(failed("read how far the look at running Pods is"))
}

/// Notes that a look begins. `false`: the service is gone.
pub(super) async fn begin(
    tx: &mut WriteTransaction,
    cluster: i64,
    now: Timestamp,
) -> Result<bool, StorageError> {
    let changed = storage::query(
        "INSERT INTO plane_running_clusters (cluster_id, service, service_version, policy_revision, database_revision, \
            whitelist_revision, started_us, finished_us, failures, problem) \
         SELECT cluster_id, name, 0, '', '', '', $3, NULL, 0, '' FROM plane_services WHERE cluster_id = $1 AND name = $2 \
         ON CONFLICT (cluster_id) DO UPDATE SET started_us = excluded.started_us",
    )
    .bind(cluster)
    .bind(SECURITY_SCAN)
    .bind(to_micros(now))
    .execute(tx)
    .await
    .map_err(failed("note that a look at running Pods begins"))?;
    Ok(changed == 1)
}

/// Notes that a look is complete, and what could not be told.
pub(super) async fn finish(
    tx: &mut WriteTransaction,
    cluster: i64,
    basis: &Basis,
    problem: &str,
    now: Timestamp,
) -> Result<(), StorageError> {
    storage::query(
        "UPDATE plane_running_clusters SET service_version = $2, policy_revision = $3, database_revision = $4, \
            whitelist_revision = $5, finished_us = $6, failures = 0, problem = $7 WHERE cluster_id = $1",
    )
    .bind(cluster)
    .bind(basis.service_version)
    .bind(&basis.policy_revision)
    .bind(&basis.database_revision)
    .bind(&basis.whitelist_revision)
    .bind(to_micros(now))
    .bind(problem)
    .execute(tx)
    .await
    .map_err(failed("note that a look at running Pods is complete"))?;
    Ok(())
}

/// Notes why there is no newer look.
pub(super) async fn note_problem(
    tx: &mut WriteTransaction,
    cluster: i64,
    problem: &str,
) -> Result<(), StorageError> {
    storage::query(
        "UPDATE plane_running_clusters SET failures = failures + 1, problem = $2 WHERE cluster_id = $1",
    )
    .bind(cluster)
    .bind(problem)
    .execute(tx)
    .await
    .map_err(failed("note why running Pods are not looked at"))?;
    Ok(())
}

/// The Pods that are kept, with the hash of each.
pub(super) async fn known_pods<'c>(
    on: impl Executor<'c>,
    cluster: i64,
) -> Result<BTreeMap<String, String>, StorageError> {
    let rows: Vec<(String, String)> =
        storage::query("SELECT uid, content_hash FROM plane_running_pods WHERE cluster_id = $1")
            .bind(cluster)
            .fetch_all_as(on)
            .await
            .map_err(failed("list running Pods"))?;
    Ok(rows.into_iter().collect())
}

/// Those of some Pods that are kept, with the hash of each.
pub(super) async fn known_among(
    database: &Database,
    cluster: i64,
    uids: &[&str],
) -> Result<BTreeMap<String, String>, StorageError> {
    let mut known = BTreeMap::new();
    for some in uids.chunks(UIDS_MAX) {
        let places = storage::places(2, some.len());
        let sql = format!(
            "SELECT uid, content_hash FROM plane_running_pods WHERE cluster_id = $1 AND uid IN ({places})"
        );
        let query = some.iter().fold(storage::query_built(sql).bind(cluster), |query, uid| query.bind(*uid));
        let rows: Vec<(String, String)> =
            query.fetch_all_as(database).await.map_err(failed("look for running Pods"))?;
        known.extend(rows);
    }
    Ok(known)
}

/// Keeps a Pod as it is now; what was told about it stays told.
pub(super) async fn save_pod(
    tx: &mut WriteTransaction,
    cluster: i64,
    pod: &SeenPod,
    hash: &str,
) -> Result<(), StorageError> {
    let json = |value: serde_json::Result<String>| value.map_err(StorageError::at("write a running Pod"));
    storage::query(
        "INSERT INTO plane_running_pods (cluster_id, uid, namespace, name, audit, subject, images, content_hash, state, told, \
            audit_hash, told_count) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'new', '', '', 0) \
         ON CONFLICT (cluster_id, uid) DO UPDATE SET namespace = excluded.namespace, name = excluded.name, \
            audit = excluded.audit, subject = excluded.subject, images = excluded.images, content_hash = excluded.content_hash",
    )
    .bind(cluster)
    .bind(&pod.uid)
    .bind(&pod.subject.namespace)
    .bind(&pod.subject.pod)
    .bind(&pod.audit)
    .bind(json(serde_json::to_string(&pod.subject))?)
    .bind(json(serde_json::to_string(&pod.images))?)
    .bind(hash)
    .execute(&mut *tx)
    .await
    .map_err(failed("keep a running Pod"))?;
    storage::query("DELETE FROM plane_running_pod_images WHERE cluster_id = $1 AND uid = $2")
        .bind(cluster)
        .bind(&pod.uid)
        .execute(&mut *tx)
        .await
        .map_err(failed("forget the images of a running Pod"))?;
    for image in &pod.images {
        let reference = &image.reference;
        storage::query(
            "INSERT INTO plane_running_images (cluster_id, reference, state, is_retryable, policy_revision, \
                database_revision, judged_us, verdict) VALUES ($1, $2, 'new', 0, '', '', 0, '') \
             ON CONFLICT (cluster_id, reference) DO NOTHING",
        )
        .bind(cluster)
        .bind(reference)
        .execute(&mut *tx)
        .await
        .map_err(failed("keep a running image"))?;
        storage::query(
            "INSERT INTO plane_running_pod_images (cluster_id, reference, uid) VALUES ($1, $2, $3) \
             ON CONFLICT (cluster_id, reference, uid) DO NOTHING",
        )
        .bind(cluster)
        .bind(reference)
        .bind(&pod.uid)
        .execute(&mut *tx)
        .await
        .map_err(failed("keep the image of a running Pod"))?;
    }
    Ok(())
}

/// Forgets a Pod that runs no longer. Returns whether an Audit is old now.
pub(super) async fn forget_pod(
    tx: &mut WriteTransaction,
    cluster: i64,
    uid: &str,
) -> Result<bool, StorageError> {
    // What was told about it is still in the Audit of its owner, whose other Pods may be none the worse.
    let changed = storage::query(
        "UPDATE plane_running_pods SET audit_hash = $3 WHERE cluster_id = $1 AND uid <> $2 AND EXISTS (SELECT 1 FROM plane_running_pods gone \
            WHERE gone.cluster_id = $1 AND gone.uid = $2 AND gone.told NOT IN ('', 'passed') \
            AND gone.namespace = plane_running_pods.namespace AND gone.audit = plane_running_pods.audit)",
    )
    .bind(cluster)
    .bind(uid)
    .bind(STALE)
    .execute(&mut *tx)
    .await
    .map_err(failed("note that an Audit is old"))?;
    storage::query("DELETE FROM plane_running_pods WHERE cluster_id = $1 AND uid = $2")
        .bind(cluster)
        .bind(uid)
        .execute(tx)
        .await
        .map_err(failed("forget a Pod"))?;
    Ok(changed > 0)
}

/// Forgets images that nobody runs any more.
pub(super) async fn forget_images(tx: &mut WriteTransaction, cluster: i64) -> Result<(), StorageError> {
    storage::query(
        "DELETE FROM plane_running_images WHERE cluster_id = $1 AND NOT EXISTS (SELECT 1 FROM plane_running_pod_images p \
            WHERE p.cluster_id = plane_running_images.cluster_id AND p.reference = plane_running_images.reference)",
    )
    .bind(cluster)
    .execute(tx)
    .await
    .map_err(failed("forget images"))?;
    Ok(())
}

/// The images whose judgement is missing, not from this basis, or older than a time.
pub(super) async fn images_to_judge<'c>(
    on: impl Executor<'c>,
    cluster: i64,
    basis: &Basis,
    older_than: Timestamp,
) -> Result<Vec<String>, StorageError> {
    let rows: Vec<(String,)> = storage::query(
        "SELECT reference FROM plane_running_images WHERE cluster_id = $1 AND (state = 'new' OR is_retryable = 1 \
            OR policy_revision <> $2 OR database_revision <> $3 OR judged_us <= $4) ORDER BY judged_us, reference",
    )
    .bind(cluster)
    .bind(&basis.policy_revision)
    .bind(&basis.database_revision)
    .bind(to_micros(older_than))
    .fetch_all_as(on)
    .await
    .map_err(failed("look for images to judge"))?;
    Ok(rows.into_iter().map(|(reference,)| reference).collect())
}

/// Keeps what was said about an image.
pub(super) async fn save_judgement(
    tx: &mut WriteTransaction,
    cluster: i64,
    reference: &str,
    judgement: &Judgement,
) -> Result<(), StorageError> {
    let verdict = serde_json::to_string(judgement).map_err(StorageError::at("write a judgement"))?;
    storage::query(
        "UPDATE plane_running_images SET state = $3, is_retryable = $4, policy_revision = $5, database_revision = $6, \
            judged_us = $7, verdict = $8 WHERE cluster_id = $1 AND reference = $2",
    )
    .bind(cluster)
    .bind(reference)
    .bind(judgement.state().name())
    .bind(judgement.is_retryable())
    .bind(&judgement.policy_revision)
    .bind(&judgement.database_revision)
    .bind(to_micros(judgement.judged_at))
    .bind(verdict)
    .execute(tx)
    .await
    .map_err(failed("keep a judgement"))?;
    Ok(())
}

/// The state of every image, and whether asking again soon may help.
pub(super) async fn image_states<'c>(
    on: impl Executor<'c>,
    cluster: i64,
) -> Result<BTreeMap<String, (PodState, bool)>, StorageError> {
    let rows: Vec<(String, String, bool)> = storage::query(
        "SELECT reference, state, is_retryable FROM plane_running_images WHERE cluster_id = $1",
    )
    .bind(cluster)
    .fetch_all_as(on)
    .await
    .map_err(failed("list running images"))?;
    let state = |name: &str| PodState::from_name(name).unwrap_or(PodState::New);
    Ok(rows
        .into_iter()
        .map(|(reference, name, is_retryable)| (reference, (state(&name), is_retryable)))
        .collect())
}

/// What was said about an image; `None`: nothing yet.
pub(super) async fn find_judgement<'c>(
    on: impl Executor<'c>,
    cluster: i64,
    reference: &str,
) -> Result<Option<Judgement>, StorageError> {
    let text: Option<String> = storage::query(
        "SELECT verdict FROM plane_running_images WHERE cluster_id = $1 AND reference = $2 AND state <> 'new'",
    )
    .bind(cluster)
    .bind(reference)
    .fetch_optional_value(on)
    .await
    .map_err(failed("read a judgement"))?;
    text.map(|text| serde_json::from_str(&text)).transpose().map_err(StorageError::at("read a judgement"))
}

/// The next Audits behind one, in order: namespace and name of each.
pub(super) async fn next_audits<'c>(
    on: impl Executor<'c>,
    cluster: i64,
    (namespace, audit): (&str, &str),
    limit: i64,
) -> Result<Vec<(String, String)>, StorageError> {
    storage::query(
        "SELECT DISTINCT namespace, audit FROM plane_running_pods WHERE cluster_id = $1 \
            AND (namespace > $2 OR (namespace = $2 AND audit > $3)) ORDER BY namespace, audit LIMIT $4",
    )
    .bind(cluster)
    .bind(namespace)
    .bind(audit)
    .bind(limit)
    .fetch_all_as(on)
    .await
    .map_err(failed("list the owners of running Pods"))
}

/// The Pods of one Audit, by name.
pub(super) async fn pods_of<'c>(
    on: impl Executor<'c>,
    cluster: i64,
    (namespace, audit): (&str, &str),
) -> Result<Vec<KeptPod>, StorageError> {
    let rows = storage::query(
        "SELECT uid, audit, subject, images, state, told, audit_hash, told_count FROM plane_running_pods \
         WHERE cluster_id = $1 AND namespace = $2 AND audit = $3 ORDER BY name",
    )
    .bind(cluster)
    .bind(namespace)
    .bind(audit)
    .fetch_all(on)
    .await
    .map_err(failed("read running Pods"))?;
    rows.iter().map(|row| read_pod(row).map_err(StorageError::at("read a running Pod"))).collect()
}

fn read_pod(row: &Row) -> Result<KeptPod, BoxError> {
    let (subject, images): (String, String) = (row.get("subject")?, row.get("images")?);
    let (state, told): (String, String) = (row.get("state")?, row.get("told")?);
    let images: Vec<SeenImage> = serde_json::from_str(&images)?;
    Ok(KeptPod {
        pod: SeenPod {
            uid: row.get("uid")?,
            audit: row.get("audit")?,
            subject: serde_json::from_str(&subject)?,
            images,
        },
        state: PodState::from_name(&state).ok_or("a state is unknown")?,
        told: PodState::from_name(&told),
        audit_hash: row.get("audit_hash")?,
        told_count: row.get("told_count")?,
    })
}

/// Keeps how a Pod is and what was told about it.
pub(super) async fn save_state(
    tx: &mut WriteTransaction,
    cluster: i64,
    kept: &KeptPod,
) -> Result<(), StorageError> {
    storage::query(
        "UPDATE plane_running_pods SET state = $3, told = $4, audit_hash = $5, told_count = $6 \
         WHERE cluster_id = $1 AND uid = $2",
    )
    .bind(cluster)
    .bind(&kept.pod.uid)
    .bind(kept.state.name())
    .bind(kept.told.map(PodState::name).unwrap_or_default())
    .bind(&kept.audit_hash)
    .bind(kept.told_count)
    .execute(tx)
    .await
    .map_err(failed("keep how a Pod is"))?;
    Ok(())
}

//! Which images have which package and which finding.

use std::collections::BTreeSet;

use model::{Ecosystem, Inventory};
use storage::{Database, WriteTransaction};
use vulnerability_db::matching::body_of;

use super::stored::StoredFinding;
use crate::StorageError;

/// Packages or findings in one statement: seven values each at most, and a server takes 65535.
const ROWS_MAX: usize = 200;
const PAGE_ROWS: i64 = 5000;
const IDS_MAX: usize = 1000;

/// One package as it is indexed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct IndexedPackage {
    kind: &'static str,
    /// In which advisories it is looked up; empty when in none.
    ecosystem: String,
    name: String,
    version: String,
    /// The name that counts most when advisories are looked up.
    source: String,
}

/// The packages of an inventory, each once.
pub(super) fn indexed(inventory: &Inventory) -> Vec<IndexedPackage> {
    let lookups = vulnerability_db::matching::lookups(inventory);
    let packages = inventory.packages.iter().zip(lookups).map(|(package, lookup)| {
        let (ecosystem, source) = match lookup {
            Some(lookup) => {
                (lookup.ecosystem.to_string(), lookup.names.into_iter().next().unwrap_or_default())
            }
            None => (String::new(), String::new()),
        };
        IndexedPackage {
            kind: package.kind.purl_type(),
            ecosystem: clean(&ecosystem),
            name: clean(&package.name),
            version: clean(package.version.as_deref().unwrap_or_default()),
            source: clean(&source),
        }
    });
    packages.collect::<BTreeSet<_>>().into_iter().collect()
}

/// A server refuses NUL in texts; no package has one in its name.
fn clean(text: &str) -> String {
    text.replace('\0', "")
}

/// Replaces what is indexed for an image.
pub(crate) async fn store_packages(
    tx: &mut WriteTransaction,
    digest: &str,
    packages: &[IndexedPackage],
) -> Result<(), StorageError> {
    storage::query("DELETE FROM image_packages WHERE digest = $1")
        .bind(digest)
        .execute(&mut *tx)
        .await
        .map_err(StorageError::at("index an image"))?;
    for some in packages.chunks(ROWS_MAX) {
        let rows = |first: usize| {
            let row = |index: usize| format!("({})", storage::places(first + index * 5, 5));
            (0..some.len()).map(row).collect::<Vec<_>>().join(", ")
        };
        let bind = |query: storage::Query| {
            some.iter().fold(query, |query, package| {
                let IndexedPackage { kind, ecosystem, name, version, source } = package;
                query.bind(*kind).bind(ecosystem).bind(name).bind(version).bind(source)
            })
        };
        let insert = format!(
            "INSERT INTO packages (kind, ecosystem, name, version, source) VALUES {} ON CONFLICT DO NOTHING",
            rows(1)
        );
        let inserted = bind(storage::query_built(insert)).execute(&mut *tx).await;
        inserted.map_err(StorageError::at("index an image"))?;
        let link = format!(
            "WITH wanted (kind, ecosystem, name, version, source) AS (VALUES {}) \
             INSERT INTO image_packages (digest, package_id) SELECT $1, packages.id FROM wanted JOIN packages \
               ON packages.name = wanted.name AND packages.version = wanted.version AND packages.kind = wanted.kind \
               AND packages.ecosystem = wanted.ecosystem AND packages.source = wanted.source",
            rows(2)
        );
        let linked = bind(storage::query_built(link).bind(digest)).execute(&mut *tx).await;
        linked.map_err(StorageError::at("index an image"))?;
    }
    Ok(())
}

/// Replaces the findings that are indexed for an image whose report is stored.
pub(super) async fn store_findings(
    tx: &mut WriteTransaction,
    digest: &str,
    findings: &[StoredFinding],
) -> Result<(), StorageError> {
    storage::query("DELETE FROM image_findings WHERE digest = $1")
        .bind(digest)
        .execute(&mut *tx)
        .await
        .map_err(StorageError::at("index a report"))?;
    // Each once, in however many places it was found.
    let findings: BTreeSet<[String; 7]> = findings.iter().map(indexed_columns).collect();
    let findings: Vec<[String; 7]> = findings.into_iter().collect();
    for some in findings.chunks(ROWS_MAX) {
        let rows = |first: usize| {
            let row = |index: usize| format!("({})", storage::places(first + index * 7, 7));
            (0..some.len()).map(row).collect::<Vec<_>>().join(", ")
        };
        let bind = |query: storage::Query| some.iter().flatten().fold(query, |query, text| query.bind(text));
        let insert = format!("INSERT INTO findings ({FINDING}) VALUES {} ON CONFLICT DO NOTHING", rows(1));
        let inserted = bind(storage::query_built(insert)).execute(&mut *tx).await;
        inserted.map_err(StorageError::at("index a report"))?;
        let link = format!(
            "WITH wanted ({FINDING}) AS (VALUES {}) \
             INSERT INTO image_findings (digest, finding_id) SELECT $1, findings.id FROM wanted JOIN findings \
               ON findings.vulnerability = wanted.vulnerability AND findings.package = wanted.package \
               AND findings.version = wanted.version AND findings.kind = wanted.kind AND findings.body = wanted.body \
               AND findings.severity = wanted.severity AND findings.state = wanted.state",
            rows(2)
        );
        let linked = bind(storage::query_built(link).bind(digest)).execute(&mut *tx).await;
        linked.map_err(StorageError::at("index a report"))?;
    }
    Ok(())
}

const FINDING: &str = "vulnerability, package, version, kind, body, severity, state";

fn indexed_columns(finding: &StoredFinding) -> [String; 7] {
    let StoredFinding { id, kind, package, version, group, severity, state, .. } = finding;
    [id, package, version, kind, group, severity, state].map(|text| clean(text))
}

/// The images that have one of these packages, or any package of one of these ecosystems.
pub(crate) async fn images_with(
    storage: &Database,
    packages: &BTreeSet<(Ecosystem, String)>,
    ecosystems: &BTreeSet<Ecosystem>,
) -> Result<BTreeSet<String>, StorageError> {
    let packages: BTreeSet<(String, &str)> =
        packages.iter().map(|(ecosystem, name)| (body_of(ecosystem).to_string(), name.as_str())).collect();
    let ecosystems: BTreeSet<String> = ecosystems.iter().map(|it| body_of(it).to_string()).collect();
    let mut ids = Vec::new();
    let mut last = 0;
    loop {
        let page: Vec<(i64, String, String, String)> = storage::query(
            "SELECT id, ecosystem, name, source FROM packages WHERE id > $1 ORDER BY id LIMIT $2",
        )
        .bind(last)
        .bind(PAGE_ROWS)
        .fetch_all_as(storage)
        .await
        .map_err(StorageError::at("read the index of packages"))?;
        let Some((id, ..)) = page.last() else { break };
        last = *id;
        for (id, ecosystem, name, source) in page {
            let is_changed = |name: &str| packages.contains(&(ecosystem.clone(), name));
            if ecosystems.contains(&ecosystem) || is_changed(&name) || is_changed(&source) {
                ids.push(id);
            }
        }
    }
    let mut digests = BTreeSet::new();
    for some in ids.chunks(IDS_MAX) {
        let places = storage::places(1, some.len());
        let sql = format!("SELECT DISTINCT digest FROM image_packages WHERE package_id IN ({places})");
        let query = some.iter().fold(storage::query_built(sql), |query, id| query.bind(*id));
        let rows: Vec<(String,)> =
            query.fetch_all_as(storage).await.map_err(StorageError::at("read the index of packages"))?;
        digests.extend(rows.into_iter().map(|(digest,)| digest));
    }
    Ok(digests)
}

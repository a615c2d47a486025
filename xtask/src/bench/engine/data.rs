//! What the engine is measured with: images that the program has analyzed out of a real registry, and thousands of copies of
//! their rows.
//!
//! Analyzing thousands of images would take longer than measuring, and would measure the analysis. So a few different images
//! are analyzed for real, and the rows that this wrote are copied under other digests and tags, in one transaction.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Map, Value, json};
use storage::{Database, Location, WriteTransaction, query, query_built};
use testkit::{Image, ImageBuilder, Layer, digest_of};

/// Different images, each with half of the packages.
pub(super) const TEMPLATES: usize = 20;
pub(super) const IMAGES: usize = 10_000;
pub(super) const EVENTS: usize = 20_000;
const PACKAGES: usize = 200;
/// Vulnerabilities of each package: the first is fixed in `1.0-1`, the second in `1.0-2`, the third in `1.0-3`.
const HOLES: usize = 3;
const FILES: usize = 400;

/// A vulnerability that a third of the images has.
pub(super) const VULNERABILITY: &str = "CVE-2099-00003";
/// A package that half of the images have.
pub(super) const PACKAGE: &str = "package-000";

/// A feed in the form of Debian's security tracker.
pub(super) fn feed() -> Value {
    let packages = (0..PACKAGES).map(|package| {
        let holes = (1..=HOLES).map(|hole| {
            let urgency = ["low", "medium", "high"][(package + hole) % 3];
            let release =
                json!({"fixed_version": format!("1.0-{hole}"), "status": "resolved", "urgency": urgency});
            (format!("CVE-2099-{:05}", package * 10 + hole), json!({"releases": {"bookworm": release}}))
        });
        (name(package), Value::Object(holes.collect()))
    });
    Value::Object(packages.collect::<Map<_, _>>())
}

fn name(package: usize) -> String {
    format!("package-{package:03}")
}

/// Debian 12 with half of the packages, in different versions; about as many findings as packages.
pub(super) fn template(number: usize) -> Image {
    let mut status = String::new();
    for package in (0..PACKAGES).filter(|package| (package + number).is_multiple_of(2)) {
        let (name, version) = (name(package), 1 + (package * 7 + number) % 3);
        let _ = write!(
            status,
            "Package: {name}\nStatus: install ok installed\nMaintainer: Somebody <a@example.org>\nArchitecture: amd64\n\
             Version: 1.0-{version}\nInstalled-Size: 6000\nDescription: one of many\n\n"
        );
    }
    let release = "ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n";
    let layer = Layer::new()
        .file("etc/os-release", release)
        .file("etc/passwd", "root:x:0:0:root:/root:/bin/bash\n")
        .file("var/lib/dpkg/status", &status);
    let layer = (0..FILES).fold(layer, |layer, file| {
        layer.file(&format!("usr/share/things/{file:04}"), format!("thing {file} of {number}\n").repeat(20))
    });
    ImageBuilder::new().layer(layer).build()
}

/// The tag of a copy, without registry and repository.
pub(super) fn copied_tag(number: usize) -> String {
    format!("copy-{number}")
}

/// The digest of a copy: ascending, because tables are filled much faster so.
pub(super) fn copied_digest(number: usize) -> String {
    let digest = digest_of(format!("copy {number}").as_bytes());
    format!("sha256:{number:08x}{}", &digest.hex()[8..])
}

/// Copies the rows of the analyzed images until the account `admin` has all images and events. The engine must be stopped.
pub(super) async fn fill(file: &Path) -> Result<()> {
    let database = Database::open(&Location::File(file.to_owned())).await?;
    let templates: Vec<(String,)> =
        query("SELECT digest FROM images ORDER BY created_us, digest").fetch_all_as(&database).await?;
    let mut tables = Vec::new();
    for table in ["analyses", "images", "image_tags", "image_packages", "image_reports", "image_findings"] {
        let columns: Vec<(String,)> =
            query("SELECT name FROM pragma_table_info($1)").bind(table).fetch_all_as(&database).await?;
        let columns: Vec<String> = columns.into_iter().map(|(name,)| name).collect();
        if !columns.is_empty() {
            tables.push(copy_statement(table, &columns));
        }
    }
    let mut transaction = database.begin().await?;
    // With the usual 2 MB of memory most pages would be written a hundred times.
    query("PRAGMA cache_size = -400000").execute(&mut transaction).await?;
    for number in 0..IMAGES - templates.len() {
        let (template,) = &templates[number % templates.len()];
        for statement in &tables {
            query_built(statement.clone())
                .bind(copied_digest(number))
                .bind(copied_tag(number))
                .bind(i64::try_from(number)?)
                .bind(template)
                .execute(&mut transaction)
                .await
                .with_context(|| format!("copy rows by `{statement}`"))?;
        }
    }
    copy_events(&mut transaction).await?;
    transaction.commit().await?;
    database.close().await;
    Ok(())
}

/// Copies the rows of one image: `$1` is the new digest, `$2` the new tag, `$3` how much younger it is, `$4` the old digest.
fn copy_statement(table: &str, columns: &[String]) -> String {
    let value = |column: &String| match column.as_str() {
        "digest" | "parent_digest" | "image_id" => "$1".to_owned(),
        "tag" => "$2".to_owned(),
        time if table == "images" && time == "created_us" => format!("{time} + $3"),
        other => other.to_owned(),
    };
    let values: Vec<String> = columns.iter().map(value).collect();
    format!(
        "INSERT INTO {table} ({}) SELECT {} FROM {table} WHERE digest = $4 AND $2 <> '' AND $3 >= 0",
        columns.join(", "),
        values.join(", ")
    )
}

async fn copy_events(transaction: &mut WriteTransaction) -> Result<()> {
    query(
        "WITH RECURSIVE counted (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM counted WHERE number < $1) \
         INSERT INTO events (id, account, type, level, message, details, resource_type, resource_id, service, host, \
           request_id, created_us) \
         SELECT substr(events.id, 1, 24) || printf('%012x', number), account, type, level, message, details, \
           resource_type, resource_id, service, host, request_id, created_us + number \
         FROM counted, (SELECT * FROM events ORDER BY created_us LIMIT 1) AS events",
    )
    .bind(i64::try_from(EVENTS)?)
    .execute(&mut *transaction)
    .await
    .context("copy events")?;
    Ok(())
}

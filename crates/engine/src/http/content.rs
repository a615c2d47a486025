//! `/images/{digest}/content`: packages of each kind, files, and what malware scanners said.

use std::sync::Arc;

use axum::extract::{Path, State};
use data_encoding::HEXLOWER;
use model::{FileEntry, FileKind, ImageContents, MalwareScan, Package, PackageKind};
use serde::Serialize;
use serde_json::{Value, json};

use super::answer::{Answer, ApiError, ok, ok_large};
use super::call::Call;
use super::images::{digest_filter, image_id_filter};
use super::vulnerabilities::package_type;
use crate::{Engine, ImageFilter};

/// What clients may ask for.
const TYPES: [&str; 9] = ["os", "files", "npm", "gem", "python", "java", "binary", "go", "malware"];
/// What is not stated, in lists of the operating system's packages and of Java archives.
const NOT_AVAILABLE: &str = "N/A";
/// What is not stated, in lists of the packages of languages.
const UNKNOWN: &str = "Unknown";

#[derive(Serialize)]
struct OsPackageWire {
    package: String,
    version: String,
    r#type: &'static str,
    license: String,
    licenses: Vec<String>,
    origin: String,
    size: String,
    cpes: [String; 0],
    sourcepkg: String,
}

#[derive(Serialize)]
struct LanguagePackageWire {
    package: String,
    version: String,
    r#type: &'static str,
    location: String,
    origin: String,
    license: String,
    licenses: Vec<String>,
    cpes: [String; 0],
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct JavaPackageWire {
    package: String,
    r#type: String,
    location: String,
    specification_version: String,
    implementation_version: String,
    maven_version: String,
    version: String,
    origin: String,
    cpes: [String; 0],
    metadata: Value,
}

/// In the order of the names.
#[derive(Serialize)]
struct FilesWire<'a> {
    content: Vec<FileWire<'a>>,
    content_type: &'static str,
    /// Not of the original: what could not be read is not in the list.
    diagnostics: Vec<Value>,
    #[serde(rename = "imageDigest")]
    image_digest: String,
}

/// In the order of the names.
#[derive(Serialize)]
struct FileWire<'a> {
    filename: &'a str,
    gid: u64,
    linkdest: Option<&'a str>,
    mode: String,
    sha256: Option<String>,
    size: u64,
    r#type: &'static str,
    uid: u64,
}

/// `GET /images/{digest}/content`: also for images that nobody knows.
pub(super) async fn types(_call: Call) -> Answer {
    ok(&TYPES)
}

/// `GET /images/{digest}/content/{type}`.
pub(super) async fn list(
    State(engine): State<Arc<Engine>>,
    Path((digest, kind)): Path<(String, String)>,
    call: Call,
) -> Answer {
    list_one(&engine, &call, digest_filter(&digest), &kind).await
}

/// `GET /images/by_id/{image_id}/content/{type}`.
pub(super) async fn list_by_id(
    State(engine): State<Arc<Engine>>,
    Path((image_id, kind)): Path<(String, String)>,
    call: Call,
) -> Answer {
    list_one(&engine, &call, image_id_filter(&image_id), &kind).await
}

async fn list_one(engine: &Engine, call: &Call, filter: Result<ImageFilter, ApiError>, kind: &str) -> Answer {
    if !TYPES.contains(&kind) {
        return Err(ApiError::not_found(format!("content type ({kind}) not available")));
    }
    let filter = filter?;
    if matches!(kind, "files" | "malware") {
        let (image, contents) = engine.image_contents(&call.account, &filter).await?;
        let digest = image.digest.to_string();
        return match kind {
            "files" => {
                let answer = tokio::task::spawn_blocking(move || list_files(digest, &contents)).await;
                answer.map_err(|error| ApiError::Internal(error.to_string()))?
            }
            _ => ok(&json!({
                "imageDigest": digest,
                "content_type": kind,
                "content": contents.malware_scans.iter().map(to_malware).collect::<Vec<_>>(),
            })),
        };
    }
    let analyzed = engine.analyzed_image(&call.account, &filter).await?;
    let packages = analyzed.inventory.packages.iter().filter(|package| content_type(package.kind) == kind);
    let content: Vec<Value> = packages
        .map(|package| match kind {
            "os" => json!(to_os_package(package)),
            "java" => json!(to_java_package(package)),
            _ => json!(to_language_package(package)),
        })
        .collect();
    ok(&json!({
        "imageDigest": analyzed.image.digest.to_string(),
        "content_type": kind,
        "content": content,
    }))
}

fn list_files(image_digest: String, contents: &ImageContents) -> Answer {
    let diagnostics = contents.diagnostics.iter().map(|diagnostic| {
        json!({"code": diagnostic.code.name(), "message": diagnostic.message, "subject": diagnostic.subject})
    });
    ok_large(&FilesWire {
        content: contents.files.iter().map(to_file).collect(),
        content_type: "files",
        diagnostics: diagnostics.collect(),
        image_digest,
    })
}

/// In which list packages of a kind are.
fn content_type(kind: PackageKind) -> &'static str {
    match kind {
        kind if kind.is_operating_system() => "os",
        PackageKind::Npm => "npm",
        PackageKind::Gem => "gem",
        PackageKind::PyPi => "python",
        PackageKind::Maven => "java",
        PackageKind::Golang => "go",
        PackageKind::Binary => "binary",
        other => other.purl_type(),
    }
}

fn to_os_package(package: &Package) -> OsPackageWire {
    let not_stated = || NOT_AVAILABLE.to_owned();
    let source = package.source.as_ref();
    let (license, licenses) = licenses(package, NOT_AVAILABLE);
    OsPackageWire {
        package: package.name.clone(),
        version: package.version.clone().unwrap_or_else(not_stated),
        r#type: package_type(package.kind),
        license,
        licenses,
        origin: package.maintainer.clone().unwrap_or_else(not_stated),
        size: package.installed_size_bytes.map_or_else(not_stated, |bytes| bytes.to_string()),
        cpes: [],
        sourcepkg: source.map_or_else(not_stated, |source| source.name.clone()),
    }
}

fn to_language_package(package: &Package) -> LanguagePackageWire {
    let not_stated = || UNKNOWN.to_owned();
    let (license, licenses) = licenses(package, UNKNOWN);
    let r#type = match package.kind {
        PackageKind::Npm => "NPM",
        PackageKind::Gem => "GEM",
        PackageKind::PyPi => "PYTHON",
        PackageKind::Golang => "GO",
        PackageKind::Binary => "BINARY",
        // These have lists of their own.
        kind => package_type(kind),
    };
    LanguagePackageWire {
        package: package.name.clone(),
        version: package.version.clone().unwrap_or_else(not_stated),
        r#type,
        location: package.path().to_owned(),
        origin: package.maintainer.clone().unwrap_or_else(not_stated),
        license,
        licenses,
        cpes: [],
    }
}

fn to_java_package(package: &Package) -> JavaPackageWire {
    let java = package.java.clone().unwrap_or_default();
    let stated = |version: Option<String>| version.unwrap_or_else(|| NOT_AVAILABLE.to_owned());
    let location = package.path().to_owned();
    let ending = location.rsplit_once('.').map(|(_, ending)| ending.to_ascii_uppercase());
    let ending = ending.filter(|ending| ["JAR", "WAR", "EAR", "HPI", "JPI"].contains(&ending.as_str()));
    JavaPackageWire {
        package: package.name.clone(),
        r#type: format!("JAVA-{}", ending.as_deref().unwrap_or("JAR")),
        location,
        specification_version: stated(java.specification),
        implementation_version: stated(java.implementation),
        maven_version: stated(java.maven),
        version: stated(package.version.clone()),
        origin: stated(package.maintainer.clone()),
        cpes: [],
        metadata: json!({}),
    }
}

/// The text that old clients show, and the list.
fn licenses(package: &Package, not_stated: &str) -> (String, Vec<String>) {
    match package.licenses.as_slice() {
        [] => (not_stated.to_owned(), vec![not_stated.to_owned()]),
        licenses => (licenses.join(" "), licenses.to_vec()),
    }
}

fn to_file(file: &FileEntry) -> FileWire<'_> {
    FileWire {
        filename: &file.path,
        linkdest: file.link_target.as_deref(),
        size: file.size_bytes,
        mode: format!("{:05o}", file.permissions),
        sha256: file.sha256.filter(|_| file.kind == FileKind::File).map(|bytes| HEXLOWER.encode(&bytes)),
        r#type: file.kind.name(),
        uid: file.user_id,
        gid: file.group_id,
    }
}

fn to_malware(scan: &MalwareScan) -> Value {
    json!({
        "scanner": scan.scanner,
        "enabled": true,
        "findings": scan.findings.iter().map(|finding| json!({
            "path": finding.path, "signature": finding.signature,
        })).collect::<Vec<_>>(),
        "metadata": {},
    })
}

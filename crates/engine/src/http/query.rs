//! `/query`: which images have a package or a vulnerability, and what is known about vulnerabilities.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use model::{PackageKind, Severity, SeverityRating};
use serde_json::{Map, Value, json};

use super::answer::{Answer, ApiError, ok, time};
use super::call::{Call, Query};
use super::vulnerabilities::package_type;
use crate::{
    Engine, FoundImages, FoundPackage, FoundVulnerability, ImageRecord, KnownQuestion, KnownVulnerability,
    PackageQuestion, ResultPage, VulnerabilityQueryError, VulnerabilityQuestion,
};

/// Stands for a score that is not known.
const NO_SCORE: f64 = -1.0;

/// `GET /query/images/by_package`.
pub(super) async fn images_by_package(State(engine): State<Arc<Engine>>, call: Call) -> Answer {
    let query = &call.query;
    let paging = Paging::read(query.integer("page")?, query)?;
    let mut question =
        PackageQuestion { name: required(query, "name")?, version: text(query, "version"), kind: None };
    if let Some(wanted) = query.text("package_type").filter(|wanted| !wanted.is_empty()) {
        match PackageKind::ALL.into_iter().find(|kind| package_type(*kind) == wanted) {
            Some(kind) => question.kind = Some(kind),
            // No package is of a type that does not exist.
            None => return paging.answer("images", 0, Vec::new()),
        }
    }
    let found = engine.find_images_by_package(&call.account, &question, paging.page).await?;
    let package = |package: FoundPackage| {
        json!({
            "name": package.name, "version": package.version, "type": package_type(package.kind),
        })
    };
    paging.images(found, "packages", package)
}

/// `GET /query/images/by_vulnerability`.
pub(super) async fn images_by_vulnerability(State(engine): State<Arc<Engine>>, call: Call) -> Answer {
    let query = &call.query;
    let paging = Paging::read(query.integer("page")?, query)?;
    let severity = query.word("severity", &Severity::ALL.map(Severity::name))?;
    let question = VulnerabilityQuestion {
        id: required(query, "vulnerability_id")?,
        namespace: text(query, "namespace"),
        package: text(query, "affected_package"),
        severity: Severity::ALL.into_iter().find(|known| Some(known.name()) == severity),
        vendor_only: query.boolean("vendor_only", true)?,
    };
    let found = engine.find_images_by_vulnerability(&call.account, &question, paging.page).await?;
    let vulnerable = |found: FoundVulnerability| {
        json!({
            "name": found.package.name,
            "version": found.package.version,
            "type": package_type(found.package.kind),
            "namespace": found.namespace,
            "severity": found.severity,
        })
    };
    paging.images(found, "vulnerable_packages", vulnerable)
}

/// `GET /query/vulnerabilities`: of the database, so the same for everybody.
pub(super) async fn vulnerabilities(State(engine): State<Arc<Engine>>, call: Call) -> Answer {
    let query = &call.query;
    let words = |text: &str| text.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect();
    let ids = query.first_text("id").ok_or_else(|| missing("id"))?;
    let page = match query.text("page").map(str::parse) {
        None => None,
        Some(Ok(page)) => Some(page),
        Some(Err(_)) => {
            let message = "page must be a number of a page, as text: 1 is the first";
            return Err(ApiError::engine(StatusCode::BAD_REQUEST, message));
        }
    };
    let paging = Paging::read(page, query)?;
    let question = KnownQuestion {
        ids: words(ids),
        package: text(query, "affected_package"),
        version: text(query, "affected_package_version"),
        namespaces: query.text("namespace").filter(|text| !text.is_empty()).map(words),
    };
    if question.version.is_some() && question.package.is_none() {
        let message = "if affected_package_version is specified, affected_package must also be specified";
        return Err(ApiError::engine(StatusCode::BAD_REQUEST, message));
    }
    let known = engine.known_vulnerabilities(question).await?;
    let (limit, offset) = paging.page.map_or((usize::MAX, 0), |page| (page.limit, page.offset));
    let shown = known.iter().skip(offset).take(limit).map(to_wire).collect();
    paging.answer("vulnerabilities", known.len(), shown)
}

/// Which part of the answer is wanted. Pages exist with a limit only.
struct Paging {
    page: Option<ResultPage>,
    number: usize,
}

impl Paging {
    fn read(page: Option<i64>, query: &Query) -> Result<Self, ApiError> {
        let size = |number: i64| usize::try_from(number).unwrap_or(0);
        let limit = query.integer("limit")?.map_or(0, size);
        if limit == 0 {
            return Ok(Self { page: None, number: 1 });
        }
        let number = page.map_or(1, size).max(1);
        let offset = (number - 1).saturating_mul(limit);
        Ok(Self { page: Some(ResultPage { limit, offset }), number })
    }

    fn images<T>(&self, found: FoundImages<T>, key: &str, to_wire: impl Fn(T) -> Value) -> Answer {
        let image = |(record, by): (ImageRecord, Vec<T>)| {
            json!({
                "image": image(&record), key: by.into_iter().map(&to_wire).collect::<Vec<_>>(),
            })
        };
        self.answer("images", found.total, found.images.into_iter().map(image).collect())
    }

    fn answer(&self, key: &str, total: usize, shown: Vec<Value>) -> Answer {
        let mut body = Map::new();
        let is_more =
            self.page.is_some_and(|ResultPage { limit, offset }| offset.saturating_add(limit) < total);
        if is_more {
            body.insert("next_page".to_owned(), json!((self.number + 1).to_string()));
        }
        body.insert("page".to_owned(), json!(self.number.to_string()));
        body.insert("returned_count".to_owned(), json!(shown.len()));
        body.insert("total_count".to_owned(), json!(total));
        body.insert(key.to_owned(), Value::Array(shown));
        ok(&body)
    }
}

fn image(record: &ImageRecord) -> Value {
    let tag = |tag: &crate::TagRecord| {
        let by_digest = || format!("{}/{}@{}", tag.registry, tag.repository, record.digest);
        json!({
            "registry": tag.registry,
            "repo": tag.repository,
            "tag": tag.tag.as_deref().unwrap_or_default(),
            // Clients list what they find under this key; an image without a tag must not be lost there.
            "fulltag": tag.full_tag().unwrap_or_else(by_digest),
            "tag_detected_at": time(tag.detected_at),
        })
    };
    json!({
        "imageDigest": record.digest.to_string(),
        "imageId": record.image_id.hex(),
        "analyzed_at": record.analyzed_at.map(time),
        "tag_history": record.tags.iter().map(tag).collect::<Vec<_>>(),
    })
}

fn to_wire(known: &KnownVulnerability) -> Value {
    let kind = record_type(&known.namespace);
    let packages = known.packages.iter().map(|package| {
        json!({
            "name": package.name,
            "type": kind,
            "version": package.version,
            "will_not_fix": package.will_not_fix,
        })
    });
    let (nvd, vendor): (Vec<&SeverityRating>, Vec<&SeverityRating>) =
        known.ratings.iter().partition(|rating| rating.source.eq_ignore_ascii_case("nvd"));
    json!({
        "id": known.id,
        "namespace": known.namespace,
        "severity": known.severity.name(),
        "link": known.url.as_deref().unwrap_or_default(),
        "description": known.summary,
        "references": null,
        "affected_packages": packages.collect::<Vec<_>>(),
        "nvd_data": scores(&known.id, &nvd),
        "vendor_data": scores(&known.id, &vendor),
    })
}

fn record_type(namespace: &str) -> &'static str {
    match namespace.split(':').next().unwrap_or_default() {
        "debian" | "ubuntu" => package_type(PackageKind::Deb),
        "alpine" | "wolfi" | "chainguard" => package_type(PackageKind::Apk),
        "npm" => package_type(PackageKind::Npm),
        "rubygems" | "gem" => package_type(PackageKind::Gem),
        "pypi" => package_type(PackageKind::PyPi),
        "maven" => package_type(PackageKind::Maven),
        "go" | "golang" => package_type(PackageKind::Golang),
        "rhel" | "redhat" | "red hat" | "rocky" | "rocky linux" | "almalinux" | "centos" | "fedora"
        | "opensuse" | "suse" | "sles" | "amazon" | "oracle" => package_type(PackageKind::Rpm),
        _ => "*",
    }
}

fn scores(id: &str, ratings: &[&SeverityRating]) -> Vec<Value> {
    let metrics = |rating: Option<&&SeverityRating>| {
        json!({
            "base_metrics": {
                "base_score": rating.and_then(|rating| rating.score).unwrap_or(NO_SCORE),
                "exploitability_score": NO_SCORE,
                "impact_score": NO_SCORE,
            },
            "vector_string": rating.and_then(|rating| rating.vector.as_deref()),
        })
    };
    if ratings.is_empty() {
        return Vec::new();
    }
    let is_third = |rating: &&&SeverityRating| {
        rating.vector.as_deref().is_some_and(|vector| vector.starts_with("CVSS:"))
    };
    vec![json!({
        "id": id,
        "cvss_v2": metrics(ratings.iter().find(|rating| !is_third(rating))),
        "cvss_v3": metrics(ratings.iter().find(is_third)),
    })]
}

fn required(query: &Query, name: &str) -> Result<String, ApiError> {
    query.text(name).map(str::to_owned).ok_or_else(|| missing(name))
}

fn missing(name: &str) -> ApiError {
    ApiError::bad_request(format!("Missing query parameter '{name}'"))
}

fn text(query: &Query, name: &str) -> Option<String> {
    query.text(name).filter(|text| !text.is_empty()).map(str::to_owned)
}

impl From<VulnerabilityQueryError> for ApiError {
    fn from(error: VulnerabilityQueryError) -> Self {
        match error {
            VulnerabilityQueryError::NoDatabase => {
                Self::engine(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
            }
            VulnerabilityQueryError::Evaluate(error) => error.into(),
        }
    }
}

//! JSON in the shape of grype's, for programs that read that.

use model::{CvssScore, DistroCoverage, Finding, FindingState, MatchedBy, Package, SuppressedFinding};
use serde_json::{Value, json};

use crate::format::{Report, WriteOptions};
use crate::stable::{fingerprint, report_time};
use crate::syft_json::syft_words;
use crate::{Scan, wire};

/// Findings as `matches`, suppressed ones as `ignoredMatches`. Members that we have nothing for are empty, not left out.
pub(crate) fn grype_json(scan: &Scan<'_>, options: &WriteOptions<'_>) -> String {
    let report = scan.report;
    let distro = scan.sbom.inventory.distro.as_ref();
    let database = report.database.as_ref();
    let ignored = report.suppressed.iter().map(|SuppressedFinding { finding, reason }| {
        let mut ignored = matched(scan, finding);
        ignored["appliedIgnoreRules"] = json!([{
            "namespace": "", "vulnerability": finding.id, "reason": reason.sentence(), "fix-state": "",
        }]);
        ignored
    });
    wire::to_text(&json!({
        "matches": report.findings.iter().map(|finding| matched(scan, finding)).collect::<Vec<_>>(),
        "ignoredMatches": ignored.collect::<Vec<_>>(),
        "source": source(scan),
        "distro": {
            "name": distro.map_or("", |distro| &distro.id),
            "version": distro.and_then(|distro| distro.version_id.as_deref()).unwrap_or_default(),
            "idLike": distro.map_or(&[][..], |distro| &distro.id_like),
        },
        "descriptor": {
            "name": "lazaret",
            "version": options.program_version,
            "timestamp": report_time(&Report::Scan(*scan), options).to_string(),
            "db": {
                "status": {
                    "schemaVersion": "",
                    "built": database.map(|database| database.built_at.to_string()),
                    "revision": database.map(|database| &database.revision),
                    "valid": database.is_some() && !matches!(report.coverage, DistroCoverage::NoData(_)),
                },
            },
        },
    }))
}

fn source(scan: &Scan<'_>) -> Value {
    let Some(facts) = scan.sbom.facts() else {
        return json!({ "type": "unknown", "target": scan.sbom.image_name });
    };
    let layers = facts.layers.iter().map(
        |layer| json!({ "mediaType": "", "digest": layer.diff_id.to_string(), "size": layer.size_bytes }),
    );
    json!({
        "type": "image",
        "target": {
            "userInput": scan.sbom.image_name,
            "imageID": facts.image_id.to_string(),
            "manifestDigest": facts.digest.to_string(),
            "mediaType": "",
            "tags": [],
            "imageSize": facts.size_bytes,
            "layers": layers.collect::<Vec<_>>(),
            "repoDigests": [],
            "architecture": facts.platform.architecture,
            "os": facts.platform.os,
            "labels": facts.labels.iter().map(|(key, value)| (key.clone(), json!(value))).collect::<serde_json::Map<_, _>>(),
        },
    })
}

fn matched(scan: &Scan<'_>, finding: &Finding) -> Value {
    let evidence = &finding.evidence;
    let package = find_package(scan, finding);
    let is_direct = match (evidence.matched_by, package.and_then(|package| package.source.as_ref())) {
        (MatchedBy::PackageName, _) => true,
        (MatchedBy::SourcePackage, source) => source.is_none_or(|source| source.name == finding.package),
    };
    let mut vulnerability = vulnerability(finding);
    vulnerability["fix"] = json!({
        "versions": finding.fixed_in,
        "state": match finding.state {
            FindingState::Fixed => "fixed",
            FindingState::NotFixed => "not-fixed",
            FindingState::WillNotFix => "wont-fix",
            FindingState::Undecided => "unknown",
        },
    });
    vulnerability["advisories"] = json!([]);
    let related = finding.aliases.iter().map(|alias| {
        json!({ "id": alias, "dataSource": "", "namespace": "", "severity": "Unknown", "urls": [], "cvss": [] })
    });
    json!({
        "vulnerability": vulnerability,
        "relatedVulnerabilities": related.collect::<Vec<_>>(),
        "matchDetails": [{
            "type": if is_direct { "exact-direct-match" } else { "exact-indirect-match" },
            "matcher": format!("{}-matcher", finding.package_kind.purl_type()),
            "searchedBy": {
                "namespace": evidence.ecosystem.to_string(),
                "package": { "name": evidence.matched_name, "version": evidence.matched_version },
            },
            "found": { "vulnerabilityID": evidence.record, "versionConstraint": evidence.range },
        }],
        "artifact": artifact(finding, package),
    })
}

fn vulnerability(finding: &Finding) -> Value {
    let address = finding.url.as_deref();
    let cvss = finding.cvss.iter().map(|CvssScore { source, vector, score }| {
        let version = vector.strip_prefix("CVSS:").and_then(|rest| rest.split('/').next()).unwrap_or("2.0");
        json!({ "source": source, "type": "", "version": version, "vector": vector, "metrics": { "baseScore": score }, "vendorMetadata": {} })
    });
    let mut vulnerability = json!({
        "id": finding.id,
        "dataSource": address.unwrap_or_default(),
        "namespace": format!("{}:{}", finding.evidence.feed.name(), finding.evidence.ecosystem),
        "severity": finding.severity.name(),
        "urls": address.iter().collect::<Vec<_>>(),
        "description": finding.summary.as_deref().unwrap_or_default(),
        "cvss": cvss.collect::<Vec<_>>(),
    });
    if let Some(epss) = finding.epss {
        vulnerability["epss"] =
            json!([{ "cve": finding.id, "epss": epss.probability, "percentile": epss.percentile }]);
    }
    vulnerability
}

fn find_package<'a>(scan: &Scan<'a>, finding: &Finding) -> Option<&'a Package> {
    scan.sbom.inventory.packages.iter().find(|package| {
        package.kind == finding.package_kind
            && package.name == finding.package
            && package.version.as_deref() == Some(&finding.version)
            && package.locations.first().is_none_or(|location| location.path == finding.package_path)
    })
}

fn artifact(finding: &Finding, package: Option<&Package>) -> Value {
    let (kind, language) = syft_words(finding.package_kind);
    let locations = package.map_or(&[][..], |package| &package.locations).iter().map(|location| {
        json!({ "path": location.path, "layerID": location.layer.as_ref().map(ToString::to_string).unwrap_or_default() })
    });
    let locations = locations.collect::<Vec<_>>();
    let source = package.and_then(|package| package.source.as_ref());
    let upstreams = source
        .filter(|source| source.name != finding.package)
        .map(|source| json!({ "name": source.name, "version": source.version }));
    json!({
        "id": &fingerprint(&[&finding.purl, &finding.package, &finding.version, &finding.package_path])[..16],
        "name": finding.package,
        "version": finding.version,
        "type": kind,
        "locations": if locations.is_empty() { vec![json!({ "path": finding.package_path })] } else { locations },
        "language": language,
        "licenses": package.map_or(&[][..], |package| &package.licenses),
        "cpes": package.map_or(&[][..], |package| &package.cpes),
        "purl": finding.purl,
        "upstreams": upstreams.into_iter().collect::<Vec<_>>(),
    })
}

//! OpenVEX: what is suppressed, as statements that other scanners understand.

use std::collections::BTreeMap;

use model::{ImageReference, SuppressedFinding, SuppressionReason, VendorStatement};
use serde_json::{Value, json};

use crate::format::{Report, WriteOptions};
use crate::printable::printable;
use crate::stable::{percent_encoded, report_time, uuid};
use crate::{Sbom, Scan, wire};

/// The suppressed findings as one document; `None` where nothing is suppressed, because a document without statements is not one.
pub(crate) fn openvex(scan: &Scan<'_>, options: &WriteOptions<'_>) -> Option<String> {
    if scan.report.suppressed.is_empty() {
        return None;
    }
    let product = product(&scan.sbom);
    let statements: BTreeMap<_, _> = scan
        .report
        .suppressed
        .iter()
        .map(|suppressed| {
            let SuppressedFinding { finding, reason } = suppressed;
            ((&finding.id, &finding.purl, reason), statement(suppressed, product.as_deref()))
        })
        .collect();
    let statements = statements.into_values().collect::<Vec<_>>();
    let time = report_time(&Report::Scan(*scan), options).to_string();
    let content = json!([product, statements]).to_string();
    Some(wire::to_text(&json!({
        "@context": "https://openvex.dev/ns/v0.2.0",
        "@id": format!("urn:uuid:{}", uuid(&["openvex", &content])),
        "author": "lazaret",
        "timestamp": time,
        "version": 1,
        "tooling": format!("lazaret {}", options.program_version),
        "statements": statements,
    })))
}

fn statement(suppressed: &SuppressedFinding, product: Option<&str>) -> Value {
    let SuppressedFinding { finding, reason } = suppressed;
    let said = match reason {
        SuppressionReason::OwnerSpeaks { statement, .. }
        | SuppressionReason::VendorDenies { statement, .. } => *statement,
        SuppressionReason::OwnerIsCovered { .. } => VendorStatement::NotAffected,
    };
    let sentence = printable(&reason.sentence()).into_owned();
    let package = json!({ "@id": finding.purl, "identifiers": { "purl": finding.purl } });
    let products = match product {
        Some(image) => {
            json!([{ "@id": image, "identifiers": { "purl": image }, "subcomponents": [package] }])
        }
        None => json!([package]),
    };
    let mut statement = json!({
        "vulnerability": { "name": finding.id },
        "products": products,
        "status": match said {
            VendorStatement::Fixed => "fixed",
            VendorStatement::NotAffected => "not_affected",
            VendorStatement::Affected => "affected",
            VendorStatement::Undetermined => "under_investigation",
        },
    });
    if !finding.aliases.is_empty() {
        statement["vulnerability"]["aliases"] = json!(finding.aliases);
    }
    let member = match said {
        VendorStatement::NotAffected => "impact_statement",
        VendorStatement::Affected => "action_statement",
        VendorStatement::Fixed | VendorStatement::Undetermined => "status_notes",
    };
    statement[member] = json!(sentence);
    statement
}

/// The image as a package URL; `None` when its digest is not known, so that nothing names this image and no other.
fn product(sbom: &Sbom<'_>) -> Option<String> {
    let digest = percent_encoded(&sbom.facts()?.digest.to_string());
    let Ok(reference) = sbom.image_name.parse::<ImageReference>() else {
        return Some(format!("pkg:oci/image@{digest}"));
    };
    let repository = reference.registry_repository();
    let name = repository.rsplit('/').next().unwrap_or("image");
    Some(format!(
        "pkg:oci/{}@{digest}?repository_url={}",
        percent_encoded(name),
        percent_encoded(&repository)
    ))
}

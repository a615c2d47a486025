//! `lazaret why-not ID IMAGE`, and what `scan --explain` shares with it.

use report_formats::{explanation_json, explanation_text};
use vulnerability_db::Database;

use super::judgement::{Judged, Question, judge};
use super::reports::Outputs;
use crate::arguments::{ReportArguments, WhyNotArguments};
use crate::exit::Exit;

/// Tells why a vulnerability is, or is not, a finding of an image.
pub(super) fn run(arguments: &WhyNotArguments) -> anyhow::Result<Exit> {
    let WhyNotArguments { id, image, package, db, platform, outputs, images } = arguments;
    let report = ReportArguments { outputs: outputs.clone(), ..ReportArguments::default() };
    let outputs = Outputs::check(&report, true)?;
    let judged = judge(&Question {
        image,
        db: db.as_deref(),
        platform,
        images,
        bases: &[],
        bundle: None,
        timing: None,
        reference: None,
        exceptions: &[],
    })?;
    let database = super::database::open(db.as_deref())?;
    tell(&outputs, &judged, &database, id, package.as_deref())
}

/// Writes the explanation; an answer is an answer, whatever it is.
pub(super) fn tell(
    outputs: &Outputs,
    judged: &Judged,
    database: &Database,
    id: &str,
    package: Option<&str>,
) -> anyhow::Result<Exit> {
    let sbom = judged.sbom();
    let explanation = vulnerability_db::matching::explain(sbom.inventory, database, id, package)?;
    outputs.write_either(&|| explanation_text(&explanation, sbom.image_name), &|| {
        explanation_json(&explanation, sbom.image_name)
    })?;
    Ok(Exit::Clean)
}

//! `lazaret scan IMAGE`.

use model::{Decision, MatchReport, Severity};
use policy::{Bundle, EvaluationInput};
use report_formats::{Sbom, Scan, scan_json, scan_table};
use scanner::{ImageSource, ScannedImage};

use crate::arguments::{OutputFormat, ScanArguments};
use crate::config::{self, ImageConfig};
use crate::exit::Exit;
use crate::terminal;

/// Finds what is wrong with an image and judges it.
pub(super) fn run(arguments: &ScanArguments) -> anyhow::Result<Exit> {
    // What can fail at once fails before the image is fetched.
    let bundle = arguments.policy.as_deref().map(super::bundle::load).transpose()?;
    let database = super::database::open(arguments.db.as_deref())?;
    let source = ImageSource::parse(&arguments.image)?;
    let images = ImageConfig::load(arguments.images.clone());
    let contents = bundle.as_ref().and_then(super::bundle::wanted_contents);
    let scanned = super::image::load(&source, &arguments.image, &arguments.platform, &images, contents)?;
    let report = vulnerability_db::matching::match_inventory(&scanned.inventory, &database)?;
    let decision = bundle.map(|bundle| judge(&bundle, &source, &scanned, &report)).transpose()?;
    let scan = Scan {
        sbom: Sbom { image_name: &arguments.image, image: &scanned.facts, inventory: &scanned.inventory },
        report: &report,
        decision: decision.as_ref(),
    };
    terminal::print(&match arguments.output {
        OutputFormat::Table => scan_table(&scan, terminal::width()),
        OutputFormat::Json => scan_json(&scan),
    })?;
    let exit = decide_exit(&report, decision.as_ref(), arguments.fail_on);
    if exit == Exit::Error {
        terminal::error_line(
            "error: the packages of this image could not be looked up, so nothing is known about them; \
             build a database with a feed of its distribution (`lazaret db build --help`)",
        );
    }
    Ok(exit)
}

/// Refused wins; then an image that nothing is known about is not clean.
fn decide_exit(report: &MatchReport, decision: Option<&Decision>, fail_on: Option<Severity>) -> Exit {
    let is_refused = decision.is_some_and(|decision| !decision.is_pass());
    let is_above =
        fail_on.is_some_and(|bound| report.findings.iter().any(|finding| finding.severity >= bound));
    if is_refused || is_above {
        Exit::Refused
    } else if report.is_covered() {
        Exit::Clean
    } else {
        Exit::Error
    }
}

fn judge(
    bundle: &Bundle,
    source: &ImageSource,
    scanned: &ScannedImage,
    report: &MatchReport,
) -> anyhow::Result<Decision> {
    // An archive has no registry: its bundle mappings see a name that only a wildcard matches.
    let reference = match source {
        ImageSource::Registry(reference) => reference.clone(),
        _ => "localbuild/archive:latest".parse()?,
    };
    let input = EvaluationInput {
        contents: scanned.contents.as_ref(),
        ..EvaluationInput::new(&reference, &scanned.facts, &scanned.inventory, report, config::now())
    };
    Ok(policy::judge(bundle, &input))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_that_nothing_is_known_about_is_not_clean() {
        let unknown = MatchReport::without_database();
        assert_eq!(decide_exit(&unknown, None, None), Exit::Error);
        let known = MatchReport { coverage: model::DistroCoverage::NotNeeded, ..unknown };
        assert_eq!(decide_exit(&known, None, Some(Severity::Low)), Exit::Clean);
    }
}

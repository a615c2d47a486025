//! `lazaret scan IMAGE`.

use report_formats::{Scan, scan_json, scan_table};

use super::judgement::{Question, judge};
use crate::arguments::{OutputFormat, ScanArguments};
use crate::exit::Exit;
use crate::terminal;

/// Finds what is wrong with an image and judges it.
pub(super) fn run(arguments: &ScanArguments) -> anyhow::Result<Exit> {
    let ScanArguments { image, db, policy, fail_on, platform, output, images } = arguments;
    let bundle = policy.as_deref().map(super::bundle::load).transpose()?;
    let judged = judge(&Question {
        image,
        db: db.as_deref(),
        platform,
        images,
        bundle: bundle.as_ref(),
        reference: None,
        exceptions: &[],
    })?;
    let scan = Scan { sbom: judged.sbom(), report: &judged.report, decision: judged.decision() };
    terminal::print(&match output {
        OutputFormat::Table => scan_table(&scan, terminal::width()),
        OutputFormat::Json => scan_json(&scan),
    })?;
    Ok(judged.exit(*fail_on))
}

//! `lazaret scan IMAGE`.

use report_formats::{Report, Scan};

use super::judgement::{Question, judge};
use super::reports::Outputs;
use crate::arguments::ScanArguments;
use crate::exit::Exit;
use crate::timing::Timing;

/// Finds what is wrong with an image and judges it.
pub(super) fn run(arguments: &ScanArguments) -> anyhow::Result<Exit> {
    let outputs = Outputs::check(&arguments.report, true)?;
    let timing = Timing::start(arguments.report.timing);
    let bundle = arguments.policy.as_deref().map(super::bundle::load).transpose()?;
    let mut judged = judge(&Question {
        image: &arguments.image,
        db: arguments.db.as_deref(),
        platform: &arguments.platform,
        images: &arguments.images,
        bases: &arguments.base.bases,
        bundle: bundle.as_ref(),
        reference: None,
        exceptions: &[],
        timing: timing.as_ref(),
    })?;
    if let Some(id) = &arguments.explain {
        let database = super::database::open(arguments.db.as_deref())?;
        return super::why_not::tell(&outputs, &judged, &database, id, arguments.package.as_deref());
    }
    // The policy has seen all of them.
    let found = judged.report.findings.len();
    judged.report.findings.retain(|finding| arguments.is_wanted(finding.state));
    let scan = Scan {
        sbom: judged.sbom(),
        report: &judged.report,
        decision: judged.decision(),
        hidden_count: found - judged.report.findings.len(),
    };
    if let Some(timing) = &timing {
        timing.begin("writing");
    }
    outputs.tell_bases(judged.bases());
    outputs.write(&Report::Scan(scan), arguments.show_suppressed)?;
    if let Some(timing) = &timing {
        timing.print();
    }
    Ok(judged.exit(arguments.fail_on))
}

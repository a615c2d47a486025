//! `lazaret sbom IMAGE`.

use model::{DiagnosticCode, Inventory};
use report_formats::{Report, Sbom};

use super::base::Bases;
use super::reports::Outputs;
use super::source::Source;
use crate::arguments::SbomArguments;
use crate::config::ImageConfig;
use crate::exit::Exit;
use crate::timing::Timing;

/// Lists the packages of an image, or turns one package list into another.
pub(super) fn run(arguments: &SbomArguments) -> anyhow::Result<Exit> {
    let outputs = Outputs::check(&arguments.report, false)?;
    let timing = Timing::start(arguments.report.timing);
    let images = ImageConfig { timing: timing.clone(), ..ImageConfig::load(arguments.images.clone()) };
    let source = Source::parse(&arguments.image)?;
    let bases = Bases::parse(&arguments.base.bases, &source, &arguments.image)?;
    let loaded = source.load(&arguments.image, &arguments.platform, &images, None)?;
    let bases = bases.hold_against(&loaded, &arguments.platform, &images)?;
    let sbom = Sbom {
        image_name: &loaded.name,
        image: loaded.facts.as_ref(),
        inventory: &loaded.inventory,
        bases: &bases,
    };
    if let Some(timing) = &timing {
        timing.begin("writing");
    }
    outputs.tell_bases(&bases);
    outputs.write(&Report::Sbom(sbom), false)?;
    if let Some(timing) = &timing {
        timing.print();
    }
    if is_unknown(&loaded.inventory) {
        crate::terminal::error_line(
            "error: no package could be read, so the list is empty; its warnings say what was not read",
        );
        return Ok(Exit::Error);
    }
    Ok(Exit::Clean)
}

/// Whether there is no package, and not because there is none.
fn is_unknown(inventory: &Inventory) -> bool {
    let is_reason =
        |code| matches!(code, DiagnosticCode::UnreadableDatabase | DiagnosticCode::PackagesLeftOut);
    inventory.packages.is_empty() && inventory.diagnostics.iter().any(|told| is_reason(told.code))
}

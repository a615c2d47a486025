//! `lazaret sbom IMAGE`.

use report_formats::{Report, Sbom};

use super::reports::Outputs;
use super::source::Source;
use crate::arguments::SbomArguments;
use crate::config::ImageConfig;
use crate::exit::Exit;

/// Lists the packages of an image, or turns one package list into another.
pub(super) fn run(arguments: &SbomArguments) -> anyhow::Result<Exit> {
    let outputs = Outputs::check(&arguments.report, false)?;
    let images = ImageConfig::load(arguments.images.clone());
    let source = Source::parse(&arguments.image)?;
    let loaded = source.load(&arguments.image, &arguments.platform, &images, None)?;
    let sbom = Sbom { image_name: &loaded.name, image: loaded.facts.as_ref(), inventory: &loaded.inventory };
    outputs.write(&Report::Sbom(sbom), false)?;
    Ok(Exit::Clean)
}

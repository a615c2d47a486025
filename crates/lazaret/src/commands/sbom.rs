//! `lazaret sbom IMAGE`.

use report_formats::{Sbom, sbom_json, sbom_table};
use scanner::ImageSource;

use crate::arguments::{OutputFormat, SbomArguments};
use crate::config::ImageConfig;
use crate::exit::Exit;
use crate::terminal;

/// Lists the packages of an image.
pub(super) fn run(arguments: &SbomArguments) -> anyhow::Result<Exit> {
    let images = ImageConfig::load(arguments.images.clone());
    let source = ImageSource::parse(&arguments.image)?;
    let scanned = super::image::load(&source, &arguments.image, &arguments.platform, &images, None)?;
    let sbom = Sbom { image_name: &arguments.image, image: &scanned.facts, inventory: &scanned.inventory };
    terminal::print(&match arguments.output {
        OutputFormat::Table => sbom_table(&sbom, terminal::width()),
        OutputFormat::Json => sbom_json(&sbom),
    })?;
    Ok(Exit::Clean)
}

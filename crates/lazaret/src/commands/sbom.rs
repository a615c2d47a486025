//! `lazaret sbom IMAGE`.

use report_formats::{Report, Sbom};
use scanner::ImageSource;

use super::package_list::PackageList;
use super::reports::Outputs;
use crate::arguments::SbomArguments;
use crate::config::ImageConfig;
use crate::exit::Exit;

/// Lists the packages of an image, or turns one package list into another.
pub(super) fn run(arguments: &SbomArguments) -> anyhow::Result<Exit> {
    let outputs = Outputs::check(&arguments.report, false)?;
    if let Some(list) = PackageList::parse(&arguments.image)? {
        let (name, image, inventory) = list.load_as(&arguments.image)?;
        let sbom = Sbom { image_name: &name, image: image.as_ref(), inventory: &inventory };
        outputs.write(&Report::Sbom(sbom), false)?;
        return Ok(Exit::Clean);
    }
    let images = ImageConfig::load(arguments.images.clone());
    let source = ImageSource::parse(&arguments.image)?;
    let scanned = super::image::load(&source, &arguments.image, &arguments.platform, &images, None)?;
    let sbom =
        Sbom { image_name: &arguments.image, image: Some(&scanned.facts), inventory: &scanned.inventory };
    outputs.write(&Report::Sbom(sbom), false)?;
    Ok(Exit::Clean)
}

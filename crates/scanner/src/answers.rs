//! What others answer, read without a connection: how tests try that no answer can do harm.

use std::io::Read;
use std::sync::Arc;

use image_layers::ReadBudget;
use model::{ImageFacts, Inventory};

use crate::daemon;
use crate::error::ScanError;
use crate::interest::Interest;
use crate::load::to_facts;
use crate::manifest::{Manifest, parse_manifest, select_platform};
use crate::open::open_docker;
use crate::options::ScanOptions;
use crate::registry;

/// Reads an answer as everything that one can be: the value of a header as a challenge and as the link to a next page, a body as a
/// token, a page of tags, an index, a login, the settings of a user, and a message of containerd. True when it is any of them.
pub fn is_some_answer(header: &str, body: &[u8], options: &ScanOptions) -> bool {
    let is_index = match parse_manifest(body, None, "answer") {
        Ok(Manifest::Index(images)) => select_platform(&images, &options.platform).is_ok(),
        other => other.is_ok(),
    };
    // Each is read, whatever the others are.
    registry::is_some_header(header) | registry::is_some_body(body) | daemon::is_some_message(body) | is_index
}

/// Reads an image as Docker and Podman send it, in one pass.
pub fn read_saved_image(
    stream: impl Read,
    options: &ScanOptions,
) -> Result<(ImageFacts, Inventory), ScanError> {
    let interest = Arc::new(Interest::new(options)?);
    let (image, layers) = daemon::read_saved(stream, options, &interest, &ReadBudget::new())?;
    let (layers, findings): (Vec<_>, Vec<_>) = layers.into_iter().unzip();
    let single_layers = interest.single_layers(&layers);
    let tree = image_layers::squash(layers);
    let (inventory, _) = interest.catalog(&tree, single_layers, &findings, None);
    Ok((to_facts(open_docker(image), &[]), inventory))
}

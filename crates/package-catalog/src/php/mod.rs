//! PHP: what Composer has installed, and what PEAR and PECL have registered.

mod composer;
mod pear;
mod serialized;
#[cfg(test)]
mod tests;

use crate::described;
use crate::parse::{ParseInput, Parsed};

pub(crate) use composer::INSTALLED;
pub(crate) use pear::REGISTRY;

pub(crate) fn parse_installed(input: &ParseInput<'_>) -> Parsed {
    described::parse(input, &INSTALLED)
}

pub(crate) fn parse_registry(input: &ParseInput<'_>) -> Parsed {
    described::parse(input, &REGISTRY)
}

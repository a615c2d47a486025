//! Package URLs, one a line; empty lines and lines that begin with `#` say nothing.

use crate::listing::{ListedPackage, Listing};
use crate::read_sbom::{ReadSbomError, SbomLimits};

const FORMAT: &str = "the list of package URLs";

pub(crate) fn read(bytes: &[u8], limits: &SbomLimits) -> Result<Listing, ReadSbomError> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        ReadSbomError::malformed(FORMAT, format_args!("no UTF-8 at byte {}", error.valid_up_to()))
    })?;
    let mut listing = Listing::default();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if crate::listing::Purl::parse(line).is_none() {
            let shown: String = line.chars().take(100).collect();
            let reason =
                format!("`{shown}` at line {} is no package URL (`pkg:type/name@version`)", index + 1);
            return Err(ReadSbomError::Malformed { format: FORMAT, reason });
        }
        if listing.packages.len() == limits.packages_max {
            let limit = limits.packages_max;
            return Err(ReadSbomError::TooMany { found: limit + 1, limit });
        }
        listing.packages.push(ListedPackage { purl: line.to_owned(), ..ListedPackage::default() });
    }
    Ok(listing)
}

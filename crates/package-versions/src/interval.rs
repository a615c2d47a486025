//! Whether a version lies in an interval of an advisory.

use model::{RangeEnd, VersionInterval};

use crate::{ParseVersionError, VersionScheme};

/// Whether the version is affected by the interval; an error means that it cannot be decided.
pub fn is_in_interval(
    scheme: VersionScheme,
    version: &str,
    interval: &VersionInterval,
) -> Result<bool, ParseVersionError> {
    if let Some(introduced) = &interval.introduced
        && scheme.compare_strictly(version, introduced)?.is_lt()
    {
        return Ok(false);
    }
    match &interval.end {
        RangeEnd::Open => Ok(true),
        RangeEnd::Fixed(fixed) => Ok(scheme.compare_strictly(version, fixed)?.is_lt()),
        RangeEnd::LastAffected(last) => Ok(scheme.compare_strictly(version, last)?.is_le()),
    }
}

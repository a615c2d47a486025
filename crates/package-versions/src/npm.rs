//! Versions of npm packages. Bounds of advisories are plain bounds: the rule of npm that a range holds a pre-release only if it
//! names one of the same numbers is for installing, not for advisories.

pub(crate) use crate::semver::{compare, is_well_formed};

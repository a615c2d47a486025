//! Versions of Swift packages: semantic versions, often with a `v` in front, since they are tags.

pub(crate) use crate::semver::{compare, is_well_formed};

//! Go: the modules that an executable was built from, out of the build information that the linker puts into it.

mod build_info;
mod modules;
mod old;
#[cfg(test)]
mod tests;

pub(crate) use build_info::{BuildInfoSearch, TAG_BUILD_INFO, TAG_OLD_BUILD_INFO};
pub(crate) use modules::{parse_build_info, parse_old_build_info};

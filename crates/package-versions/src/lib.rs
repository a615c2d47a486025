//! Orders package versions by the rules of their package manager.
//!
//! There is no order across schemes, and no generic `Ord` for a version: `1.0-1` means something else to dpkg
//! than to apk. Every comparison is linear in the versions' length, which is limited ([`VERSION_BYTES_MAX`]).
//! Digits are compared as text, so no length of them overflows.
//!
//! - [`VersionScheme::compare`] gives the order of the package manager itself, also for text it would refuse;
//!   the tables of known answers are checked with it.
//! - [`VersionScheme::compare_strictly`] and [`is_in_interval`] decide about vulnerabilities: where only text
//!   outside of the scheme's grammar makes the difference they give an error instead of a guess.

mod apk;
mod bitnami;
mod composer;
mod conda;
mod cran;
mod dart_pub;
mod digits;
mod dpkg;
mod error;
mod fuzzy;
mod gem;
mod go;
mod hackage;
mod hex;
mod interval;
mod julia;
mod jvm;
mod kb;
mod maven;
mod npm;
mod nuget;
mod number_list;
mod opam;
mod pacman;
mod pep440;
mod portage;
mod rpm;
mod scheme;
mod semver;
mod swift;
pub mod table;

pub use error::ParseVersionError;
pub use interval::is_in_interval;
pub use scheme::VersionScheme;

/// Longest version that is compared. Real ones have at most some dozen bytes.
pub const VERSION_BYTES_MAX: usize = 1024;

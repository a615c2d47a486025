//! The one list of catalogers.

use crate::cataloger::Cataloger;
use crate::{alpine, debian, opkg, rpm};

/// All catalogers, in the order of the documentation.
pub static CATALOGERS: &[Cataloger] =
    &[debian::CATALOGER, alpine::CATALOGER, rpm::CATALOGER, opkg::CATALOGER];

//! The one list of catalogers.

use crate::cataloger::Cataloger;
use crate::{alpine, bottlerocket, debian, opkg, pacman, portage, rpm, snap};

/// All catalogers, in the order of the documentation.
pub(crate) static CATALOGERS: &[Cataloger] = &[
    debian::CATALOGER,
    alpine::CATALOGER,
    rpm::CATALOGER,
    opkg::CATALOGER,
    pacman::CATALOGER,
    portage::CATALOGER,
    snap::CATALOGER,
    bottlerocket::CATALOGER,
];

//! Imports: package lists that somebody made elsewhere, with the documents of the image, in place of an analysis.
//!
//! Analyses are shared by digest over all accounts, and nobody can check an uploaded package list. So an imported analysis is
//! for the account alone that uploaded it (`analyses.imported_by`), never takes the place of one that was really read, and is
//! replaced as soon as any account has the same digest read from a registry.

mod again;
mod finish;
mod operations;
mod trust;
mod work;

pub use finish::{FinishImport, FinishImportError};
pub(crate) use operations::expire;
pub use operations::{DocumentKind, ImportDocument, ImportError, ImportOperation, ImportStatus};
pub(crate) use trust::{
    OriginOfAnalysis, analysis_origin, forget_imported, forget_unused, rest_on_what_was_read,
};
use work::read_packages;
pub(crate) use work::{JOB_KIND, give_up, reconcile, want_import};

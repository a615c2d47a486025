//! Anchore policy bundles, version `1_0`: parse and check on upload, evaluate to rows and a decision.
//!
//! Pure: no clock, no network, no environment. The time is an argument, the image and its findings are values of
//! `model`, and every mistake in a bundle comes back as an `EvaluationProblem` that clients can show.
//!
//! Two ways lead to a [`Bundle`]: [`Bundle::parse`] is for uploads and refuses a document with any mistake that a
//! mapping can reach; [`Bundle::load`] is for documents that were accepted earlier, perhaps under other rules, and keeps
//! the mistakes, so that [`judge`] refuses the images they concern and says why.
//!
//! Invariant: [`judge`] is bounded. A regular expression that backtracks too long, or a bundle that asks for more work
//! than [`WORK_MAX`], ends in `stop` with a problem, never in a hang and never in a silent pass.

mod accepted;
mod budget;
mod bundle;
mod compile;
mod cvss;
mod exception_document;
mod expiry;
mod gates;
mod image_rule;
mod judge;
mod limits;
mod parameter;
mod pattern;
mod predefined;
mod prefix_regex;
mod problem;
mod python_regex;
mod python_text;
mod raw;
mod review;
mod schema;
mod trigger_id;
mod whitelist;

pub use budget::WORK_MAX;
pub use bundle::{Bundle, BundleError};
pub use exception_document::{EXCEPTIONS_MAX, parse_exception, parse_exceptions, scope_document};
pub use gates::specification;
pub use judge::{EvaluationInput, Explanation, explain, judge, judge_without_image};
pub use predefined::{PredefinedBundle, default_bundle, predefined_bundles};
pub use review::review;
pub use trigger_id::trigger_id;

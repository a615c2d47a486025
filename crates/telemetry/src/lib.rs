//! Requests and work as spans: an id for every request, and the trace that a caller began elsewhere.
//!
//! Nothing is sent from here. Where the program installs no exporter, a span costs what a line of the log costs.

mod context;
mod request;

pub use context::{follow, trace_parent};
pub use request::{RequestTrace, guard, note_route};

//! Events: what happened in an account, kept for those who ask later.
//!
//! An event is recorded in the transaction of the change it tells about: both are stored or neither.

mod query;
mod record;

pub(crate) use query::precise_time;
pub use query::{EventFilter, EventPage, EventRecord};
pub(crate) use record::{Level, NewEvent, Resource, Service, expire, record};

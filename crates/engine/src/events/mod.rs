//! Events: what happened in an account, kept for those who ask later.
//!
//! An event is recorded in the transaction of the change it tells about: both are stored or neither.

mod record;

pub(crate) use record::{Level, NewEvent, Resource, Service, expire, record};

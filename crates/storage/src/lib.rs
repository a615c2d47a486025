//! Connects to the database of a data folder, brings its tables up to date and keeps the durable job queue in it.
//!
//! Knows nothing of what the tables of its users mean: `engine` and others own their migrations and their SQL and run
//! both through [`Database`]. There is no clock here; every time is an argument.

mod database;
mod queue;
mod time;

pub use database::{Database, MigrateError, OpenError, WriteTransaction};
pub use queue::{
    Backoff, EnqueueOutcome, Job, JobCounts, Lease, LeaseScope, NewJob, QueueError, ReleasedJob, claim,
    complete, count_jobs, enqueue, fail, has_due, heartbeat, put_back, release_leases,
};
pub use time::{from_micros, to_micros};

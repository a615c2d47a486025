//! Connects to the database of a data folder, brings its tables up to date and keeps the durable job queue in it.
//!
//! Knows nothing of what the tables of its users mean: `engine` and others own their migrations and their SQL and run
//! both through [`Database`]. There is no clock here; every time is an argument.

mod chain;
mod copy;
mod database;
mod error;
mod location;
mod mark;
mod query;
mod queue;
mod row;
mod sealing;
mod time;
mod transaction;

pub use chain::chain;
pub use copy::{Copy, TableForm, Values};
pub use database::{Database, MigrateError, Migrations, OpenError, queue_migrations};
pub use error::StorageError;
pub use location::{Location, PostgresSettings};
pub use mark::Mark;
pub use query::{Executor, Query, Value, places, query, query_built};
pub use queue::{
    Backoff, EnqueueOutcome, Job, JobCounts, Lease, LeaseScope, NewJob, QueueError, ReleasedJob, claim,
    claim_key, complete, count_jobs, enqueue, fail, forget, has_due, heartbeat, hurry, put_back,
    release_leases,
};
pub use row::{FromColumn, FromRow, Row};
pub use sealing::{KeyFileError, Sealer, UnsealError};
pub use time::{from_micros, to_micros};
pub use transaction::WriteTransaction;

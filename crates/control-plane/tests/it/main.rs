//! The control plane behind a real listener, on SQLite and on PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod identity;
mod secrets;
mod support;

//! Speaks the Anchore API v1: to the engine of this product or to a foreign one.
//!
//! Every call has a deadline and reads a bounded answer. What comes back is checked where a decision hangs on it
//! (digests, statuses) and tolerant everywhere else: unknown keys are ignored, missing ones are `None` or empty.
//!
//! The program must install a rustls crypto provider before the first client is made.

mod administration;
mod client;
mod error;
mod forward;
mod settings;
mod transport;
mod wire;

pub use administration::{AccountRecord, NewRegistry, RegistryRecord};
pub use client::{CheckQuestion, Client};
pub use error::ClientError;
pub use forward::ForwardRequest;
pub use settings::{BuildClientError, ClientSettings, Password};
pub use wire::{
    AnalysisStatus, CheckReport, CheckRow, Feed, FeedGroup, ImageRecord, ImageTag, PolicyRecord,
    Vulnerability,
};

//! The webhook inside a cluster: custom resources, decisions about Pods, audits, and the manifests that install it.
//!
//! A review goes through [`server`] (bytes and limits), [`review`] (the wire), [`reviewer`] (what has to be known),
//! [`decision`] (pure), [`message`] (what people read) and [`audits`] (what is written down). What has to be known comes
//! from [`index`] (the cluster, kept by [`watch`]) and [`cache`] (verdicts, asked of a [`source`]).
//!
//! Nothing on the way to an answer lists objects, asks a registry, or waits without a deadline.

pub mod audit_writer;
pub mod audits;
pub mod cache;
pub mod certificate;
pub mod certificate_store;
pub mod crd;
pub mod decision;
pub mod engine_source;
pub mod first_bytes;
pub mod images;
pub mod index;
pub mod install;
mod limits;
pub mod manifests;
pub mod message;
pub mod metrics;
pub mod review;
pub mod review_gate;
pub mod reviewer;
pub mod reviews;
pub mod run;
pub mod server;
pub mod settings;
pub mod shared_webhook;
pub mod source;
pub mod spool;
#[cfg(test)]
mod test_support;
pub mod watch;
pub mod whitelist;

pub use crd::{Audit, WhiteListItem, WhiteListItemSpec};
pub use engine_source::EngineClientSource;
pub use first_bytes::FirstBytes;
pub use install::{InstallError, Removal, install, render_yaml, uninstall};
pub use manifests::{
    EngineAccess, FailurePolicy, InstallOptions, NamespaceSelection, ServiceOptions, WebhookEndpoint,
};
pub use run::{Admission, RunError, run};
pub use settings::{CertificateSource, Settings};
pub use shared_webhook::{SharedWebhook, SharedWebhookError};
pub use source::{SourceState, Verdict, VerdictError, VerdictQuestion, VerdictReason, VerdictSource};

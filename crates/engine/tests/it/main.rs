//! The engine behind a real listener, with images from a real registry.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod accounts;
mod archives;
mod backup;
mod base_images;
mod check;
mod content;
mod events;
mod exceptions;
mod exchanges;
mod feeds;
mod image_deletion;
mod images;
mod imports;
mod imports_trust;
mod metrics;
mod notifications;
mod oauth;
mod old_files;
mod openapi;
mod outbound;
mod policies;
mod queries;
mod receiver;
mod registries;
mod remembered;
mod repositories;
mod restart;
mod subscriptions;
mod support;
mod system;
mod transport;
mod users;
mod verdict;
mod watches;
mod webhook_requests;

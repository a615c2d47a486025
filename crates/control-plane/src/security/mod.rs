//! What is read from a cluster about its images: decisions, exemptions, what runs, and which release it belongs to.

mod helm;
mod images;
pub(crate) mod listing;
mod names;
mod namespaces;
mod releases;
mod scan_log;
mod whitelist;

pub use images::RunningImage;
pub use releases::{Release, ReleaseFilter};
pub use scan_log::ScanRecord;
pub use whitelist::{NewWhitelistItem, WhitelistError, WhitelistRecord};

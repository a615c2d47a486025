//! Vulnerability data by itself: sources are asked, good files are kept, a database is built of them and swapped in.
//!
//! Each source has one folder in the data folder; a new version of its files lies beside the old one and is accepted by
//! one row in the engine's tables. Whatever goes wrong leaves the accepted files and the database in force, and is
//! shown: in the list of feeds, as an event, and by rules that ask how old the data is.

mod build;
mod folder;
mod list;
mod manage;
mod settings;
mod state;
mod sync;
mod told;
mod update;

pub use list::{FeedGroupStatus, FeedStatus, LastJudgement};
pub use manage::ManageFeedError;
pub use settings::FeedSettings;
pub use sync::{SyncError, SyncGroup, SyncOptions, SyncResult};

pub(crate) use folder::FeedFolder;
pub(crate) use state::{prepare, read_fact, write_fact};
pub(crate) use sync::update_due;

/// The feed that stands for everything together: clients wait for this name.
pub const ALL_FEEDS: &str = "vulnerabilities";

/// Keys of `feed_state`.
pub(crate) mod facts {
    /// `false` when nothing is to be fetched.
    pub(crate) const IS_ENABLED: &str = "is_enabled";
    /// What the last build was made of.
    pub(crate) const BUILD_INPUTS: &str = "build_inputs";
    /// Revision and time of the last build.
    pub(crate) const BUILD_IDENTITY: &str = "build_identity";
    /// Why the last build failed; empty when it did not.
    pub(crate) const BUILD_FAILURE: &str = "build_failure";
    /// Revision of the data that all images were judged with.
    pub(crate) const JUDGED_REVISION: &str = "judged_revision";
    /// Numbers of the last time images were judged again, JSON.
    pub(crate) const LAST_JUDGEMENT: &str = "last_judgement";
}

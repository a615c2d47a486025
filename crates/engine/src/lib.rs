//! The engine: which images there are, what is in them, which policies hold, and what they say about an image.
//!
//! [`Engine`] is the value that a program owns: it opens a data folder, analyzes wanted images in its workers and
//! answers questions. Two doors lead to it: [`http::router`], which speaks the Anchore API v1, and
//! [`Engine::verdict`], for an admission webhook in the same process.
//!
//! What is known about an image is its inventory and facts, stored once per digest; findings and verdicts are computed
//! from them when asked, never stored as truth. No clock is read here but the one in [`EngineSettings`].

mod accounts;
mod analysis;
mod archive;
mod backup;
mod contents;
mod duties;
mod engine;
mod evaluation;
mod events;
mod exceptions;
mod feeds;
pub mod http;
mod images;
mod imports;
mod known_vulnerabilities;
pub mod metrics;
mod notifications;
mod policies;
mod registries;
mod remembered;
mod reports;
mod settings;
mod storage_error;
mod subscriptions;
mod verdict;
mod vulnerability_database;
mod watches;

pub use accounts::{
    ADMIN, Account, AccountError, AccountState, AuthenticateError, BootstrapError, HashPasswordError,
    SERVICE_ACCOUNT, User,
};
pub use archive::{
    ArchiveImage, ArchiveRule, ArchiveRuleError, ArchiveSummary, ArchivedImage, ArchivedTag, Exclusion,
    NewArchiveRule, RestoreImageError, Selector, Transition,
};
pub use backup::{BackupError, BackupSummary, backup, restore};
pub use contents::AnalyzedImage;
pub use engine::{Engine, EngineError, EngineStatus};
pub use evaluation::{EvaluateError, Evaluation, EvaluationQuestion, ImageReport, PastEvaluation};
pub use events::{EventFilter, EventPage, EventRecord};
pub use exceptions::{ExceptionError, ExceptionRecord};
pub use feeds::{
    ALL_FEEDS, FeedGroupStatus, FeedSettings, FeedStatus, LastJudgement, ManageFeedError, SyncError,
    SyncGroup, SyncOptions, SyncResult,
};
pub use images::{
    AddImage, AddImageError, AnalysisStatus, AnalysisSummary, FoundBaseImage, FoundImages, FoundPackage,
    FoundVulnerability, ImageDeletion, ImageFilter, ImageList, ImageRecord, ImageStatus, PackageQuestion,
    ParsePullStringError, Pull, PullString, ResultPage, TagRecord, VulnerabilityQueryError,
    VulnerabilityQuestion,
};
pub use imports::{
    DocumentKind, FinishImport, FinishImportError, ImportDocument, ImportError, ImportOperation, ImportStatus,
};
pub use known_vulnerabilities::{KnownPackage, KnownQuestion, KnownVulnerability};
pub use notifications::{
    EventLevel, NotificationKind, Webhook, WebhookError, WebhookSettings, WebhookTarget, WebhookTrialError,
};
pub use policies::{PolicyError, PolicyRecord};
pub use registries::{
    AmazonSettings, LoginError, NewRegistry, RegistryError, RegistryRecord, count_sealed_passwords,
};
pub use settings::{EngineSettings, FirstStart, Intervals};
pub use storage_error::StorageError;
pub use subscriptions::{
    NewSubscription, Subscription, SubscriptionChange, SubscriptionError, SubscriptionFilter,
    SubscriptionKind,
};
pub use verdict::{Urgency, VerdictError, VerdictState};
pub use vulnerability_database::DatabaseState;
pub use watches::{RepositoryError, WatchedRepository};

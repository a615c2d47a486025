//! The words of Lazaret: plain data that every other crate speaks, with their invariants.
//!
//! No type here is a wire or storage type, and nothing here reads a clock, a file or the environment.
//!
//! # Glossary
//! - **image reference**: what a user writes to name an image, [`ImageReference`].
//! - **digest**: the identity of bytes, [`Digest`]; the identity of an image is its manifest's digest.
//! - **distro**: the operating system that an image's os-release names, [`Distro`].
//! - **package**: one installed unit with its evidence, [`Package`]; **source package**: what it was built from.
//! - **inventory**: all packages of an image, [`Inventory`], with **diagnostics** for what could not be read.
//! - **advisory**: one record of a vulnerability feed, [`Advisory`].
//! - **finding**: one advisory that applies to one package, [`Finding`], with its **evidence**.
//! - **suppressed finding**: one that something known speaks against, [`SuppressedFinding`].
//! - **explanation**: why a vulnerability is a finding of an image or is none, [`Explanation`].
//! - **match report**: all findings of an inventory and what was *not* covered, [`MatchReport`].
//! - **image facts**: what a policy may ask about an image besides its packages, [`ImageFacts`].
//! - **decision**: the verdict of a policy, row by row, [`Decision`].
//! - **verdict**: a decision about an image by its digest, with the revisions it was made from, [`Verdict`].
//! - **bundle**: a policy document of the Anchore language, version `1_0`.

mod advisory;
mod base_layers;
mod decision;
mod digest;
mod distro;
mod distro_family;
mod exception;
mod explanation;
mod finding;
mod image_contents;
mod image_facts;
mod image_reference;
mod inventory;
mod package;
mod package_feeds;
mod severity;
mod signature;
mod suppressed;
mod verdict;

pub use advisory::{
    Advisory, AffectedPackage, AffectedState, Ecosystem, FeedKind, RangeEnd, SeverityRating, VersionInterval,
};
pub use base_layers::{BasePackages, NamedBase, NotTheBase};
pub use decision::{
    Action, Decision, DecisionReason, DecisionRow, EvaluationProblem, ProblemSeverity, RuleOutcome,
    WhitelistedBy,
};
pub use digest::{Digest, DigestAlgorithm, ParseDigestError};
pub use distro::Distro;
pub use distro_family::DistroFamily;
pub use exception::{ExceptionScope, PolicyException};
pub use explanation::{Answer, AnswerOutcome, Comparison, ExplainedPackage, ExplainedRecord, Explanation};
pub use finding::{
    CvssScore, DatabaseIdentity, DistroCoverage, Epss, Evidence, Finding, FindingState, FindingTimes,
    MatchReport, MatchedBy, NoDataReason,
};
pub use image_contents::{
    FileEntry, FileKind, ImageContents, MalwareFinding, MalwareScan, PatternMatch, RetrievedFile,
};
pub use image_facts::{BaseImage, DockerfileMode, HistoryEntry, ImageFacts, LayerFacts, Platform};
pub use image_reference::{DEFAULT_TAG, DOCKER_HUB, ImageReference, ParseImageReferenceError};
pub use inventory::{Diagnostic, DiagnosticCode, Inventory};
pub use package::{JavaVersions, Location, OwnedFile, Package, PackageKind, SourcePackage};
pub use package_feeds::{PackageFeed, PackageFeeds, PublishedPackage};
pub use severity::{ParseSeverityError, Severity};
pub use signature::SignatureCheck;
pub use suppressed::{SuppressedFinding, SuppressionReason, VendorStatement};
pub use verdict::{Verdict, VerdictReason};

//! From an image source (registry, archive, layout folder) to an inventory: the only crate that talks to registries.
//!
//! [`resolve`] reads a manifest and a configuration, [`load`] also reads every layer and catalogs the packages.
//! Nothing here reads the environment or a clock of the world, and no content is written to disk: layers are streamed, and only
//! a [`LayerCache`] keeps what catalogers take out of them, and what they found in all of them together.
//!
//! What a registry, an archive or a layer says is hostile until checked: every body has a byte limit and a deadline,
//! every blob is compared with its digest, and credentials leave only for the registry (or the token service it named
//! over verified TLS) that they belong to.
//!
//! The program must install a rustls crypto provider before the first call for a registry.

mod all_layers;
mod answers;
mod archive;
mod base_image;
mod cache;
mod config;
mod contents;
mod daemon;
mod dockerfile;
mod error;
mod excluded;
mod files;
mod identity;
mod interest;
mod known;
mod layer_chains;
mod layers;
mod load;
mod manifest;
mod open;
mod options;
mod partial;
mod pipe;
mod progress;
mod registry;
mod source;

pub use answers::{is_some_answer, read_saved_image};
pub use cache::{CacheSummary, LayerCache};
pub use contents::{ContentLimits, ContentSettings, ContentSettingsError, NamedPattern, PatternError};
pub use error::{ScanError, ScanErrorKind};
pub use excluded::ExcludedPaths;
pub use files::load_files;
pub use identity::{ImageIdentity, identify};
pub use layer_chains::{LayerChains, object_to_base};
pub use load::{ResolvedImage, ScannedImage, describe_image, load, resolve};
pub use options::{
    Connections, Credentials, DaemonSockets, DockerConfig, ProxyOptions, RegistryLogin, RegistryOptions,
    RetryOptions, ScanOptions, Scope, Secret, Timeouts,
};
pub use progress::{CatalogerTime, LayerStart, Progress, Stage};
pub use registry::{EcrLogin, EcrRequest, Ping, ecr_login, list_tags, parse_ecr_host, ping};
pub use source::{DaemonKind, ImageSource, ParseImageSourceError};
// Callers build options without naming the crates that own the limits and the rules.
pub use globset::{Glob, GlobBuilder};
pub use image_layers::ImageLimits;
pub use outbound_guard::{AddressRule, HostList, RegistryAddresses};
pub use package_catalog::note_makers;
pub use tokio_util::sync::CancellationToken;

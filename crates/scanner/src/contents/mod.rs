//! What the files of an image say: attributes, the few contents that a setting names, and what patterns find in them.
//!
//! While a layer streams, [`observer`] searches each content once and keeps only numbers of patterns. After the layers are
//! laid over each other, [`collect`] takes what is left in the image.

mod collect;
mod observer;
mod owned;
mod paths;
mod pattern;
mod search;
mod settings;

pub(crate) use collect::Collection;
pub(crate) use observer::{KeptBytes, LayerFindings, LayerObserver};
pub(crate) use owned::compare_owned;
pub use pattern::{NamedPattern, PatternError};
pub(crate) use search::Search;
pub use settings::{ContentLimits, ContentSettings, ContentSettingsError};

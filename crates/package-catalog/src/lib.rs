//! Which packages are installed in an image: an [`ImageTree`](image_layers::ImageTree) in, an [`Inventory`](model::Inventory) out.
//!
//! Every kind of package database has a folder here and one row in `table.rs`. Files are matched in one walk over the tree.
//! Nothing fails: what cannot be read becomes a [`Diagnostic`](model::Diagnostic), also a database that is only recognised.
//! Nothing here opens a socket, reads a clock or looks at the environment.

mod alpine;
mod attribution;
mod binary;
mod bitnami;
mod bottlerocket;
mod busybox;
mod cataloger;
mod channel;
mod conda;
mod dart;
mod debian;
mod described;
mod dotnet;
mod elf;
mod erlang;
mod extract;
mod go;
mod installed;
mod java;
mod julia;
mod jvm;
mod kernel;
mod lua;
mod makers;
mod node;
mod notable;
mod opkg;
mod os_release;
mod ownership;
mod pacman;
mod parse;
mod pattern_index;
mod php;
mod portage;
mod purl;
mod python;
mod r;
mod renamed;
mod rpm;
mod ruby;
mod rust;
mod snap;
mod spdx;
mod swift;
mod table;
mod third_party;
mod unread;
mod walk;
mod watch;
mod wolfi;
mod wordpress;

#[cfg(test)]
mod tests;

pub use attribution::is_traced;
pub use extract::{CATALOG_VERSION, LayerExtractor};
pub use java::ArchiveLimits;
pub use makers::note_makers;
pub use parse::CatalogLimits;
pub use renamed::missing;
pub use walk::{catalog, catalog_part, catalog_watched, is_wanted};
pub use watch::CatalogWatcher;

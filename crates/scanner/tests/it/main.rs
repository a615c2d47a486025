//! The crate at its boundary: registries (a real one and one that misbehaves) and archives.

// The lints know by this attribute that `unwrap` is fine here.
#[cfg(test)]
mod addresses;
#[cfg(test)]
mod archives;
mod cache;
#[cfg(test)]
mod contents;
#[cfg(test)]
mod contents_judges;
#[cfg(test)]
mod documents;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod image_cache;
mod local;
#[cfg(test)]
mod orders;
#[cfg(test)]
mod partial;
#[cfg(test)]
mod registry;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tags;

//! What a bundle decides about an image: rows through one check function each.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends where its own fixture is wrong")]

mod bundles;
mod exception_documents;
mod exceptions;
mod fixture;
mod gate_contents;
mod gate_dockerfile;
mod gate_files;
mod gate_licenses;
mod gate_metadata;
mod gate_packages;
mod gate_passwd_file;
mod gate_published_packages;
mod gate_vulnerabilities;
mod hostile;
mod hostile_images;
mod image_lists;
mod lookup_quality;
mod mappings;
mod own_rules;
mod problems;
mod review;
mod signatures;
mod specification;
mod third_party;
mod trigger_ids;
mod waiting_times;
mod whitelists;
mod without_image;

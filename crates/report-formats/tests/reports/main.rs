//! Reports of small images in every format, judged by published schemas and read as a person would.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod bases;
mod example;
mod explanations;
mod formats;
mod html;
mod native;
mod published_schemas;
mod templates;

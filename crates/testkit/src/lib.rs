//! What tests need: images made from text, a real registry, a real Kubernetes control plane, the built program.
//!
//! Development only: no crate uses it but `xtask` and tests. Everything here cleans up after itself, on drop, on panic and
//! when the test is killed; what other people's programs must be there is installed and built by `cargo xtask setup`.

mod cluster;
mod command;
mod debian;
mod dex;
mod environment;
pub mod exchanges;
mod file_server;
mod go_tool;
mod image;
mod image_daemons;
mod kubernetes_tools;
mod openapi;
mod ports;
mod postgres;
mod process;
mod program;
mod python_tools;
mod registry;
mod scratch;
#[cfg(test)]
mod tests;
mod vault;
mod wait;

pub use cluster::Cluster;
pub use command::{Output, run};
pub use debian::{DebianImages, DebianRecipe, debian_images};
pub use dex::{DexClient, DexPerson, DexServer};
pub use environment::{
    cache_folder, environment_variable, find_program, is_executable, require_program, workspace_folder,
};
pub use file_server::{Behaviour, FileServer, SeenRequest};
pub use go_tool::{GoBuild, GoTool};
pub use image::{Image, ImageBuilder, Layer, LayerBlob, LayerCompression, digest_of};
pub use image_daemons::ImageDaemon;
pub use kubernetes_tools::{KUBERNETES_PROGRAMS, KubernetesBuild, KubernetesPrograms, find_missing_programs};
pub use openapi::collect_references;
pub use postgres::{PostgresDatabase, PostgresServer, postgres_database};
pub use process::is_process_alive;
pub use program::{Program, RunningProgram};
pub use python_tools::{PYTHON, PythonTool};
pub use registry::{Registry, RegistryMode};
pub use scratch::Scratch;
/// What a tar archive calls the kinds of its entries; for [`Layer::entry`].
pub use tar::EntryType;
pub use vault::VaultServer;
pub use wait::{wait_until, wait_until_async};

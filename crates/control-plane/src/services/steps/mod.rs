//! What the steps do. Each may be cut off anywhere and be done again.

mod engine;
mod namespaces;
mod ownership;
mod policies;
mod registries;
mod resources;
mod server;
mod tenants;
mod webhook;

//! The control plane behind a real listener, on SQLite and on PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod anchore;
mod cluster_reads;
mod cluster_support;
mod clusters;
mod engine_support;
mod identity;
mod kubeconfigs;
mod login;
mod login_hostile;
mod login_program;
mod login_support;
mod login_userinfo;
mod older_security;
mod openapi;
mod processes;
mod running;
mod running_fresh;
mod running_support;
mod secret_stores;
mod secrets;
mod services;
mod support;
mod tenant_routes;
mod tenants;
mod vault;
mod vault_support;

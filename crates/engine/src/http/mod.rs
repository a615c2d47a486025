//! The Anchore API v1: every route with and without `/v1`.
//!
//! One file per first word of the path. A handler takes a `Call` (who asks, in which account, with which query
//! and body), calls one method of the engine and puts the answer into its own wire type.

mod account;
mod accounts;
mod answer;
mod archive_rules;
mod archives;
mod artifacts;
mod call;
mod check;
mod content;
mod event_types;
mod events;
mod exceptions;
mod fields;
mod image_deletion;
mod images;
mod images_body;
mod imports;
mod imports_body;
mod metadata;
mod oauth;
mod openapi;
mod permission;
mod policies;
mod query;
mod registries;
mod repositories;
mod root;
mod sboms;
mod services;
mod subscriptions;
mod summaries;
mod system;
mod system_feeds;
mod system_webhooks;
mod transport;
mod user;
mod vulnerabilities;

pub(crate) use check::{Details, evaluation_result};
pub(crate) use vulnerabilities::package_type;

use std::sync::Arc;
use std::time::Duration;

use axum::error_handling::HandleErrorLayer;
use axum::routing::{get, post, put};
use axum::{Extension, Router};
use tower::ServiceBuilder;

use crate::{ADMIN, AccountError, Engine};

/// Requests that are worked on at the same time; more are told to come back.
const REQUESTS_MAX: usize = 256;
/// Longest time for one request. The longest work is to ask a registry for a manifest.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(120);

/// The API for callers in the same process: without credentials they act as the administrator. Never put it behind a listener.
///
/// Errors: the administrator cannot be read.
pub async fn trusted_router(engine: Arc<Engine>) -> Result<Router, AccountError> {
    let trusted = call::Trusted(engine.find_user(ADMIN, ADMIN).await?);
    Ok(router(engine).layer(Extension(trusted)))
}

/// The API of an engine.
pub fn router(engine: Arc<Engine>) -> Router {
    let metrics = engine.settings.metrics.clone();
    let routes = Router::new()
        .route("/", get(root::version_prefix))
        .route("/health", get(root::health))
        .route("/version", get(root::version))
        .route("/swagger.json", get(openapi::swagger))
        .route("/openapi.json", get(openapi::openapi))
        .route("/oauth/token", post(oauth::token))
        .route("/account", get(account::account))
        .route("/user", get(user::user))
        .route("/user/credentials", get(user::credentials).post(user::add_credential))
        .route("/accounts", get(accounts::list).post(accounts::add))
        .route("/accounts/{account}", get(accounts::get).delete(accounts::delete))
        .route("/accounts/{account}/state", put(accounts::set_state))
        .route("/accounts/{account}/users", get(accounts::list_users).post(accounts::add_user))
        .route("/accounts/{account}/users/{username}", get(accounts::get_user).delete(accounts::delete_user))
        .route(
            "/accounts/{account}/users/{username}/credentials",
            get(accounts::list_credentials)
                .post(accounts::add_credential)
                .delete(accounts::delete_credential),
        )
        .route("/images", get(images::list).post(images::add).delete(image_deletion::delete_several))
        .route("/images/{digest}", get(images::get).delete(image_deletion::delete))
        .route("/images/by_id/{image_id}", get(images::get_by_id).delete(image_deletion::delete_by_id))
        .route("/imports/images", get(imports::list).post(imports::begin))
        .route("/imports/images/{uuid}", get(imports::get).delete(imports::delete))
        .route("/imports/images/{uuid}/{type}", get(imports::list_documents).post(imports::upload))
        .route("/import/images", post(imports::archive))
        .route("/summaries/imagetags", get(summaries::image_tags))
        .route("/images/{digest}/check", get(check::check))
        .route("/images/by_id/{image_id}/check", get(check::check_by_id))
        .route("/images/{digest}/vuln", get(vulnerabilities::types))
        .route("/images/{digest}/vuln/{type}", get(vulnerabilities::list))
        .route("/images/{digest}/content", get(content::types))
        .route("/images/{digest}/content/{type}", get(content::list))
        .route("/exceptions", get(exceptions::list).post(exceptions::add))
        .route("/exceptions/{id}", get(exceptions::get).put(exceptions::update).delete(exceptions::delete))
        .route("/images/by_id/{image_id}/content", get(content::types))
        .route("/images/by_id/{image_id}/content/{type}", get(content::list_by_id))
        .route("/images/by_id/{image_id}/vuln", get(vulnerabilities::types))
        .route("/images/by_id/{image_id}/vuln/{type}", get(vulnerabilities::list_by_id))
        .route("/images/{digest}/metadata", get(metadata::types))
        .route("/images/{digest}/metadata/{type}", get(metadata::get))
        .route("/images/{digest}/artifacts/{type}", get(artifacts::get))
        .route("/images/{digest}/sboms/native", get(sboms::native))
        .route("/query/images/by_package", get(query::images_by_package))
        .route("/query/images/by_vulnerability", get(query::images_by_vulnerability))
        .route("/query/vulnerabilities", get(query::vulnerabilities))
        .route("/archives", get(archives::summary))
        .route("/archives/images", get(archives::list).post(archives::add))
        .route("/archives/images/{digest}", get(archives::get).delete(archives::delete))
        .route("/archives/rules", get(archive_rules::list).post(archive_rules::add))
        .route("/archives/rules/{id}", get(archive_rules::get).delete(archive_rules::delete))
        .route("/policies", get(policies::list).post(policies::add))
        .route("/policies/{id}", get(policies::get).put(policies::update).delete(policies::delete))
        .route("/registries", get(registries::list).post(registries::add))
        .route(
            "/registries/{*registry}",
            get(registries::get).put(registries::update).delete(registries::delete),
        )
        .route("/events", get(events::list).delete(events::delete_many))
        .route("/events/{id}", get(events::get).delete(events::delete))
        .route("/event_types", get(event_types::list))
        .route("/repositories", post(repositories::add))
        .route("/subscriptions", get(subscriptions::list).post(subscriptions::add))
        .route(
            "/subscriptions/{id}",
            get(subscriptions::get).put(subscriptions::update).delete(subscriptions::delete),
        )
        .route("/status", get(system::status))
        .route("/system", get(system::services))
        .route("/system/webhooks/{type}/test", post(system_webhooks::test))
        .route("/system/error_codes", get(services::error_codes))
        .route("/system/services", get(services::list))
        .route("/system/services/{name}", get(services::list_by_name))
        .route("/system/services/{name}/{host}", get(services::get).delete(services::delete))
        .route("/system/feeds", get(system_feeds::list).post(system_feeds::sync))
        .route("/system/feeds/{feed}", put(system_feeds::update).delete(system_feeds::delete))
        .route(
            "/system/feeds/{feed}/{*group}",
            put(system_feeds::update_group).delete(system_feeds::delete_group),
        )
        .route("/system/policy_spec", get(system::policy_specification))
        .route_layer(axum::middleware::from_fn(transport::note_route))
        .fallback(transport::not_found)
        .method_not_allowed_fallback(transport::method_not_allowed)
        .with_state(engine);
    let bounded = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(transport::overloaded))
        .load_shed()
        .concurrency_limit(REQUESTS_MAX)
        .timeout(REQUEST_TIME_MAX)
        .map_request(transport::normalize_path)
        .service(routes);
    Router::new()
        .fallback_service(bounded)
        .layer(axum::middleware::from_fn_with_state(metrics, transport::guard))
}

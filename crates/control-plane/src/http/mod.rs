//! The HTTP API: one module per first word of the path. A handler extracts, authorizes, calls one method of
//! [`ControlPlane`] and maps the result to the wire.

mod anchore;
mod answer;
mod auth;
mod body;
mod browser_page;
mod call;
mod capabilities;
mod clusters;
mod cookies;
mod deployments;
mod images;
mod imagescan;
mod me;
pub mod monitoring;
mod namespaces;
mod openapi;
mod orgs;
mod podscan;
mod policies;
mod processes;
mod root;
mod same_origin;
mod scanlog;
mod secret_types;
mod secrets;
mod securityscan;
mod services;
mod sessions;
mod tokens;
mod transport;
mod whitelists;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::error_handling::HandleErrorLayer;
use axum::routing::{MethodRouter, delete, get, post};
use tower::ServiceBuilder;

use crate::ControlPlane;
use monitoring::Readiness;

/// Requests that are answered at the same time.
const REQUESTS_MAX: usize = 256;
/// Longest time until an answer begins.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(120);

/// What handlers have at hand.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) plane: Arc<ControlPlane>,
    pub(crate) readiness: Readiness,
}

/// The routes of this listener: everything under the base path of the settings, and without it.
pub fn router(plane: Arc<ControlPlane>, readiness: Readiness) -> Router {
    let base_path = plane.settings.base_path.clone();
    let shared = Shared { plane, readiness };
    let mut routes = Router::new().merge(routes());
    if !base_path.is_empty() {
        routes = routes.nest(&base_path, self::routes());
    }
    let routes = routes
        .route("/", get(root::index))
        .route_layer(axum::middleware::from_fn(telemetry::note_route))
        .fallback(transport::not_found)
        .method_not_allowed_fallback(transport::method_not_allowed)
        .with_state(shared);
    let bounded = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(transport::overloaded))
        .load_shed()
        .concurrency_limit(REQUESTS_MAX)
        .timeout(REQUEST_TIME_MAX)
        .service(routes);
    Router::new().fallback_service(bounded).layer(axum::middleware::from_fn(transport::guard))
}

fn routes() -> Router<Shared> {
    Router::new()
        .route("/version", get(root::version))
        .route("/healthz", get(root::alive))
        .route("/readyz", get(root::ready))
        .route("/openapi.json", get(openapi::get))
        .nest("/auth", auth())
        .nest("/api/v1", api())
}

/// How people log in. Nobody who comes here is known yet.
fn auth() -> Router<Shared> {
    Router::new()
        .route("/oidc/login", get(auth::begin))
        .route("/oidc/callback", get(auth::finish))
        .route("/oidc/client", get(auth::client))
        .route("/dex/login", get(auth::begin))
        .route("/dex/callback", post(auth::admit_program))
        .route("/logout", post(auth::log_out))
}

fn api() -> Router<Shared> {
    Router::new()
        .route("/openapi.json", get(openapi::get))
        .route("/me", get(me::get))
        .route("/capabilities", get(capabilities::get))
        .route("/tokens", get(tokens::list).post(tokens::create))
        .route("/tokens/{id}", get(tokens::get).delete(tokens::delete))
        .route("/securityscan", get(securityscan::get))
        .route("/sessions", get(sessions::list))
        .route("/sessions/{id}", delete(sessions::delete))
        .route("/orgs", get(orgs::list))
        .route("/orgs/{organization}", get(orgs::get))
        .route("/secret-types", get(secret_types::list))
        .route("/secret-types/{type}", get(secret_types::get))
        .route("/orgs/{organization}/secrets", get(secrets::list).post(secrets::create))
        .route(
            "/orgs/{organization}/secrets/{id}",
            get(secrets::get).put(secrets::update).delete(secrets::delete),
        )
        .route("/orgs/{organization}/processes", get(processes::list))
        .route("/orgs/{organization}/processes/{id}", get(processes::get))
        .route("/orgs/{organization}/processes/{id}/cancel", post(processes::cancel))
        .route("/orgs/{organization}/clusters", get(clusters::list).post(clusters::create))
        .merge(cluster())
        .merge(services("services"))
        .merge(services("features"))
}

/// What there is about one cluster. Not nested: [`call`] decides by the path who may, and has to see the whole of it.
fn cluster() -> Router<Shared> {
    let routes: [(&str, MethodRouter<Shared>); 19] = [
        ("", get(clusters::get).delete(clusters::delete)),
        ("/config", get(clusters::config)),
        ("/namespaces", get(namespaces::list)),
        ("/scanlog", get(scanlog::list)),
        ("/scanlog/{release}", get(scanlog::of_release)),
        ("/whitelists", get(whitelists::list).post(whitelists::create)),
        ("/whitelists/{name}", delete(whitelists::delete)),
        ("/images", get(images::list)),
        ("/podscan", get(podscan::list)),
        ("/images/{digest}/deployments", get(deployments::of_image)),
        ("/deployments", get(deployments::list)),
        ("/deployments/{release}/images", get(images::of_release)),
        ("/anchore/", engine()),
        ("/anchore/{*path}", engine()),
        ("/policies", get(policies::list).post(policies::create)),
        ("/policies/{id}", get(policies::get).put(policies::update).delete(policies::delete)),
        ("/imagescan", post(imagescan::create)),
        ("/imagescan/{digest}", get(imagescan::get)),
        ("/imagescan/{digest}/vuln", get(imagescan::vulnerabilities)),
    ];
    routes.into_iter().fold(Router::new(), |router, (path, handlers)| {
        router.route(&format!("/orgs/{{organization}}/clusters/{{cluster}}{path}"), handlers)
    })
}

/// The engine of a cluster takes what engines take.
fn engine() -> MethodRouter<Shared> {
    get(anchore::forward)
        .post(anchore::forward)
        .put(anchore::forward)
        .patch(anchore::forward)
        .delete(anchore::forward)
}

/// Services of a cluster, under either of their names.
fn services(word: &str) -> Router<Shared> {
    let all = format!("/orgs/{{organization}}/clusters/{{cluster}}/{word}");
    let one = get(services::get).post(services::activate).put(services::update).delete(services::deactivate);
    Router::new().route(&all, get(services::list)).route(&format!("{all}/{{service}}"), one)
}

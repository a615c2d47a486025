//! Who may call what: one table for all routes, asked before any handler runs.
//!
//! Users of an account of type `admin` or `service` may do everything. Everybody else may act in his own account only, and
//! never in the domain `system`. A route without a row is for administrators: forgetting a row locks, it does not open.

use axum::extract::{MatchedPath, RawPathParams};
use axum::http::{Method, StatusCode};

use super::answer::ApiError;
use crate::User;

/// Whose things a route is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Domain {
    /// Of nobody in particular: whoever has logged in, whichever account he names.
    Anybody,
    /// Of the account that the request is for.
    Namespace,
    /// Of the account that the path names.
    InPath,
    /// Of the whole installation.
    System,
    /// The same, with words of its own.
    Administrators,
}

use Domain::{Administrators, Anybody, InPath, Namespace, System};

/// The first word of the path below the version, the method, the domain, the action. `*` in a path is a segment of any text,
/// `**` the rest of the path. The first row that fits counts.
type Row = (&'static str, &'static str, Domain, &'static str);

const ROWS: &[Row] = &[
    ("GET", "/account", Namespace, "getAccount"),
    ("GET", "/user", Anybody, "getUser"),
    ("GET", "/user/credentials", Anybody, "getUser"),
    ("POST", "/user/credentials", Anybody, "updateUser"),
    ("GET", "/accounts", System, "listAccounts"),
    ("POST", "/accounts", System, "createAccount"),
    ("GET", "/accounts/*", InPath, "getAccount"),
    ("DELETE", "/accounts/*", System, "deleteAccount"),
    ("PUT", "/accounts/*/state", System, "updateAccount"),
    ("GET", "/accounts/*/users", InPath, "listUsers"),
    ("POST", "/accounts/*/users", InPath, "createUser"),
    ("GET", "/accounts/*/users/*", InPath, "getUser"),
    ("DELETE", "/accounts/*/users/*", InPath, "deleteUser"),
    ("GET", "/accounts/*/users/*/credentials", InPath, "getUser"),
    ("POST", "/accounts/*/users/*/credentials", InPath, "updateUser"),
    ("DELETE", "/accounts/*/users/*/credentials", InPath, "updateUser"),
    ("GET", "/images", Namespace, "listImages"),
    ("POST", "/images", Namespace, "createImage"),
    ("DELETE", "/images", Namespace, "deleteImage"),
    ("GET", "/images/*/check", Namespace, "getImageEvaluation"),
    ("GET", "/images/by_id/*/check", Namespace, "getImageEvaluation"),
    ("GET", "/images/**", Namespace, "getImage"),
    ("DELETE", "/images/**", Namespace, "deleteImage"),
    ("GET", "/summaries/**", Namespace, "listImages"),
    ("GET", "/imports/**", Namespace, "getImage"),
    ("POST", "/imports/**", Namespace, "importImage"),
    ("DELETE", "/imports/**", Namespace, "importImage"),
    ("POST", "/import/**", Namespace, "importImage"),
    ("GET", "/policies", Namespace, "listPolicies"),
    ("POST", "/policies", Namespace, "createPolicy"),
    ("GET", "/policies/*", Namespace, "getPolicy"),
    ("PUT", "/policies/*", Namespace, "updatePolicy"),
    ("DELETE", "/policies/*", Namespace, "deletePolicy"),
    ("GET", "/registries", Namespace, "listRegistries"),
    ("POST", "/registries", Namespace, "createRegistry"),
    ("GET", "/registries/**", Namespace, "getRegistry"),
    ("PUT", "/registries/**", Namespace, "updateRegistry"),
    ("DELETE", "/registries/**", Namespace, "deleteRegistry"),
    ("POST", "/repositories", Namespace, "createRepository"),
    ("GET", "/subscriptions", Namespace, "listSubscriptions"),
    ("POST", "/subscriptions", Namespace, "createSubscription"),
    ("GET", "/subscriptions/*", Namespace, "getSubscription"),
    ("PUT", "/subscriptions/*", Namespace, "updateSubscription"),
    ("DELETE", "/subscriptions/*", Namespace, "deleteSubscription"),
    ("GET", "/events", Namespace, "listEvents"),
    ("DELETE", "/events", Namespace, "deleteEvents"),
    ("GET", "/events/*", Namespace, "getEvent"),
    ("DELETE", "/events/*", Namespace, "deleteEvents"),
    ("GET", "/event_types", Namespace, "listEvents"),
    ("GET", "/query/vulnerabilities", Anybody, "queryVulnerabilities"),
    ("GET", "/query/images/**", Namespace, "listImages"),
    ("GET", "/archives", Namespace, "listArchives"),
    ("GET", "/archives/images", Namespace, "listImageArchives"),
    ("POST", "/archives/images", Namespace, "createImageArchive"),
    ("GET", "/archives/images/*", Namespace, "getImageArchive"),
    ("DELETE", "/archives/images/*", Namespace, "deleteImageArchive"),
    ("GET", "/archives/rules", Namespace, "listArchiveTransitionRules"),
    // A rule for all accounts is the handler's to refuse: see `Call::require_system`.
    ("POST", "/archives/rules", Namespace, "createArchiveTransitionRule"),
    ("GET", "/archives/rules/*", Namespace, "getArchiveTransitionRule"),
    ("GET", "/archives/rules/*/history", Namespace, "getArchiveTransitionRule"),
    ("DELETE", "/archives/rules/*", Namespace, "deleteArchiveTransitionRule"),
    ("GET", "/exceptions/**", Namespace, "listPolicies"),
    ("GET", "/exceptions", Namespace, "listPolicies"),
    ("POST", "/exceptions", Namespace, "updatePolicy"),
    ("PUT", "/exceptions/**", Namespace, "updatePolicy"),
    ("DELETE", "/exceptions/**", Namespace, "updatePolicy"),
    ("GET", "/status", Anybody, "getStatus"),
    ("GET", "/system", Anybody, "getSystem"),
    ("GET", "/system/error_codes", Anybody, "getSystem"),
    ("GET", "/system/policy_spec", Anybody, "getSystem"),
    ("GET", "/system/feeds", Anybody, "listFeeds"),
    ("GET", "/system/feeds/**", Anybody, "listFeeds"),
    ("POST", "/system/feeds", System, "updateFeeds"),
    ("PUT", "/system/feeds/**", System, "updateFeeds"),
    ("DELETE", "/system/feeds/**", System, "updateFeeds"),
    ("GET", "/system/services", System, "listServices"),
    ("GET", "/system/services/**", System, "listServices"),
    ("DELETE", "/system/services/**", System, "deleteService"),
    ("POST", "/system/webhooks/**", Administrators, "testWebhook"),
];

/// The row of a route, whose parameters are `{…}`.
fn find(method: &Method, path: &str) -> Option<&'static Row> {
    let method = if method == Method::HEAD { "GET" } else { method.as_str() };
    ROWS.iter().find(|(of, pattern, ..)| *of == method && fits(pattern, path))
}

fn fits(pattern: &str, path: &str) -> bool {
    let mut segments = path.split('/');
    for wanted in pattern.split('/') {
        match (wanted, segments.next()) {
            ("**", Some(_)) => return true,
            (_, None) => return false,
            ("*", Some(segment)) if segment.starts_with('{') => {}
            (wanted, Some(segment)) if wanted == segment => {}
            _ => return false,
        }
    }
    segments.next().is_none()
}

/// Whether the user may call this route for this account.
pub(super) fn check(
    user: &User,
    namespace: &str,
    method: &Method,
    path: Option<&MatchedPath>,
    parameters: &RawPathParams,
) -> Result<(), ApiError> {
    if user.account.is_privileged() {
        return Ok(());
    }
    let own = user.account.name.as_str();
    let row = path.and_then(|path| find(method, path.as_str()));
    let (domain, action) = match row {
        Some((.., Anybody, _)) => return Ok(()),
        Some((.., Namespace, action)) => (namespace, *action),
        // An account in the path is found in that account, whichever one the header names.
        Some((.., InPath, action)) if namespace == own => {
            (parameters.iter().next().map_or("", |(_, account)| account), *action)
        }
        Some((.., InPath, action)) => (namespace, *action),
        Some((.., System, action)) => ("system", *action),
        Some((.., Administrators, _)) => {
            let message = "Not authorized. Requires callers account of type admin";
            return Err(ApiError::engine(StatusCode::FORBIDDEN, message));
        }
        None => ("system", "*"),
    };
    // No account is called `system`.
    if domain == own { Ok(()) } else { Err(refused(domain, action)) }
}

/// For what only administrators may do, where the body decides that.
pub(super) fn refused(domain: &str, action: &str) -> ApiError {
    let message = format!("Not authorized. Requires permissions: domain={domain} action={action} target=*");
    ApiError::engine(StatusCode::FORBIDDEN, message)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Every `.route("…", get(…).post(…))` of the router, as written.
    pub(in crate::http) fn routes() -> Vec<(Method, &'static str)> {
        let source = include_str!("mod.rs");
        let mut routes = Vec::new();
        for part in source.split(".route(").skip(1) {
            let mut quoted = part.split('"');
            let path = quoted.nth(1).unwrap();
            let handlers = quoted.next().unwrap().split(".fallback").next().unwrap();
            for (word, method) in [
                ("get(", Method::GET),
                ("post(", Method::POST),
                ("put(", Method::PUT),
                ("delete(", Method::DELETE),
            ] {
                // `images::delete)` is a handler's name, `.delete(` a method.
                let is_there = handlers.match_indices(word).any(|(at, _)| {
                    !handlers[..at].ends_with(|before: char| before.is_ascii_alphanumeric() || before == '_')
                        && !handlers[..at].ends_with("::")
                });
                if is_there {
                    routes.push((method, path));
                }
            }
        }
        assert!(routes.len() > 30, "{routes:?}");
        routes
    }

    #[test]
    fn every_route_has_a_row() {
        let open = ["/", "/health", "/version", "/swagger.json", "/openapi.json", "/oauth/token"];
        for (method, path) in routes() {
            assert!(open.contains(&path) || find(&method, path).is_some(), "{method} {path} has no row");
        }
    }

    #[test]
    fn rows_fit_routes() {
        for (method, path, action) in [
            ("GET", "/images", Some("listImages")),
            ("HEAD", "/images", Some("listImages")),
            ("GET", "/images/{digest}", Some("getImage")),
            ("GET", "/images/{digest}/check", Some("getImageEvaluation")),
            ("GET", "/images/{digest}/vuln/{type}", Some("getImage")),
            ("GET", "/registries/{*registry}", Some("getRegistry")),
            ("PUT", "/accounts/{account}/state", Some("updateAccount")),
            ("GET", "/accounts/{account}/nothing", None),
            ("PATCH", "/images", None),
        ] {
            let found = find(&method.parse().unwrap(), path).map(|(.., action)| *action);
            assert_eq!(found, action, "{method} {path}");
        }
    }
}

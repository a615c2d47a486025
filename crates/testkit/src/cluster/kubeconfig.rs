//! kubeconfig files, written as JSON, which every reader of YAML accepts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::certificates::Identity;

/// A kubeconfig with one cluster, one user and one context, everything embedded.
pub(crate) fn kubeconfig(
    server: &str,
    authority_certificate: &str,
    user: &str,
    identity: &Identity,
) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "test", "cluster": {
            "server": server,
            "certificate-authority-data": STANDARD.encode(authority_certificate),
        }}],
        "users": [{ "name": user, "user": {
            "client-certificate-data": STANDARD.encode(&identity.certificate),
            "client-key-data": STANDARD.encode(&identity.key),
        }}],
        "contexts": [{ "name": user, "context": { "cluster": "test", "user": user } }],
        "current-context": user,
    })
}

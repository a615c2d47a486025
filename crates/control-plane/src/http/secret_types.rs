//! `/api/v1/secret-types`: what the kinds of secrets hold.

use std::collections::BTreeMap;

use axum::extract::Path;
use serde::Serialize;

use super::answer::{Answer, ApiError, ok};
use super::call::Caller;
use crate::{SecretField, SecretKind};

#[derive(Serialize)]
struct KindWire {
    fields: Vec<FieldWire>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FieldWire {
    name: &'static str,
    required: bool,
    is_safe_to_display: bool,
    description: &'static str,
}

impl From<&SecretField> for FieldWire {
    fn from(field: &SecretField) -> Self {
        let SecretField { name, is_required, is_safe_to_display, description } = *field;
        Self { name, required: is_required, is_safe_to_display, description }
    }
}

impl From<SecretKind> for KindWire {
    fn from(kind: SecretKind) -> Self {
        Self { fields: kind.fields().iter().map(FieldWire::from).collect() }
    }
}

/// `GET /api/v1/secret-types`.
pub(super) async fn list(_caller: Caller) -> Answer {
    let kinds: BTreeMap<&str, KindWire> =
        SecretKind::ALL.into_iter().map(|kind| (kind.name(), KindWire::from(kind))).collect();
    ok(&kinds)
}

/// `GET /api/v1/secret-types/{type}`.
pub(super) async fn get(_caller: Caller, Path(name): Path<String>) -> Answer {
    match SecretKind::from_name(&name) {
        Some(kind) => ok(&KindWire::from(kind)),
        None => Err(ApiError::not_found(format!("wrong secret type: {name}"))),
    }
}

//! AdmissionReviews on the wire: bytes in, a checked request out; an answer in, bytes out.
//!
//! Versions `v1` and `v1beta1` have the same fields here, so the answer repeats the version of the question.

use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::images::Text;

/// Most bytes of a review. The API server's own limit for an object is 1.5 MiB, and an update carries two.
pub const REVIEW_BYTES_MAX: usize = 3 << 20;

/// Longest warning that the API server passes on whole, in characters.
pub const WARNING_CHARS_MAX: usize = 256;

/// What somebody wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Make an object.
    Create,
    /// Change one.
    Update,
    /// Remove one, connect to one: nothing that starts an image.
    Other,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawReview<'a> {
    #[serde(borrow, default)]
    api_version: Option<Text<'a>>,
    #[serde(borrow, default)]
    kind: Option<Text<'a>>,
    #[serde(borrow, default)]
    request: Option<RawRequest<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawRequest<'a> {
    #[serde(borrow, default)]
    uid: Option<Text<'a>>,
    #[serde(borrow, default)]
    kind: Option<RawKind<'a>>,
    #[serde(borrow, default)]
    name: Option<Text<'a>>,
    #[serde(borrow, default)]
    namespace: Option<Text<'a>>,
    #[serde(borrow, default)]
    operation: Option<Text<'a>>,
    #[serde(default)]
    dry_run: Option<bool>,
    #[serde(borrow, default)]
    object: Option<&'a RawValue>,
    #[serde(borrow, default)]
    old_object: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct RawKind<'a> {
    #[serde(borrow, default)]
    group: Option<Text<'a>>,
    #[serde(borrow, default)]
    kind: Option<Text<'a>>,
}

/// A request that can be answered.
#[derive(Debug)]
pub struct ReviewRequest<'a> {
    /// Version to answer in.
    pub api_version: Text<'a>,
    /// To be repeated in the answer.
    pub uid: Text<'a>,
    /// API group of the object.
    pub group: Text<'a>,
    /// Kind of the object.
    pub kind: Text<'a>,
    /// Name, empty where the API server will make one.
    pub name: Text<'a>,
    /// Namespace, empty for objects outside of any.
    pub namespace: Text<'a>,
    /// What is asked.
    pub operation: Operation,
    /// Whether nothing will be stored, so that nothing may be written here either.
    pub is_dry_run: bool,
    /// The object as it is to be.
    pub object: Option<&'a RawValue>,
    /// The object as it is.
    pub old_object: Option<&'a RawValue>,
}

/// Why there is nothing to decide. The caller gets the text and a status, never an answer.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// No bytes.
    #[error("empty body")]
    Empty,
    /// Too many bytes.
    #[error("body has more than {REVIEW_BYTES_MAX} bytes")]
    TooLarge,
    /// The bytes did not come.
    #[error("body could not be read")]
    Unread,
    /// Not JSON, or fields of other types than an AdmissionReview has.
    #[error("body is not an AdmissionReview in JSON")]
    NotJson(#[source] serde_json::Error),
    /// JSON, but something else.
    #[error("body is not an AdmissionReview: kind is `{kind}`, apiVersion is `{api_version}`")]
    NotAReview {
        /// Kind as given.
        kind: String,
        /// Version as given.
        api_version: String,
    },
    /// There is no question in it.
    #[error("AdmissionReview has no `request`")]
    NoRequest,
    /// The question lacks something.
    #[error("AdmissionReview has no `{0}`")]
    Missing(&'static str),
}

impl ReviewError {
    /// The HTTP status that says so.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Empty
            | Self::Unread
            | Self::NotJson(_)
            | Self::NotAReview { .. }
            | Self::NoRequest
            | Self::Missing(_) => StatusCode::BAD_REQUEST,
        }
    }
}

/// Reads a review.
///
/// Shape:  JSON of `admission.k8s.io`, any version; the objects inside stay unread.
/// Limits: bytes ≤ [`REVIEW_BYTES_MAX`].
/// Errors: [`ReviewError`], each with its HTTP status.
pub fn parse_review(body: &[u8]) -> Result<ReviewRequest<'_>, ReviewError> {
    if body.is_empty() {
        return Err(ReviewError::Empty);
    }
    if body.len() > REVIEW_BYTES_MAX {
        return Err(ReviewError::TooLarge);
    }
    let review: Option<RawReview<'_>> = serde_json::from_slice(body).map_err(ReviewError::NotJson)?;
    let short = |text: Option<&Text<'_>>| {
        text.map_or_else(String::new, |text| text.as_str().chars().take(100).collect())
    };
    let Some(RawReview { api_version: Some(api_version), kind: Some(kind), request }) = review else {
        let (kind, api_version) = review
            .map_or_else(Default::default, |raw| (short(raw.kind.as_ref()), short(raw.api_version.as_ref())));
        return Err(ReviewError::NotAReview { kind, api_version });
    };
    if kind.as_str() != "AdmissionReview" || !api_version.as_str().starts_with("admission.k8s.io/") {
        return Err(ReviewError::NotAReview {
            kind: short(Some(&kind)),
            api_version: short(Some(&api_version)),
        });
    }
    let RawRequest { uid, kind, name, namespace, operation, dry_run, object, old_object } =
        request.ok_or(ReviewError::NoRequest)?;
    let uid = uid.filter(|uid| !uid.as_str().is_empty()).ok_or(ReviewError::Missing("request.uid"))?;
    let RawKind { group, kind } = kind.ok_or(ReviewError::Missing("request.kind"))?;
    let operation = match operation.as_ref().map(Text::as_str) {
        Some("CREATE") => Operation::Create,
        Some("UPDATE") => Operation::Update,
        Some(_) => Operation::Other,
        None => return Err(ReviewError::Missing("request.operation")),
    };
    let empty = || Text("".into());
    Ok(ReviewRequest {
        api_version,
        uid,
        group: group.unwrap_or_else(empty),
        kind: kind.ok_or(ReviewError::Missing("request.kind.kind"))?,
        name: name.unwrap_or_else(empty),
        namespace: namespace.unwrap_or_else(empty),
        operation,
        is_dry_run: dry_run.unwrap_or(false),
        object,
        old_object,
    })
}

/// What the API server is told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// Whether the object may be stored.
    pub is_allowed: bool,
    /// Text for whoever asked; empty for none.
    pub message: String,
    /// Warnings for whoever asked.
    pub warnings: Vec<String>,
}

impl Answer {
    /// Allowed, and nothing to say.
    pub fn allowed() -> Self {
        Self { is_allowed: true, message: String::new(), warnings: Vec::new() }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireReview<'a> {
    api_version: &'a str,
    kind: &'static str,
    response: WireResponse<'a>,
}

#[derive(Serialize)]
struct WireResponse<'a> {
    uid: &'a str,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<WireStatus<'a>>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    warnings: &'a [String],
}

#[derive(Serialize)]
struct WireStatus<'a> {
    status: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    message: &'a str,
    code: u16,
}

/// Writes the answer. The request is not repeated, and a refusal carries no reason word, as the original's did not: the
/// line that users see begins with `Error from server: admission webhook` then.
pub fn write_answer(request: &ReviewRequest<'_>, answer: &Answer) -> Vec<u8> {
    let status = match answer.is_allowed {
        true if answer.message.is_empty() => None,
        true => Some(WireStatus { status: "Success", message: &answer.message, code: 200 }),
        false => Some(WireStatus { status: "Failure", message: &answer.message, code: 403 }),
    };
    let review = WireReview {
        api_version: request.api_version.as_str(),
        kind: "AdmissionReview",
        response: WireResponse {
            uid: request.uid.as_str(),
            allowed: answer.is_allowed,
            status,
            warnings: &answer.warnings,
        },
    };
    serde_json::to_vec(&review).expect("text and numbers always serialize")
}

#[cfg(test)]
#[path = "review_tests.rs"]
mod tests;

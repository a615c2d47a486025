//! Whether a page of this server makes a browser send a request, and not one of somebody else.
//!
//! A browser sends the cookie of a session by itself. Whoever changes something with it must come from here.

use axum::http::{HeaderMap, StatusCode, header};

use super::Shared;
use super::answer::ApiError;

/// Browsers say here how the page that sends is related to us; no page can set it.
const FETCH_SITE: &str = "sec-fetch-site";

/// Refuses what does not come from a page of ours.
pub(super) fn check(headers: &HeaderMap, shared: &Shared) -> Result<(), ApiError> {
    let own = shared.plane.login.as_ref().map(|login| login.settings.origin()).unwrap_or_default();
    if is_same(headers, &own) {
        return Ok(());
    }
    Err(ApiError::problem(
        StatusCode::FORBIDDEN,
        format!(
            "with the cookie of a session only pages of {own} may change something: send the header `Origin`, or a token \
             instead of the cookie"
        ),
    ))
}

/// What is said must say that it is here, and something must be said.
fn is_same(headers: &HeaderMap, own: &str) -> bool {
    let site = headers.get(FETCH_SITE).map(|value| value.as_bytes() == b"same-origin");
    let origin = headers.get(header::ORIGIN).map(|value| value.as_bytes() == own.as_bytes());
    match (site, origin) {
        (None, None) => false,
        (site, origin) => site.unwrap_or(true) && origin.unwrap_or(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_of_ours_change_something() {
        const OWN: &str = "https://lazaret.example.com";
        for (site, origin, expected) in [
            (Some("same-origin"), Some(OWN), true),
            (Some("same-origin"), None, true),
            (None, Some(OWN), true),
            (None, None, false),
            (Some("cross-site"), None, false),
            (Some("same-site"), Some(OWN), false),
            (Some("none"), None, false),
            (Some("same-origin"), Some("https://evil.example.com"), false),
            (None, Some("null"), false),
            (None, Some("http://lazaret.example.com"), false),
            (None, Some("https://lazaret.example.com:8443"), false),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(site) = site {
                headers.insert(FETCH_SITE, site.parse().unwrap());
            }
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, origin.parse().unwrap());
            }
            assert_eq!(is_same(&headers, OWN), expected, "{site:?} {origin:?}");
        }
    }
}

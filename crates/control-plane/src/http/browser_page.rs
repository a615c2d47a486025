//! Errors as a page, for people whose browser was sent here: a program gets problem+json.

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use super::answer::{Answer, ApiError};

/// The same answer, or its error as a page if a browser asks. `again`: where somebody may begin anew.
pub(super) fn for_browser(headers: &HeaderMap, again: Option<&str>, answer: Answer) -> Answer {
    match answer {
        Err(ApiError::Problem { status, detail, .. }) if wants_page(headers) => {
            Ok(page(status, &detail, again))
        }
        answer => answer,
    }
}

/// Whether a page is among what is accepted. Programs say `*/*` or name JSON.
fn wants_page(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let is_page = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("text/html"));
        is_page
            && !parts
                .any(|part| matches!(part.replace(' ', "").as_str(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

/// No script, no style, nothing from elsewhere: what it says may come from a stranger.
fn page(status: StatusCode, detail: &str, again: Option<&str>) -> Response {
    let title = escape(status.canonical_reason().unwrap_or("Error"));
    let again = again
        .map(|again| format!("<p><a href=\"{}\">Log in again</a></p>", escape(again)))
        .unwrap_or_default();
    let body = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title></head>\
         <body><h1>{title}</h1><p>{}</p>{again}</body></html>\n",
        escape(detail)
    );
    let mut response = (status, body).into_response();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
        (header::VARY, "accept"),
        (HeaderName::from_static("referrer-policy"), "no-referrer"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_accepts_a_page_gets_one() {
        for (accept, expected) in [
            (None, false),
            (Some("*/*"), false),
            (Some("application/json"), false),
            (Some("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"), true),
            (Some("application/xml, TEXT/HTML ; q=0.1"), true),
            (Some("text/html; q=0, application/json"), false),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            }
            assert_eq!(wants_page(&headers), expected, "{accept:?}");
        }
    }

    #[test]
    fn texts_of_strangers_are_no_markup() {
        assert_eq!(escape("<a href='x\"&'>"), "&lt;a href=&#39;x&quot;&amp;&#39;&gt;");
    }
}

//! Cookies: the one of a session, and the one of a login that is on its way.

use axum::http::{HeaderMap, HeaderValue, header};

/// Whose session it is.
pub(super) const SESSION: &str = "_banzai_session";
/// What a browser carries while somebody is at the provider.
pub(super) const LOGIN: &str = "_banzai_login";

/// The value of a cookie.
pub(super) fn find<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, value)| *key == name && !value.is_empty()).map(|(_, value)| value)
}

/// A cookie that no script reads and no other site sends along with a change.
///
/// `Lax` and not `Strict`: the provider sends the browser back, which is another site.
pub(super) fn set(name: &str, value: &str, time_s: i64, is_encrypted: bool) -> Option<HeaderValue> {
    let secure = if is_encrypted { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; Max-Age={time_s}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::try_from(text).ok()
}

/// Takes a cookie away.
pub(super) fn unset(name: &str, is_encrypted: bool) -> Option<HeaderValue> {
    set(name, "", 0, is_encrypted)
}

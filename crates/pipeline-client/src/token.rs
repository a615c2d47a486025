//! Tokens: kept from being shown, and read for what a client may know of them.

use std::fmt;

use data_encoding::BASE64URL_NOPAD;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

/// A token; its `Debug` form hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

/// What a token says about itself. Nothing in it is verified: only the server can.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenClaims {
    /// Its number in the server's store.
    pub id: Option<String>,
    /// When it ends; `None` for one that does not, and for texts that are no JWT.
    pub expires_at: Option<Timestamp>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ClaimsWire {
    jti: Option<Value>,
    exp: Option<Value>,
}

impl Token {
    /// The token in a text, without the blanks and the line end around it.
    ///
    /// Returns `None` for what cannot be sent in a header: nothing at all, or control characters in it.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let is_sendable = text.bytes().all(|byte| byte.is_ascii_graphic());
        (!text.is_empty() && is_sendable).then(|| Self(text.to_owned()))
    }

    /// The token itself, for a header or the file.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What the token says about itself.
    pub fn claims(&self) -> TokenClaims {
        let payload = self.0.split('.').nth(1).unwrap_or_default().trim_end_matches('=');
        let bytes = BASE64URL_NOPAD.decode(payload.as_bytes()).unwrap_or_default();
        let wire: ClaimsWire = serde_json::from_slice(&bytes).unwrap_or_default();
        TokenClaims {
            id: wire.jti.as_ref().and_then(Value::as_str).map(str::to_owned),
            expires_at: wire
                .exp
                .as_ref()
                .and_then(Value::as_i64)
                .and_then(|seconds| Timestamp::from_second(seconds).ok()),
        }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_read_where_there_are_some() {
        let jwt = |payload: &str| {
            Token::parse(&format!("e30.{}.c2ln", BASE64URL_NOPAD.encode(payload.as_bytes()))).unwrap()
        };
        let claims = jwt(r#"{"jti":"a","aud":["x"],"exp":1700000000}"#).claims();
        assert_eq!(claims.id.as_deref(), Some("a"));
        assert_eq!(claims.expires_at, Some(Timestamp::from_second(1_700_000_000).unwrap()));
        for other in [jwt("{}"), jwt(r#"{"exp":"soon","jti":4}"#), jwt("no"), Token::parse("opaque").unwrap()]
        {
            assert_eq!(other.claims(), TokenClaims::default());
        }
    }

    #[test]
    fn a_token_is_hidden_and_fits_a_header() {
        assert_eq!(format!("{:?}", Token::parse(" secret\n").unwrap()), "Token(…)");
        for wrong in ["", " \n", "a\nb", "a b", "ä"] {
            assert_eq!(Token::parse(wrong), None, "{wrong:?}");
        }
    }
}

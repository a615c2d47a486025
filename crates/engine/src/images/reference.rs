//! What clients may write to name an image: a tag, a digest in a repository, a bare digest or an image id.

use model::{Digest, ImageReference, ParseImageReferenceError};

/// A parsed pull string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PullString {
    /// `sha256:…` alone.
    Digest(Digest),
    /// 64 hex characters: an image id.
    ImageId(Digest),
    /// Anything with a repository.
    Reference(ImageReference),
}

/// Why a text is no pull string.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParsePullStringError {
    /// A character that no reference has.
    #[error("`{0}` has characters other than letters, digits and `@ : / _ . -`")]
    BadCharacter(String),
    /// Not a reference.
    #[error("`{text}` names no image")]
    BadReference {
        /// The text, shortened.
        text: String,
        /// Why.
        #[source]
        source: ParseImageReferenceError,
    },
}

impl PullString {
    /// Reads a text by the rules of the API: the form decides, nothing is guessed.
    pub fn parse(text: &str) -> Result<Self, ParsePullStringError> {
        let shortened = || text.chars().take(200).collect::<String>();
        let is_allowed = |byte: u8| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'@' | b':' | b'/' | b'_' | b'.' | b'-')
        };
        if !text.bytes().all(is_allowed) {
            return Err(ParsePullStringError::BadCharacter(shortened()));
        }
        if let Ok(digest) = text.parse() {
            return Ok(Self::Digest(digest));
        }
        if let Some(id) = parse_image_id(text) {
            return Ok(Self::ImageId(id));
        }
        text.parse()
            .map(Self::Reference)
            .map_err(|source| ParsePullStringError::BadReference { text: shortened(), source })
    }
}

/// An image id: the hex part of the digest of the configuration.
pub(crate) fn parse_image_id(text: &str) -> Option<Digest> {
    format!("sha256:{text}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_of_a_pull_string_decides_what_it_names() {
        let hex = "a".repeat(64);
        assert!(matches!(PullString::parse(&format!("sha256:{hex}")), Ok(PullString::Digest(_))));
        assert!(matches!(PullString::parse(&hex), Ok(PullString::ImageId(_))));
        for (text, full) in [
            ("1.0", "docker.io/1.0:latest"),
            ("alpine:3.18", "docker.io/alpine:3.18"),
            ("localhost:5000/a", "localhost:5000/a:latest"),
        ] {
            match PullString::parse(text) {
                Ok(PullString::Reference(reference)) => assert_eq!(reference.to_string(), full),
                other => panic!("`{text}` was read as {other:?}"),
            }
        }
        assert!(matches!(PullString::parse("bad tag!"), Err(ParsePullStringError::BadCharacter(_))));
        assert!(
            matches!(PullString::parse("sha256:12"), Ok(PullString::Reference(_))),
            "a tag `12` of `sha256`"
        );
        assert!(matches!(PullString::parse(""), Err(ParsePullStringError::BadReference { .. })));
        assert!(matches!(PullString::parse("a//b"), Err(ParsePullStringError::BadReference { .. })));
    }
}

//! Content digests as registries write them: `sha256:` and 64 lower-case hex characters.

use std::fmt;
use std::str::FromStr;

/// The hash functions that the OCI image specification registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DigestAlgorithm {
    /// SHA-256, which practically every image uses.
    Sha256,
    /// SHA-512.
    Sha512,
}

impl DigestAlgorithm {
    /// The name before the colon.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    fn hex_length(self) -> usize {
        match self {
            Self::Sha256 => 64,
            Self::Sha512 => 128,
        }
    }
}

/// The identity of some bytes.
///
/// Invariant: the hex part is lower case and exactly as long as the algorithm's output, so a digest is safe as a path segment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest {
    algorithm: DigestAlgorithm,
    hex: String,
}

impl Digest {
    /// A SHA-256 digest from the 32 bytes that the hash function returned.
    pub fn from_sha256(bytes: &[u8; 32]) -> Self {
        Self { algorithm: DigestAlgorithm::Sha256, hex: to_hex(bytes) }
    }

    /// A SHA-512 digest from the 64 bytes that the hash function returned.
    pub fn from_sha512(bytes: &[u8; 64]) -> Self {
        Self { algorithm: DigestAlgorithm::Sha512, hex: to_hex(bytes) }
    }

    /// The hash function.
    pub fn algorithm(&self) -> DigestAlgorithm {
        self.algorithm
    }

    /// The part behind the colon.
    pub fn hex(&self) -> &str {
        &self.hex
    }
}

fn to_hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a String cannot fail");
        text
    })
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.algorithm.name(), self.hex)
    }
}

/// Why a text is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseDigestError {
    /// There is no colon, or the part before it names no known hash function.
    #[error("digest `{text}` does not start with `sha256:` or `sha512:`")]
    UnknownAlgorithm {
        /// The text as given, shortened.
        text: String,
    },
    /// The part behind the colon has another length or other characters than the algorithm's output.
    #[error("digest `{text}` is not followed by exactly {expected} lower-case hex characters")]
    BadHex {
        /// The text as given, shortened.
        text: String,
        /// How many characters the algorithm needs.
        expected: usize,
    },
}

impl FromStr for Digest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let shortened = || text.chars().take(140).collect::<String>();
        let (algorithm, hex) = match text.split_once(':') {
            Some(("sha256", hex)) => (DigestAlgorithm::Sha256, hex),
            Some(("sha512", hex)) => (DigestAlgorithm::Sha512, hex),
            _ => return Err(ParseDigestError::UnknownAlgorithm { text: shortened() }),
        };
        let expected = algorithm.hex_length();
        if hex.len() != expected || !hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(ParseDigestError::BadHex { text: shortened(), expected });
        }
        Ok(Self { algorithm, hex: hex.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_exactly_as_long_as_its_algorithm_says() {
        let hex = "a".repeat(64);
        assert_eq!(format!("sha256:{hex}").parse::<Digest>().unwrap().hex(), hex);
        for wrong in [
            "a".repeat(64),
            format!("sha256:{}", "a".repeat(63)),
            format!("sha256:{}", "a".repeat(65)),
            format!("sha256:{}", "A".repeat(64)),
            format!("sha256:../..{}", "a".repeat(59)),
            format!("sha512:{hex}"),
            format!("md5:{hex}"),
        ] {
            assert!(wrong.parse::<Digest>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn bytes_become_lower_case_hex() {
        let digest = Digest::from_sha256(&[0xab; 32]);
        assert_eq!(digest.to_string(), format!("sha256:{}", "ab".repeat(32)));
        assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest);
    }
}

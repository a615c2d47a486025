//! The two hash functions of layer digests behind one face.

use model::{Digest, DigestAlgorithm};
use sha2::{Digest as _, Sha256, Sha512};

/// A running hash.
pub(crate) enum Hasher {
    Sha256(Sha256),
    Sha512(Box<Sha512>),
}

impl Hasher {
    /// The function that `expected` was made with, SHA-256 where nothing is expected.
    pub(crate) fn for_digest(expected: Option<&Digest>) -> Self {
        match expected.map(Digest::algorithm) {
            Some(DigestAlgorithm::Sha512) => Self::Sha512(Box::default()),
            Some(DigestAlgorithm::Sha256) | None => Self::Sha256(Sha256::new()),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sha512(hasher) => hasher.update(bytes),
        }
    }

    /// The digest of all bytes so far; the hash begins anew.
    pub(crate) fn finish(&mut self) -> Digest {
        match self {
            Self::Sha256(hasher) => Digest::from_sha256(&hasher.finalize_reset().into()),
            Self::Sha512(hasher) => Digest::from_sha512(&hasher.finalize_reset().into()),
        }
    }
}

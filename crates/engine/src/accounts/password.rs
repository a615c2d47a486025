//! Passwords: made up, hashed, compared.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use rand::RngExt;

const PASSWORD_LENGTH: usize = 20;
/// Without characters that look like others: it is read from a screen.
const PASSWORD_ALPHABET: &[u8] = b"abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
/// A longer password is refused before it is hashed: hashing is what costs.
pub(crate) const PASSWORD_BYTES_MAX: usize = 1024;

/// A password could not be hashed: out of memory or of random bytes.
#[derive(Debug, thiserror::Error)]
#[error("hash a password: {0}")]
pub struct HashPasswordError(String);

/// Argon2id with 19 MiB, two passes, one lane, as the OWASP advises; the salt is random.
pub(crate) fn hash_password(password: &str) -> Result<String, HashPasswordError> {
    let hash = Argon2::default()
        .hash_password(password.as_bytes())
        .map_err(|error| HashPasswordError(error.to_string()))?;
    Ok(hash.to_string())
}

pub(crate) fn verify_password(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|parsed| Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok())
}

/// 20 characters of 56: more than 115 bits.
pub(crate) fn generate_password() -> String {
    let mut random = rand::rng();
    (0..PASSWORD_LENGTH)
        .map(|_| char::from(PASSWORD_ALPHABET[random.random_range(0..PASSWORD_ALPHABET.len())]))
        .collect()
}

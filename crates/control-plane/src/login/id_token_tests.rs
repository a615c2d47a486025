//! What an id token must be, row by row, with keys of the test's own.

use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519};
use serde_json::{Value, json};

use super::*;

const NOW: i64 = 1_800_000_000;

/// A key, and what the provider publishes of it.
fn key(id: &str, algorithm: Algorithm) -> (EncodingKey, Jwk) {
    let encoded = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
    let (pair, public) = if algorithm == Algorithm::ES256 {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let raw = pair.public_key_raw();
        // An uncompressed point: a byte that says so, then both coordinates.
        let (x, y) = raw[1..].split_at(32);
        let public = json!({"kty": "EC", "crv": "P-256", "kid": id, "x": encoded(x), "y": encoded(y)});
        (pair, public)
    } else {
        let pair = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let public = json!({"kty": "OKP", "crv": "Ed25519", "kid": id, "x": encoded(pair.public_key_raw())});
        (pair, public)
    };
    let pem = pair.serialize_pem();
    let signing = if algorithm == Algorithm::ES256 {
        EncodingKey::from_ec_pem(pem.as_bytes())
    } else {
        EncodingKey::from_ed_pem(pem.as_bytes())
    };
    (signing.unwrap(), serde_json::from_value(public).unwrap())
}

fn claims() -> Value {
    json!({
        "iss": "https://dex.example.com", "sub": "42", "aud": "lazaret", "exp": NOW + 60, "iat": NOW, "nonce": "n",
        "preferred_username": "grace", "name": "Grace\u{7}", "email": "g@example.com", "email_verified": "true",
        "groups": "platform", "picture": "javascript:alert(1)",
    })
}

fn expected(nonce: Option<&str>) -> Expected<'_> {
    Expected {
        issuer: "https://dex.example.com",
        audience: "lazaret",
        nonce,
        age_max_s: Some(600),
        now: Timestamp::from_second(NOW).unwrap(),
    }
}

fn read(token: &str, keys: &[Jwk], nonce: Option<&str>) -> Result<Person, IdTokenError> {
    let header = read_header(token)?;
    let key = find_key(&header, keys).ok_or(IdTokenError::UnknownKey)?;
    verify(token, &header, key, &expected(nonce))
}

#[test]
fn every_claim_is_looked_at() {
    let (signing, public) = key("k", Algorithm::ES256);
    let keys = [public];
    let header = Header { kid: Some("k".to_owned()), ..Header::new(Algorithm::ES256) };
    let with = |change: &dyn Fn(&mut Value)| {
        let mut claims = claims();
        change(&mut claims);
        let token = jsonwebtoken::encode(&header, &claims, &signing).unwrap();
        read(&token, &keys, Some("n")).map_err(|error| error.to_string())
    };
    let person = with(&|_| {}).unwrap();
    assert_eq!(
        person,
        Person {
            subject: "42".to_owned(),
            login: "grace".to_owned(),
            name: "Grace".to_owned(),
            email: "g@example.com".to_owned(),
            is_email_verified: true,
            image: String::new(),
            groups: vec!["platform".to_owned()],
        }
    );
    type Change = fn(&mut Value);
    let refused: [(Change, IdTokenError); 17] = [
        (|claims| claims["iss"] = json!("https://dex.example.com/"), IdTokenError::Issuer),
        (|claims| claims["aud"] = json!("other"), IdTokenError::Audience),
        (|claims| claims["aud"] = json!([]), IdTokenError::Audience),
        (|claims| claims["aud"] = json!(["lazaret", "other"]), IdTokenError::Audience),
        (|claims| claims["azp"] = json!("other"), IdTokenError::Audience),
        (|claims| claims["exp"] = json!(NOW - 30), IdTokenError::Expired),
        (|claims| claims["iat"] = json!(NOW + 31), IdTokenError::NotYet),
        (|claims| claims["nbf"] = json!(NOW + 31), IdTokenError::NotYet),
        (|claims| claims["iat"] = json!(NOW - 601), IdTokenError::Old),
        (|claims| claims["nonce"] = json!("other"), IdTokenError::Nonce),
        (|claims| drop(claims.as_object_mut().unwrap().remove("nonce")), IdTokenError::Nonce),
        (|claims| claims["sub"] = json!(""), IdTokenError::Subject),
        (|claims| claims["sub"] = json!("x".repeat(256)), IdTokenError::Subject),
        (|claims| drop(claims.as_object_mut().unwrap().remove("sub")), IdTokenError::Unreadable),
        (|claims| drop(claims.as_object_mut().unwrap().remove("aud")), IdTokenError::Unreadable),
        (|claims| drop(claims.as_object_mut().unwrap().remove("exp")), IdTokenError::Unreadable),
        (|claims| claims["exp"] = json!("later"), IdTokenError::Unreadable),
    ];
    for (index, (change, error)) in refused.iter().enumerate() {
        assert_eq!(with(change), Err(error.to_string()), "row {index}");
    }
    let taken: [Change; 7] = [
        |claims| claims["aud"] = json!(["lazaret"]),
        |claims| {
            claims["aud"] = json!(["lazaret", "other"]);
            claims["azp"] = json!("lazaret");
        },
        |claims| claims["exp"] = json!(NOW - 29),
        |claims| claims["iat"] = json!(NOW + 30),
        |claims| claims["nbf"] = json!(NOW + 30),
        |claims| claims["iat"] = json!(NOW - 600),
        |claims| claims["exp"] = json!(1.9e9),
    ];
    for (index, change) in taken.iter().enumerate() {
        assert!(with(change).is_ok(), "row {index}");
    }
}

#[test]
fn the_key_is_the_one_that_the_token_names_and_of_its_kind() {
    let (first, first_public) = key("first", Algorithm::ES256);
    let (second, second_public) = key("second", Algorithm::ES256);
    let (third, third_public) = key("third", Algorithm::EdDSA);
    let encoded = |algorithm, id: Option<&str>, signing: &EncodingKey| {
        let header = Header { kid: id.map(str::to_owned), ..Header::new(algorithm) };
        jsonwebtoken::encode(&header, &claims(), signing).unwrap()
    };
    let both = [first_public.clone(), second_public, third_public.clone()];
    let one = [first_public.clone(), third_public];
    let mut for_encryption = first_public.clone();
    for_encryption.common.public_key_use = Some(PublicKeyUse::Encryption);
    for (token, keys, expected) in [
        (encoded(Algorithm::ES256, Some("second"), &second), &both[..], None),
        (encoded(Algorithm::EdDSA, Some("third"), &third), &both, None),
        (encoded(Algorithm::ES256, None, &first), &one, None),
        (encoded(Algorithm::ES256, None, &first), &both, Some(IdTokenError::UnknownKey)),
        (encoded(Algorithm::ES256, Some("first"), &second), &both, Some(IdTokenError::Signature)),
        (encoded(Algorithm::ES256, Some("third"), &first), &both, Some(IdTokenError::UnknownKey)),
        (encoded(Algorithm::ES256, Some("gone"), &first), &both, Some(IdTokenError::UnknownKey)),
        (encoded(Algorithm::ES256, Some("first"), &first), &[for_encryption], Some(IdTokenError::UnknownKey)),
        (
            encoded(Algorithm::HS256, Some("first"), &EncodingKey::from_secret(b"x")),
            &both,
            Some(IdTokenError::Unreadable),
        ),
    ] {
        let found = read(&token, keys, None).err().map(|error| error.to_string());
        assert_eq!(found, expected.map(|error| error.to_string()), "{token}");
    }
}

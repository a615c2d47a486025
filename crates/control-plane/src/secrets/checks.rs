//! What a secret must be before it is kept.

use data_encoding::BASE64;

use super::password::{Wanted, generate_password};
use super::{HIDDEN, NewSecret, SecretKind, SecretValue};

const NAME_CHARS_MAX: usize = 253;
const KEYS_MAX: usize = 64;
const KEY_CHARS_MAX: usize = 253;
/// Of all keys and values together: what the storages of Vault take is little more.
const BYTES_MAX: usize = 512 * 1024;
const TAGS_MAX: usize = 64;
const TAG_CHARS_MAX: usize = 200;
const KUBECONFIG: &str = "K8Sconfig";
const PASSWORD: &str = "password";

/// Whether a secret is kept for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    New,
    Change,
}

/// Checks a secret and brings it into the form in which it is kept; generates the password where one is asked for.
///
/// Errors: what is wrong, without any value.
pub(super) fn check(mut secret: NewSecret, moment: Moment) -> Result<NewSecret, String> {
    check_name(&secret.name)?;
    check_sizes(&secret)?;
    if let Some((key, _)) = secret.values.iter().find(|(_, value)| value.reveal() == HIDDEN) {
        return Err(format!(
            "the value of `{key}` is `{HIDDEN}`, which is shown in place of a value: send the value"
        ));
    }
    if secret.kind == SecretKind::Password {
        fill_password(&mut secret, moment)?;
    }
    let is_there = |key: &str| secret.values.get(key).is_some_and(|value| !value.reveal().is_empty());
    if let Some(field) = secret.kind.fields().iter().find(|field| field.is_required && !is_there(field.name))
    {
        return Err(format!("missing key: {}", field.name));
    }
    if secret.kind == SecretKind::Kubernetes
        && let Some(kubeconfig) = secret.values.get_mut(KUBECONFIG)
    {
        *kubeconfig = to_base64(kubeconfig)?;
    }
    secret.tags.sort();
    secret.tags.dedup();
    Ok(secret)
}

fn check_name(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("missing key: name".to_owned());
    }
    if name.len() > NAME_CHARS_MAX {
        return Err(format!("the name has more than {NAME_CHARS_MAX} characters"));
    }
    let is_inner = |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == b'-';
    let is_label = |label: &str| {
        let (bytes, is_end) = (label.as_bytes(), |letter: &u8| *letter != b'-');
        bytes.iter().all(|letter| is_inner(*letter))
            && bytes.first().is_some_and(is_end)
            && bytes.last().is_some_and(is_end)
    };
    if name.split('.').all(is_label) {
        return Ok(());
    }
    Err("a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start \
         and end with an alphanumeric character (e.g. 'example.com')"
        .to_owned())
}

fn check_sizes(secret: &NewSecret) -> Result<(), String> {
    let NewSecret { values, tags, .. } = secret;
    if values.len() > KEYS_MAX {
        return Err(format!("the secret has {} keys (limit {KEYS_MAX})", values.len()));
    }
    if values.keys().any(|key| key.is_empty() || key.len() > KEY_CHARS_MAX || key.contains('\0')) {
        return Err(format!("a key has 1 to {KEY_CHARS_MAX} characters"));
    }
    let bytes: usize = values.iter().map(|(key, value)| key.len() + value.reveal().len()).sum();
    if bytes > BYTES_MAX {
        return Err(format!("the secret has {bytes} bytes (limit {BYTES_MAX})"));
    }
    if values.values().any(|value| value.reveal().contains('\0')) {
        return Err("a value has a zero byte: encode it in base64".to_owned());
    }
    if tags.len() > TAGS_MAX {
        return Err(format!("the secret has {} tags (limit {TAGS_MAX})", tags.len()));
    }
    let is_tag = |tag: &String| {
        (1..=TAG_CHARS_MAX).contains(&tag.chars().count()) && !tag.chars().any(char::is_control)
    };
    match tags.iter().all(is_tag) {
        true => Ok(()),
        false => Err(format!("a tag has 1 to {TAG_CHARS_MAX} printable characters")),
    }
}

/// A password is generated when a new secret has none, and when one is asked for. A change never makes one up: what uses the
/// old one would be locked out.
fn fill_password(secret: &mut NewSecret, moment: Moment) -> Result<(), String> {
    let given = secret.values.get(PASSWORD).map(SecretValue::reveal).unwrap_or_default();
    let password = match (given, moment) {
        ("", Moment::New) => generate_password(),
        ("", Moment::Change) => return Err(format!("missing key: {PASSWORD}")),
        (text, _) => match Wanted::read(text)? {
            Some(wanted) => wanted.draw(),
            None => return Ok(()),
        },
    };
    secret.values.insert(PASSWORD.to_owned(), password);
    Ok(())
}

/// Kubeconfigs are kept in base64; clients send them with or without.
fn to_base64(kubeconfig: &SecretValue) -> Result<SecretValue, String> {
    let compact: String = kubeconfig.reveal().split_ascii_whitespace().collect();
    let text = match BASE64.decode(compact.as_bytes()) {
        Ok(decoded) => decoded,
        Err(_) => kubeconfig.reveal().as_bytes().to_vec(),
    };
    if std::str::from_utf8(&text).is_ok_and(|text| !text.trim().is_empty()) {
        return Ok(SecretValue::new(BASE64.encode(&text)));
    }
    Err(format!("`{KUBECONFIG}` is no text: send a kubeconfig, bare or in base64"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn secret(kind: SecretKind, values: &[(&str, &str)]) -> NewSecret {
        let values: BTreeMap<_, _> =
            values.iter().map(|(key, value)| ((*key).to_owned(), SecretValue::new(*value))).collect();
        NewSecret { name: "a".to_owned(), kind, values, tags: Vec::new(), updated_by: String::new() }
    }

    #[test]
    fn names_are_subdomains() {
        let longest = "a".repeat(253);
        for (name, is_name) in [
            ("a", true),
            ("registry-1.example.com", true),
            (longest.as_str(), true),
            (&format!("{longest}a"), false),
            ("", false),
            ("A", false),
            ("a_b", false),
            ("-a", false),
            ("a-", false),
            ("a..b", false),
            ("a.-b", false),
            (".a", false),
            ("../a", false),
            ("ä", false),
        ] {
            assert_eq!(check_name(name).is_ok(), is_name, "{name}");
        }
    }

    #[test]
    fn what_a_kind_needs_must_be_there() {
        for (kind, values, problem) in [
            (SecretKind::Password, &[("password", "x")][..], "missing key: username"),
            (SecretKind::Password, &[("username", ""), ("password", "x")], "missing key: username"),
            (SecretKind::Kubernetes, &[], "missing key: K8Sconfig"),
            (SecretKind::Amazon, &[("AWS_ACCESS_KEY_ID", "x")], "missing key: AWS_SECRET_ACCESS_KEY"),
            (SecretKind::Tls, &[("hosts", "a.example.com")], "missing key: caCert"),
        ] {
            assert_eq!(check(secret(kind, values), Moment::New).unwrap_err(), problem, "{kind:?}");
        }
        assert!(check(secret(SecretKind::Generic, &[]), Moment::New).is_ok());
        let shown = check(secret(SecretKind::Generic, &[("a", "<hidden>")]), Moment::Change).unwrap_err();
        assert!(shown.contains("`a`"), "{shown}");
    }

    #[test]
    fn a_password_is_made_for_who_asks_and_never_empty() {
        let password = |values: &[(&str, &str)], moment| {
            let checked = check(secret(SecretKind::Password, values), moment)?;
            Ok::<_, String>(checked.values["password"].reveal().to_owned())
        };
        for moment in [Moment::New, Moment::Change] {
            assert_eq!(password(&[("username", "u"), ("password", "a,b")], moment).unwrap(), "a,b");
            assert_eq!(
                password(&[("username", "u"), ("password", "randAlpha,30")], moment).unwrap().len(),
                30
            );
            assert!(password(&[("username", "u"), ("password", "randAlpha,0")], moment).is_err());
        }
        for values in [&[("username", "u")][..], &[("username", "u"), ("password", "")]] {
            assert_eq!(password(values, Moment::New).unwrap().len(), 12);
            assert_eq!(password(values, Moment::Change).unwrap_err(), "missing key: password");
        }
    }

    #[test]
    fn a_kubeconfig_is_kept_in_base64_once() {
        let encoded = BASE64.encode(b"apiVersion: v1\n");
        let wrapped = format!("{}\n{}\n", &encoded[..8], &encoded[8..]);
        for given in ["apiVersion: v1\n", encoded.as_str(), wrapped.as_str()] {
            let kept = check(secret(SecretKind::Kubernetes, &[("K8Sconfig", given)]), Moment::New).unwrap();
            assert_eq!(kept.values["K8Sconfig"].reveal(), encoded, "{given}");
        }
        for given in ["/w==", "   \n"] {
            assert!(
                check(secret(SecretKind::Kubernetes, &[("K8Sconfig", given)]), Moment::New).is_err(),
                "{given}"
            );
        }
    }

    #[test]
    fn limits_hold() {
        let key = |number: usize| (format!("k{number}"), SecretValue::new("v"));
        for (count, is_kept) in [(KEYS_MAX, true), (KEYS_MAX + 1, false)] {
            let mut many = secret(SecretKind::Generic, &[]);
            many.values = (0..count).map(key).collect();
            assert_eq!(check(many, Moment::New).is_ok(), is_kept, "{count} keys");
            let mut tagged = secret(SecretKind::Generic, &[]);
            tagged.tags = (0..count).map(|number| number.to_string()).collect();
            assert_eq!(check(tagged, Moment::New).is_ok(), is_kept, "{count} tags");
        }
        for (bytes, is_kept) in [(BYTES_MAX - 1, true), (BYTES_MAX, false)] {
            let large = secret(SecretKind::Generic, &[("k", &"x".repeat(bytes))]);
            assert_eq!(check(large, Moment::New).is_ok(), is_kept, "{bytes} bytes");
        }
        let mut tagged = secret(SecretKind::Generic, &[]);
        tagged.tags = ["b", "a", "b"].map(str::to_owned).to_vec();
        assert_eq!(check(tagged, Moment::New).unwrap().tags, ["a", "b"]);
    }
}

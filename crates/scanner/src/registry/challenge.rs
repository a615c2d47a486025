//! What a registry asks for when it answers 401: the `WWW-Authenticate` header.

/// The two ways that registries use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// Get a token from `realm`.
    Bearer { realm: String, service: Option<String> },
    /// Send user and password.
    Basic,
}

/// Reads all challenges of all headers; a token is preferred to a password. Unknown schemes are passed over.
///
/// Source: RFC 9110 §11.6.1, <https://distribution.github.io/distribution/spec/auth/token/>.
pub(crate) fn parse_challenges<'a>(headers: impl Iterator<Item = &'a str>) -> Option<Challenge> {
    let mut basic = None;
    for header in headers {
        for (scheme, parameters) in split_challenges(header) {
            let find = |name: &str| {
                parameters
                    .iter()
                    .find(|(key, _)| key.eq_ignore_ascii_case(name))
                    .map(|(_, value)| value.clone())
            };
            if scheme.eq_ignore_ascii_case("bearer")
                && let Some(realm) = find("realm")
            {
                return Some(Challenge::Bearer { realm, service: find("service") });
            }
            if scheme.eq_ignore_ascii_case("basic") {
                basic = Some(Challenge::Basic);
            }
        }
    }
    basic
}

type Parameters = Vec<(String, String)>;

/// `Scheme a=b, c="d", Scheme2 e=f`: a word without `=` behind it starts a challenge.
fn split_challenges(header: &str) -> Vec<(String, Parameters)> {
    let mut challenges: Vec<(String, Parameters)> = Vec::new();
    let mut rest = header;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let end = rest.find([' ', '\t', ',', '=']).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        if word.is_empty() && behind.is_empty() {
            return challenges;
        }
        match behind.trim_start_matches([' ', '\t']).strip_prefix('=') {
            Some(value) if !word.is_empty() => {
                let (value, behind) = take_value(value.trim_start_matches([' ', '\t']));
                if let Some((_, parameters)) = challenges.last_mut() {
                    parameters.push((word.to_owned(), value));
                }
                rest = behind;
            }
            // A stray `=`: nothing sensible follows.
            Some(_) => return challenges,
            None => {
                challenges.push((word.to_owned(), Vec::new()));
                rest = behind;
            }
        }
    }
}

fn take_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([' ', '\t', ',']).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '"' => return (value, &quoted[index + 1..]),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            _ => value.push(character),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[&str], expected: Option<(&str, Option<&str>)>) {
        let found = parse_challenges(headers.iter().copied());
        let expected = expected.map(|(realm, service)| match realm {
            "basic" => Challenge::Basic,
            realm => Challenge::Bearer { realm: realm.to_owned(), service: service.map(str::to_owned) },
        });
        assert_eq!(found, expected, "{headers:?}");
    }

    #[test]
    fn challenges_are_read_as_the_rfc_says() {
        check(
            &[r#"Bearer realm="https://auth/token",service="registry",scope="repository:a/b:pull,push""#],
            Some(("https://auth/token", Some("registry"))),
        );
        check(&[r#"bearer Realm = https://a/t , x=y"#], Some(("https://a/t", None)));
        check(&[r#"Basic realm="a, Bearer realm=evil""#], Some(("basic", None)));
        check(&[r#"Basic realm="x", Bearer realm="https://a""#], Some(("https://a", None)));
        check(&["Negotiate", r#"Bearer realm="https://a",service="s""#], Some(("https://a", Some("s"))));
        check(&[r#"Bearer realm="a\"b""#], Some(("a\"b", None)));
        check(&["Basic"], Some(("basic", None)));
    }

    #[test]
    fn nonsense_is_no_challenge() {
        for header in
            ["", "Negotiate", "Bearer", "Bearer service=x", "=", "Bearer =x", ",,,", "Digest realm=\"x"]
        {
            check(&[header], None);
        }
    }
}

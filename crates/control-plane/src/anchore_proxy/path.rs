//! Which addresses of an engine people reach through a cluster, and what cannot leave them.

use super::EngineUseError;

/// Longer paths name nothing.
const PATH_BYTES_MAX: usize = 4096;
/// First words of what is the control plane's to manage: the account of a cluster, its user, the tokens of both.
const RESERVED: [&str; 3] = ["accounts", "oauth", "rbac-manager"];

/// The segments of a path below an engine's base, out of what was sent behind `/anchore/`.
///
/// Every segment is decoded once, and what a second decoding, a normalization or another separator could make into something
/// else is refused: whatever the engine does with the path, it stays below its base.
pub(crate) fn engine_path(raw: &str) -> Result<Vec<String>, EngineUseError> {
    let bad = |why: &str| EngineUseError::BadPath(format!("the path behind `/anchore/` {why}"));
    if raw.len() > PATH_BYTES_MAX {
        return Err(bad(&format!("has more than {PATH_BYTES_MAX} bytes")));
    }
    let mut segments = Vec::new();
    for segment in raw.split('/').filter(|segment| !segment.is_empty()) {
        let decoded = decode(segment).ok_or_else(|| bad("is not encoded as addresses are"))?;
        if decoded.contains(|character: char| character.is_control() || matches!(character, '\\' | '%')) {
            return Err(bad("holds a backslash, a control character or something that is encoded twice"));
        }
        // An encoded slash is part of a name, as of a registry; both sides of it are looked at.
        if decoded.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err(bad("holds an empty, `.` or `..` segment"));
        }
        segments.push(decoded);
    }
    // Every client's base ends in `/v1`; those who say it as well mean the same.
    if segments.first().is_some_and(|segment| segment == "v1") {
        segments.remove(0);
    }
    refuse_reserved(&segments)?;
    Ok(segments)
}

fn refuse_reserved(segments: &[String]) -> Result<(), EngineUseError> {
    let words: Vec<String> = segments
        .iter()
        .flat_map(|segment| segment.split('/'))
        .map(str::to_ascii_lowercase)
        .skip_while(|word| word == "v1")
        .collect();
    let is_reserved = match words.first().map(String::as_str) {
        Some("user") => words.len() > 1,
        Some(first) => RESERVED.contains(&first),
        None => false,
    };
    match is_reserved {
        true => Err(EngineUseError::Reserved),
        false => Ok(()),
    }
}

/// A name that an address has given, when it is one segment of a path to every engine.
pub(crate) fn engine_name(name: &str) -> Result<&str, EngineUseError> {
    let is_odd = |character: char| character.is_control() || matches!(character, '/' | '\\' | '%');
    match name.is_empty() || name == "." || name == ".." || name.contains(is_odd) {
        true => Err(EngineUseError::BadName(name.to_owned())),
        false => Ok(name),
    }
}

/// `None`: a `%` without two digits, or no UTF-8.
fn decode(segment: &str) -> Option<String> {
    let mut bytes = segment.bytes();
    let mut decoded = Vec::with_capacity(segment.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        let value = digit()? * 16 + digit()?;
        decoded.push(u8::try_from(value).ok()?);
    }
    String::from_utf8(decoded).ok()
}

/// The query as the engine gets it: without what is said to the control plane.
pub(crate) fn engine_query(raw: Option<&str>) -> Option<String> {
    let is_ours = |pair: &&str| *pair == "field=name" || pair.starts_with("access_token=");
    let kept: Vec<&str> = raw?.split('&').filter(|pair| !is_ours(pair)).collect();
    Some(kept.join("&")).filter(|query| !query.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_below_the_engine() {
        for (raw, expected) in [
            ("", Ok(vec![])),
            ("policies", Ok(vec!["policies"])),
            ("v1/policies/", Ok(vec!["policies"])),
            ("images//sha256:aa/vuln/all", Ok(vec!["images", "sha256:aa", "vuln", "all"])),
            ("images/sha256%3Aaa", Ok(vec!["images", "sha256:aa"])),
            ("registries/r.example.org%2Fteam", Ok(vec!["registries", "r.example.org/team"])),
            ("user", Ok(vec!["user"])),
            ("policies/a%C3%A4", Ok(vec!["policies", "aä"])),
            ("..", Err(400)),
            ("policies/../accounts", Err(400)),
            ("policies/%2e%2e/accounts", Err(400)),
            ("policies/.%2E", Err(400)),
            ("policies%2F..%2Faccounts", Err(400)),
            ("policies%2F%2Fx", Err(400)),
            ("policies/%252e%252e/accounts", Err(400)),
            ("policies/..%5Caccounts", Err(400)),
            ("policies/a%00", Err(400)),
            ("policies/a%0D%0AHost:%20x", Err(400)),
            ("policies/%zz", Err(400)),
            ("policies/%", Err(400)),
            ("policies/%+1", Err(400)),
            ("policies/%ff", Err(400)),
            ("accounts", Err(403)),
            ("v1/accounts/admin/users", Err(403)),
            ("v1/v1/accounts", Err(403)),
            ("v1%2Faccounts", Err(403)),
            ("Accounts", Err(403)),
            ("%61ccounts", Err(403)),
            ("user/credentials", Err(403)),
            ("oauth/token", Err(403)),
        ] {
            let found = engine_path(raw).map_err(|error| match error {
                EngineUseError::BadPath(_) => 400,
                EngineUseError::Reserved => 403,
                other => unreachable!("{other}"),
            });
            let expected = expected.map(|parts| parts.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(found, expected, "{raw}");
        }
        assert!(engine_path(&"a/".repeat(PATH_BYTES_MAX)).is_err());
    }

    #[test]
    fn queries_lose_what_is_said_to_the_control_plane() {
        for (raw, expected) in [
            (None, None),
            (Some("field=name"), None),
            (Some("detail=true&field=name&tag=a%26b"), Some("detail=true&tag=a%26b")),
            (Some("access_token=x&a=1"), Some("a=1")),
        ] {
            assert_eq!(engine_query(raw).as_deref(), expected);
        }
    }
}

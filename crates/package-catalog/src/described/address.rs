//! Addresses of repositories and archives, without what logs somebody in.

/// `https://user:token@host/path?signature` → `https://host/path`. Folders of the machine that built the image are none.
pub(crate) fn without_secrets(url: &str) -> Option<String> {
    let (scheme, host, path) = parts(url)?;
    Some(format!("{scheme}://{host}/{path}"))
}

/// `https://github.com/apple/swift-nio.git`, `git@github.com:apple/swift-nio.git` → `github.com/apple/swift-nio`
pub(crate) fn repository_name(url: &str) -> Option<String> {
    let (host, path) = match parts(url) {
        Some((_, host, path)) => (host.split(':').next()?, path),
        None if url.contains("://") => return None,
        None => url.rsplit('@').next()?.split_once(':')?,
    };
    let path = path.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    (!host.is_empty() && !path.is_empty()).then(|| format!("{host}/{path}"))
}

/// Scheme, host and path.
fn parts(url: &str) -> Option<(&str, &str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let rest = rest.split(['?', '#']).next()?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = authority.rsplit('@').next().filter(|host| !host.is_empty())?;
    Some((scheme, host, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_left_out() {
        for (url, address, name) in [
            ("https://github.com/a/b.git", Some("https://github.com/a/b.git"), Some("github.com/a/b")),
            ("ssh://git:secret@host:22/a/b", Some("ssh://host:22/a/b"), Some("host/a/b")),
            ("https://x@y:secret@host/a?token=secret#secret", Some("https://host/a"), Some("host/a")),
            ("git@github.com:a/b.git", None, Some("github.com/a/b")),
            ("https://host", Some("https://host/"), None),
            ("file:///srv/a", None, None),
            ("/srv/a", None, None),
            ("", None, None),
        ] {
            assert_eq!(without_secrets(url).as_deref(), address, "{url}");
            assert_eq!(repository_name(url).as_deref(), name, "{url}");
        }
    }
}

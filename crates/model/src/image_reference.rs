//! The one parser for what users write to name an image.

use std::fmt;
use std::str::FromStr;

use crate::Digest;

/// The tag that is meant when there is none.
pub const DEFAULT_TAG: &str = "latest";
/// The registry that is meant when there is none.
pub const DOCKER_HUB: &str = "docker.io";

const REFERENCE_BYTES_MAX: usize = 1024;
/// Names of hosts are no longer, and a port has up to five digits.
const REGISTRY_BYTES_MAX: usize = 253 + 6;
/// As registries have it. With all parts at their limits a whole name is still one that can be read again.
const REPOSITORY_BYTES_MAX: usize = 255;

/// A name of an image: registry, repository, and a tag, a digest or both.
///
/// The rules are those of Anchore's API, which agree with Docker's but for one thing: no `library/` is put in front of
/// one-part names of Docker Hub, because policies are written against the name without it.
/// [`ImageReference::registry_repository`] adds it where a registry is asked.
///
/// Invariant: every part has only the characters that the OCI distribution specification allows, the registry is lower
/// case, and there is a tag or a digest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageReference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// Why a text names no image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseImageReferenceError {
    /// Nothing is there.
    #[error("image reference is empty")]
    Empty,
    /// Longer than any registry accepts.
    #[error("{what} has {length} bytes (limit {limit})")]
    TooLong {
        /// It, or a part of it.
        what: &'static str,
        /// Its length in bytes.
        length: usize,
        /// Bytes that it may have.
        limit: usize,
    },
    /// The repository is missing or has characters that no registry accepts.
    #[error("repository `{0}` of the image reference is not lower-case words split by `/`, `.`, `_` or `-`")]
    BadRepository(String),
    /// The registry has characters that no host name has.
    #[error("registry `{0}` of the image reference is not a host name with an optional port")]
    BadRegistry(String),
    /// The tag has characters that no registry accepts.
    #[error("tag `{0}` of the image reference is not up to 128 letters, digits, `_`, `.` or `-`")]
    BadTag(String),
    /// The part behind `@` is not a digest.
    #[error("image reference has a bad digest")]
    BadDigest(#[source] crate::ParseDigestError),
}

impl ImageReference {
    /// Host with optional port: `docker.io`, `registry.example.org:5000`.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// Repository as policies see it: `nginx`, `library/nginx`, `team/app`.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// Repository as the registry knows it: one-part names of Docker Hub live under `library/`.
    pub fn registry_repository(&self) -> String {
        if self.registry == DOCKER_HUB && !self.repository.contains('/') {
            format!("library/{}", self.repository)
        } else {
            self.repository.clone()
        }
    }

    /// The tag, when one was written or when nothing else was.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, when one was written.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// The same repository at a digest, without the tag.
    pub fn at_digest(&self, digest: Digest) -> Self {
        Self {
            registry: self.registry.clone(),
            repository: self.repository.clone(),
            tag: None,
            digest: Some(digest),
        }
    }

    /// `registry/repository:tag`, where there is a tag.
    pub fn full_tag(&self) -> Option<String> {
        self.tag.as_ref().map(|tag| format!("{}/{}:{tag}", self.registry, self.repository))
    }
}

impl fmt::Display for ImageReference {
    /// The whole name, nothing left out: `docker.io/nginx:latest`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(formatter, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(formatter, "@{digest}")?;
        }
        Ok(())
    }
}

impl FromStr for ImageReference {
    type Err = ParseImageReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err(ParseImageReferenceError::Empty);
        }
        check_length("image reference", text, REFERENCE_BYTES_MAX)?;
        let (name, digest) = match text.rsplit_once('@') {
            Some((name, digest)) => {
                (name, Some(digest.parse::<Digest>().map_err(ParseImageReferenceError::BadDigest)?))
            }
            None => (text, None),
        };
        let (registry, rest) = split_registry(name);
        let (repository, tag) = match rest.rsplit_once(':') {
            Some((repository, tag)) => (repository, Some(tag)),
            None => (rest, None),
        };
        check_length("registry of the image reference", &registry, REGISTRY_BYTES_MAX)?;
        check_length("repository of the image reference", repository, REPOSITORY_BYTES_MAX)?;
        if !is_host(&registry) {
            return Err(ParseImageReferenceError::BadRegistry(registry));
        }
        if !is_repository(repository) {
            return Err(ParseImageReferenceError::BadRepository(repository.to_owned()));
        }
        if let Some(tag) = tag
            && !is_tag(tag)
        {
            return Err(ParseImageReferenceError::BadTag(tag.to_owned()));
        }
        let tag = match (tag, &digest) {
            (Some(tag), _) => Some(tag.to_owned()),
            (None, Some(_)) => None,
            (None, None) => Some(DEFAULT_TAG.to_owned()),
        };
        Ok(Self { registry, repository: repository.to_owned(), tag, digest })
    }
}

fn check_length(what: &'static str, text: &str, limit: usize) -> Result<(), ParseImageReferenceError> {
    let length = text.len();
    if length > limit {
        return Err(ParseImageReferenceError::TooLong { what, length, limit });
    }
    Ok(())
}

/// The first part is a registry if it looks like a host; `index.docker.io` is an old name of Docker Hub.
fn split_registry(name: &str) -> (String, &str) {
    match name.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || matches!(first, "localhost" | "localbuild") => {
            let registry = match first {
                "index.docker.io" | "registry-1.docker.io" => DOCKER_HUB.to_owned(),
                host => host.to_ascii_lowercase(),
            };
            (registry, rest)
        }
        _ => (DOCKER_HUB.to_owned(), name),
    }
}

fn is_host(host: &str) -> bool {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, port)) => {
                if address.parse::<std::net::Ipv6Addr>().is_err() {
                    return false;
                }
                ("v6", port.strip_prefix(':').or(if port.is_empty() { None } else { Some("") }))
            }
            None => return false,
        },
        None => match host.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (host, None),
        },
    };
    let name_is_good = !name.is_empty()
        && name.split('.').all(|label| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        });
    let port_is_good = port.is_none_or(|port| {
        port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    name_is_good && port_is_good
}

fn is_repository(repository: &str) -> bool {
    !repository.is_empty()
        && repository.split('/').all(|part| {
            let bytes = part.as_bytes();
            let is_word = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
            bytes.first().is_some_and(is_word)
                && bytes.last().is_some_and(is_word)
                && bytes.iter().all(|byte| is_word(byte) || matches!(byte, b'.' | b'_' | b'-'))
                && !part.contains("..")
                && !part.contains("___")
                && !part.contains("._")
                && !part.contains("_.")
        })
}

fn is_tag(tag: &str) -> bool {
    let bytes = tag.as_bytes();
    bytes.len() <= 128
        && bytes.first().is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<(&str, &str), ()>) {
        let parsed = text.parse::<ImageReference>();
        match expected {
            Ok((whole, asked)) => {
                let reference = parsed.unwrap_or_else(|error| panic!("`{text}`: {error}"));
                assert_eq!(reference.to_string(), whole, "`{text}`");
                assert_eq!(reference.registry_repository(), asked, "`{text}`");
                assert_eq!(whole.parse::<ImageReference>().unwrap(), reference, "`{text}` round trip");
            }
            Err(()) => assert!(parsed.is_err(), "`{text}` was read as {parsed:?}"),
        }
    }

    #[test]
    fn names_are_completed_and_nothing_is_guessed() {
        let digest = format!("sha256:{}", "1".repeat(64));
        check("nginx", Ok(("docker.io/nginx:latest", "library/nginx")));
        check("nginx:1.25", Ok(("docker.io/nginx:1.25", "library/nginx")));
        check("library/nginx", Ok(("docker.io/library/nginx:latest", "library/nginx")));
        check("docker.io/nginx", Ok(("docker.io/nginx:latest", "library/nginx")));
        check("index.docker.io/nginx", Ok(("docker.io/nginx:latest", "library/nginx")));
        check("team/app:v1", Ok(("docker.io/team/app:v1", "team/app")));
        check("localhost/app", Ok(("localhost/app:latest", "app")));
        check("127.0.0.1:5000/a/b:c", Ok(("127.0.0.1:5000/a/b:c", "a/b")));
        check("[::1]:5000/a", Ok(("[::1]:5000/a:latest", "a")));
        check("Registry.Example.org/app", Ok(("registry.example.org/app:latest", "app")));
        check(&format!("nginx@{digest}"), Ok((&format!("docker.io/nginx@{digest}"), "library/nginx")));
        check(&format!("h:5000/a:t@{digest}"), Ok((&format!("h:5000/a:t@{digest}"), "a")));
        check("a__b/c-d.e", Ok(("docker.io/a__b/c-d.e:latest", "a__b/c-d.e")));
    }

    #[test]
    fn what_no_registry_accepts_is_refused() {
        for text in [
            "",
            " nginx",
            "nginx ",
            "Nginx",
            "nginx:",
            "nginx:-a",
            "nginx@sha256:12",
            "a//b",
            "/a",
            "a/",
            "-a",
            "a..b",
            "h:99999/a",
            "h:0/a",
            "h:x/a",
            "..//..:a",
            "a:b:c",
            "a@b",
            "https://h/a",
            "a\nb",
            "a:ü",
        ] {
            check(text, Err(()));
        }
    }

    #[test]
    fn what_is_too_long_is_refused_and_the_longest_is_read_again() {
        let host = format!("{}com", "abcd.".repeat(50));
        let (repository, tag) = ("a".repeat(REPOSITORY_BYTES_MAX), "t".repeat(128));
        let longest = format!("{host}:65535/{repository}:{tag}@sha512:{}", "1".repeat(128));
        assert_eq!(host.len(), 253);
        check(&longest, Ok((&longest, &repository)));
        let short = |what: &str| format!("docker.io/{what}:latest");
        check(&repository, Ok((&short(&repository), &format!("library/{repository}"))));
        for text in
            [format!("{repository}a"), format!("x{host}:65535/a"), format!("{longest}{}", "1".repeat(999))]
        {
            let error = text.parse::<ImageReference>().unwrap_err();
            assert!(matches!(error, ParseImageReferenceError::TooLong { .. }), "{text}: {error}");
        }
    }
}

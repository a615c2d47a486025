//! The one parser for what users write to say where an image is.

use std::fmt;
use std::path::{Path, PathBuf};

use model::{ImageReference, ParseImageReferenceError};

/// Where an image is read from.
///
/// `name` chooses one image of an archive that holds several: a full name (`docker.io/app:1`), a tag or a digest.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ImageSource {
    /// A registry.
    Registry(ImageReference),
    /// A tar file of an OCI layout.
    OciArchive {
        /// The file.
        path: PathBuf,
        /// Which image of it.
        name: Option<String>,
    },
    /// A folder with an OCI layout.
    OciLayout {
        /// The folder.
        path: PathBuf,
        /// Which image of it.
        name: Option<String>,
    },
    /// A tar file as `docker save` writes it.
    DockerArchive {
        /// The file.
        path: PathBuf,
        /// Which image of it.
        name: Option<String>,
    },
    /// A tar file of either kind: the content decides.
    Archive {
        /// The file.
        path: PathBuf,
        /// Which image of it.
        name: Option<String>,
    },
    /// A program that keeps images on this machine.
    Daemon {
        /// Which one.
        kind: DaemonKind,
        /// The image as that program names it: a name or an id.
        name: String,
    },
}

/// Programs that keep images on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DaemonKind {
    /// Docker.
    Docker,
    /// Podman.
    Podman,
    /// containerd, as Kubernetes nodes have it.
    Containerd,
}

impl DaemonKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Docker, Self::Podman, Self::Containerd];

    /// What stands in front of a name: `docker`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
            Self::Containerd => "containerd",
        }
    }
}

/// Why a text names no image source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseImageSourceError {
    /// `oci-archive:` and nothing behind it.
    #[error("image source `{0}` names nothing")]
    MissingPath(String),
    /// Neither an existing file or folder nor an image reference.
    #[error("`{text}` is neither a file nor an image reference")]
    BadReference {
        /// The text as given, shortened.
        text: String,
        /// Why it is no reference.
        #[source]
        source: ParseImageReferenceError,
    },
}

impl ImageSource {
    /// Reads `docker:NAME`, `podman:NAME`, `containerd:NAME`, `registry:REF`, `oci-archive:PATH[:NAME]`, `oci-layout:PATH[:NAME]` (also `oci-dir:` and `oci:`),
    /// `docker-archive:PATH[:NAME]`, or an existing file or folder, or an image reference.
    ///
    /// A file or folder wins over a reference of the same spelling only if the text has a `/` or ends in `.tar`,
    /// `.tgz` or `.gz`: a folder `nginx` in the working directory must not change what `nginx` means.
    pub fn parse(text: &str) -> Result<Self, ParseImageSourceError> {
        if let Some(reference) = text.strip_prefix("registry:") {
            return parse_reference(reference);
        }
        for kind in DaemonKind::ALL {
            let name = text.strip_prefix(kind.name()).and_then(|rest| rest.strip_prefix(':'));
            // `docker:27` is also an image of that name: a registry is asked for it as `registry:docker:27`.
            if let Some(name) = name {
                if name.is_empty() {
                    return Err(ParseImageSourceError::MissingPath(text.to_owned()));
                }
                return Ok(Self::Daemon { kind, name: name.to_owned() });
            }
        }
        for (prefix, build) in PREFIXES {
            if let Some(rest) = text.strip_prefix(prefix) {
                if rest.is_empty() {
                    return Err(ParseImageSourceError::MissingPath(text.to_owned()));
                }
                let (path, name) = split_name(rest);
                return Ok(build(path, name));
            }
        }
        let looks_like_path = text.contains('/')
            || [".tar", ".tgz", ".gz"].iter().any(|ending| text.ends_with(ending))
            || text == "."
            || text == "..";
        let path = Path::new(text);
        if looks_like_path && path.is_dir() {
            return Ok(Self::OciLayout { path: path.to_owned(), name: None });
        }
        if looks_like_path && path.is_file() {
            return Ok(Self::Archive { path: path.to_owned(), name: None });
        }
        parse_reference(text)
    }
}

type Build = fn(PathBuf, Option<String>) -> ImageSource;

const PREFIXES: [(&str, Build); 6] = [
    ("oci-archive:", |path, name| ImageSource::OciArchive { path, name }),
    ("oci-layout:", |path, name| ImageSource::OciLayout { path, name }),
    ("oci-dir:", |path, name| ImageSource::OciLayout { path, name }),
    ("oci:", |path, name| ImageSource::OciLayout { path, name }),
    ("docker-archive:", |path, name| ImageSource::DockerArchive { path, name }),
    ("archive:", |path, name| ImageSource::Archive { path, name }),
];

fn parse_reference(text: &str) -> Result<ImageSource, ParseImageSourceError> {
    text.parse().map(ImageSource::Registry).map_err(|source| ParseImageSourceError::BadReference {
        text: text.chars().take(200).collect(),
        source,
    })
}

/// No system has longer paths; each colon of a text costs a look at the disk.
const PATH_BYTES_MAX: usize = 4096;

/// `PATH:NAME`: the name begins behind the first colon whose left side exists, else behind the first colon; a path that
/// exists as a whole has no name.
fn split_name(text: &str) -> (PathBuf, Option<String>) {
    let whole = Path::new(text);
    if whole.exists() {
        return (whole.to_owned(), None);
    }
    let split_at = |index: usize| {
        let name = &text[index + 1..];
        (PathBuf::from(&text[..index]), (!name.is_empty()).then(|| name.to_owned()))
    };
    text.match_indices(':')
        .map(|(index, _)| index)
        .take_while(|index| *index <= PATH_BYTES_MAX)
        .find(|index| Path::new(&text[..*index]).exists())
        .or_else(|| text.find(':').filter(|index| *index > 0))
        .map_or_else(|| (whole.to_owned(), None), split_at)
}

impl fmt::Display for ImageSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, path, name) = match self {
            Self::Registry(reference) => return write!(formatter, "{reference}"),
            Self::OciArchive { path, name } => ("oci-archive", path, name),
            Self::OciLayout { path, name } => ("oci-layout", path, name),
            Self::DockerArchive { path, name } => ("docker-archive", path, name),
            Self::Archive { path, name } => ("archive", path, name),
            Self::Daemon { kind, name } => return write!(formatter, "{}:{name}", kind.name()),
        };
        write!(formatter, "{word}:{}", path.display())?;
        match name {
            Some(name) => write!(formatter, ":{name}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let source = ImageSource::parse(text).unwrap_or_else(|error| panic!("`{text}`: {error}"));
        assert_eq!(source.to_string(), expected, "`{text}`");
    }

    #[test]
    fn the_prefix_decides_then_the_file_then_the_reference() {
        check("nginx", "docker.io/nginx:latest");
        check("registry:nginx:1", "docker.io/nginx:1");
        check("docker:nginx:1", "docker:nginx:1");
        check("containerd:docker.io/library/nginx:1", "containerd:docker.io/library/nginx:1");
        check(
            "localhost:5000/a@sha256:1111111111111111111111111111111111111111111111111111111111111111",
            "localhost:5000/a@sha256:1111111111111111111111111111111111111111111111111111111111111111",
        );
        check("oci-archive:/no/such.tar", "oci-archive:/no/such.tar");
        check("oci-archive:/no/such.tar:v1", "oci-archive:/no/such.tar:v1");
        check("docker-archive:/no/such.tar:docker.io/app:v1", "docker-archive:/no/such.tar:docker.io/app:v1");
        check("oci-dir:/no/such", "oci-layout:/no/such");
        check("oci:/no/such:1", "oci-layout:/no/such:1");
        let folder = tempfile::tempdir().unwrap();
        let text = folder.path().to_str().unwrap();
        check(text, &format!("oci-layout:{text}"));
        let file = folder.path().join("a:b.tar");
        std::fs::write(&file, b"").unwrap();
        let text = file.to_str().unwrap();
        check(text, &format!("archive:{text}"));
        check(&format!("oci-archive:{text}"), &format!("oci-archive:{text}"));
        check(&format!("oci-archive:{text}:x"), &format!("oci-archive:{text}:x"));
    }

    #[test]
    fn what_names_nothing_is_refused() {
        for text in
            ["", "podman:", "oci-archive:", "docker-archive:", "/no/such/file", "registry:", "UPPER CASE"]
        {
            assert!(ImageSource::parse(text).is_err(), "`{text}`");
        }
    }
}

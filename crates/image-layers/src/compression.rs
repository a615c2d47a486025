//! How a layer is compressed: by its media type, or by its first bytes.

use std::fmt;

/// Compression of a layer archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Compression {
    /// A plain tar archive.
    None,
    /// gzip, possibly of several members.
    Gzip,
    /// Zstandard, possibly of several frames.
    Zstd,
}

/// A media type that names no layer archive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("media type `{0}` is not a layer archive")]
pub struct UnknownMediaType(pub String);

impl Compression {
    /// What a layer's media type says; `Ok(None)` where it leaves the question open.
    ///
    /// Source: OCI image specification 1.1, `layer.md`; Docker image manifest version 2, schema 2.
    pub fn from_media_type(media_type: &str) -> Result<Option<Self>, UnknownMediaType> {
        let essence = media_type.split(';').next().unwrap_or_default().trim();
        match essence {
            "" | "application/octet-stream" => Ok(None),
            "application/vnd.oci.image.layer.v1.tar"
            | "application/vnd.oci.image.layer.nondistributable.v1.tar"
            | "application/vnd.docker.image.rootfs.diff.tar" => Ok(Some(Self::None)),
            "application/vnd.oci.image.layer.v1.tar+gzip"
            | "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
            | "application/vnd.docker.image.rootfs.diff.tar.gzip"
            | "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip" => Ok(Some(Self::Gzip)),
            "application/vnd.oci.image.layer.v1.tar+zstd"
            | "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd"
            | "application/vnd.docker.image.rootfs.diff.tar.zstd" => Ok(Some(Self::Zstd)),
            _ => Err(UnknownMediaType(media_type.chars().take(140).collect())),
        }
    }

    /// What the first bytes say; four are enough.
    pub fn sniff(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            // A frame, or a skippable frame in front of one.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            _ => Self::None,
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::None => "uncompressed",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        })
    }
}

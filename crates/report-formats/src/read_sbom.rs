//! Package lists of all formats: recognised by their content, read within limits.

use std::cell::Cell;
use std::fmt;

use model::Inventory;
use serde::Deserializer as _;
use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};

use crate::lenient::Lenient;
use crate::listing::{Listing, SbomSubject};
use crate::{cyclonedx, purl_list, spdx, syft_json};

/// How large a package list may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SbomLimits {
    /// Bytes of the document.
    pub bytes_max: usize,
    /// Packages in it.
    pub packages_max: usize,
}

impl Default for SbomLimits {
    fn default() -> Self {
        Self { bytes_max: 256 << 20, packages_max: 200_000 }
    }
}

/// Why a package list was refused as a whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadSbomError {
    /// More bytes than the caller takes.
    #[error("the package list has {found} bytes (limit {limit})")]
    TooLarge {
        /// Bytes of it.
        found: usize,
        /// Most that are taken.
        limit: usize,
    },
    /// More packages than the caller takes.
    #[error("the package list has {found} packages (limit {limit})")]
    TooMany {
        /// Packages in it, or as many as were counted.
        found: usize,
        /// Most that are taken.
        limit: usize,
    },
    /// Nothing in it says which format it has.
    #[error(
        "{what} is no package list; known are CycloneDX (JSON, XML), SPDX (JSON, tag-value, JSON-LD), syft's JSON, \
         and package URLs line by line"
    )]
    UnknownFormat {
        /// What it seems to be.
        what: &'static str,
    },
    /// The format is known, this edition of it is not.
    #[error("{format} `{version}` is not read (known: {known})")]
    UnsupportedVersion {
        /// Name of the format.
        format: &'static str,
        /// As the document writes it, shortened.
        version: String,
        /// The editions that are read.
        known: &'static str,
    },
    /// The document breaks off, or has another shape than its format says.
    #[error("read {format}: {reason}")]
    Malformed {
        /// Name of the format.
        format: &'static str,
        /// What is wrong, and where.
        reason: String,
    },
}

impl ReadSbomError {
    pub(crate) fn malformed(format: &'static str, reason: impl fmt::Display) -> Self {
        Self::Malformed { format, reason: reason.to_string() }
    }

    pub(crate) fn version(format: &'static str, version: &str, known: &'static str) -> Self {
        Self::UnsupportedVersion { format, version: version.chars().take(60).collect(), known }
    }
}

/// Reads a package list of any known format: what it is of, and its packages.
///
/// Errors: [`ReadSbomError`]; an entry that cannot be used is a diagnostic.
pub fn read_sbom(bytes: &[u8], limits: &SbomLimits) -> Result<(SbomSubject, Inventory), ReadSbomError> {
    if bytes.len() > limits.bytes_max {
        return Err(ReadSbomError::TooLarge { found: bytes.len(), limit: limits.bytes_max });
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let listing = match sniff(bytes)? {
        Format::CycloneDxJson => cyclonedx::read_json(bytes, limits)?,
        Format::SpdxJson => spdx::read_json(bytes, limits)?,
        Format::CycloneDxXml => cyclonedx::read_xml(bytes, limits)?,
        Format::SpdxGraph => spdx::read_graph(bytes, limits)?,
        Format::SpdxTagValue => spdx::read_tag_value(bytes, limits)?,
        Format::SyftJson => return syft_json::read(bytes, limits),
        Format::PackageUrls => purl_list::read(bytes, limits)?,
    };
    Ok(Listing::into_inventory(listing))
}

/// What a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    CycloneDxJson,
    CycloneDxXml,
    SpdxJson,
    SpdxGraph,
    SpdxTagValue,
    SyftJson,
    PackageUrls,
}

/// Bytes that are looked at to tell texts apart.
const HEAD_BYTES: usize = 64 << 10;

fn sniff(bytes: &[u8]) -> Result<Format, ReadSbomError> {
    let head = bytes.trim_ascii_start();
    let unknown = |what: &'static str| Err(ReadSbomError::UnknownFormat { what });
    match head.first() {
        None => return unknown("an empty file"),
        Some(b'{') => return sniff_json(bytes),
        Some(b'[') => return unknown("a JSON array"),
        Some(b'<') => return Ok(Format::CycloneDxXml),
        Some(_) => {}
    }
    let head = &head[..head.len().min(HEAD_BYTES)];
    if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
        return unknown("a text in UTF-16");
    }
    if head.contains(&0) {
        return unknown("a binary file");
    }
    let text = String::from_utf8_lossy(head);
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    match lines.next() {
        Some(line) if line.starts_with("pkg:") => Ok(Format::PackageUrls),
        Some(line) if line.starts_with("SPDXVersion:") => Ok(Format::SpdxTagValue),
        _ if lines.any(|line| line.starts_with("SPDXVersion:")) => Ok(Format::SpdxTagValue),
        _ => unknown("this text"),
    }
}

/// Goes over the names of an object's members until one tells what it is.
fn sniff_json(bytes: &[u8]) -> Result<Format, ReadSbomError> {
    let found = Cell::new(None);
    let outcome = serde_json::Deserializer::from_slice(bytes).deserialize_map(Sniffer { found: &found });
    match (found.get(), outcome) {
        (Some(Ok(format)), _) => Ok(format),
        (Some(Err(what)), _) => Err(ReadSbomError::UnknownFormat { what }),
        (None, Ok(())) => Err(ReadSbomError::UnknownFormat { what: "this JSON" }),
        (None, Err(error)) => Err(ReadSbomError::malformed("JSON", error)),
    }
}

struct Sniffer<'a> {
    found: &'a Cell<Option<Result<Format, &'static str>>>,
}

impl<'de> Visitor<'de> for Sniffer<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(key) = members.next_key::<String>()? {
            let found = match key.as_str() {
                "bomFormat" if members.next_value::<Lenient>()?.text() == Some("CycloneDX") => {
                    Ok(Format::CycloneDxJson)
                }
                "bomFormat" => Err("JSON with another `bomFormat` than CycloneDX"),
                "spdxVersion" => Ok(Format::SpdxJson),
                "@graph" | "@context" => Ok(Format::SpdxGraph),
                "artifacts" => Ok(Format::SyftJson),
                "matches" => Err("a report of grype"),
                "ArtifactName" | "Results" => Err("a report of trivy"),
                "schema_version" => Err("JSON of `lazaret` itself"),
                "mediaType" | "manifests" => Err("a manifest of an image"),
                _ => {
                    members.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            self.found.set(Some(found));
            // What it is, is known: the rest is for its reader.
            return Err(A::Error::custom("known"));
        }
        Ok(())
    }
}

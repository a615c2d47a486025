//! The document as it is written: only what is used is kept in memory, whatever else it has.

use std::fmt;

use model::OwnedFile;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};

use super::files::RawFiles;
use crate::lenient::{Each, Few, Lenient, Words, nothing};
use crate::listing::{FILES_MAX, OwnFacts};

/// A document.
#[derive(Default)]
pub(super) struct RawDocument {
    /// `None`: the document has no such list. At most as many as the caller takes.
    pub(super) artifacts: Option<Vec<RawArtifact>>,
    /// How many there were.
    pub(super) found: usize,
    pub(super) distro: Option<RawDistro>,
    /// What it is of.
    pub(super) name: Option<String>,
    /// There were more files of packages than are kept.
    pub(super) has_more_files: bool,
    /// Ids of owner and owned.
    pub(super) owners: Vec<(String, String)>,
    /// What a list of ours says besides.
    pub(super) lazaret: OwnFacts,
}

#[derive(Deserialize)]
pub(super) struct RawArtifact {
    #[serde(default)]
    pub(super) id: Lenient,
    pub(super) name: String,
    #[serde(default)]
    pub(super) version: Option<String>,
    #[serde(default)]
    pub(super) r#type: String,
    #[serde(default)]
    pub(super) locations: Few<RawLocation>,
    #[serde(default)]
    pub(super) licenses: Few<RawLicense>,
    #[serde(default)]
    pub(super) purl: String,
    #[serde(default)]
    pub(super) cpes: Few<RawCpe>,
    #[serde(default)]
    pub(super) metadata: Option<RawMetadata>,
    #[serde(default)]
    pub(super) lazaret: OwnFacts,
    #[serde(default, rename = "lazaretFiles")]
    files: RawFiles,
}

impl RawArtifact {
    /// What the package owns, wherever it is told.
    pub(super) fn take_files(&mut self) -> Vec<OwnedFile> {
        let mut files = std::mem::take(&mut self.files.0);
        files.extend(self.metadata.iter_mut().flat_map(|metadata| std::mem::take(&mut metadata.files.0)));
        files
    }

    fn file_count(&self) -> usize {
        self.files.0.len() + self.metadata.as_ref().map_or(0, |metadata| metadata.files.0.len())
    }
}

/// A name of the Common Platform Enumeration: a text in old documents.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct CpeObject {
    cpe: Lenient,
    source: Lenient,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum RawCpe {
    Object(CpeObject),
    Other(IgnoredAny),
}

impl RawCpe {
    /// The name, if somebody states it.
    pub(super) fn stated(self) -> Option<String> {
        match self {
            Self::Object(CpeObject { cpe, source }) if source.text() != Some("syft-generated") => {
                cpe.into_text()
            }
            _ => None,
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct RawDigest {
    pub(super) algorithm: Lenient,
    pub(super) value: Lenient,
}

impl RawDigest {
    pub(super) fn sha1(&self) -> Option<String> {
        let is_sha1 = self.algorithm.text() == Some("sha1");
        self.value.text().filter(|_| is_sha1).map(str::to_owned)
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawRelation {
    parent: Lenient,
    child: Lenient,
    r#type: Lenient,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawSource {
    name: Lenient,
}

#[derive(Deserialize)]
pub(super) struct RawLocation {
    pub(super) path: String,
    #[serde(default, rename = "layerID")]
    pub(super) layer: Option<String>,
}

/// Members of all kinds of packages, as far as they say something here.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct RawMetadata {
    pub(super) source: Lenient,
    pub(super) source_version: Lenient,
    pub(super) origin_package: Lenient,
    pub(super) source_rpm: Lenient,
    pub(super) architecture: Lenient,
    pub(super) arch: Lenient,
    pub(super) license: Lenient,
    pub(super) maintainer: Lenient,
    pub(super) vendor: Lenient,
    pub(super) author: Lenient,
    pub(super) installed_size: Lenient,
    pub(super) size: Lenient,
    pub(super) manifest: Option<RawManifest>,
    pub(super) pom_properties: Option<RawPomProperties>,
    pub(super) modularity_label: Lenient,
    pub(super) digest: Few<RawDigest>,
    pub(super) files: RawFiles,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct RawManifest {
    pub(super) main: ManifestMain,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct RawPomProperties {
    pub(super) version: Lenient,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawDistro {
    #[serde(default)]
    pub(super) id: Lenient,
    #[serde(default)]
    pub(super) name: Lenient,
    #[serde(default, alias = "versionID")]
    pub(super) version_id: Lenient,
    #[serde(default)]
    pub(super) version: Lenient,
    #[serde(default)]
    pub(super) version_codename: Lenient,
    #[serde(default)]
    pub(super) id_like: Words,
    #[serde(default)]
    pub(super) pretty_name: Lenient,
}

/// Text in old documents, an object with `value` or `spdxExpression` in new ones.
#[derive(Default)]
pub(super) struct RawLicense(pub(super) Option<String>);

/// The main section of a jar's manifest: an object, or in newer documents a list of pairs, which keeps the order.
#[derive(Default)]
pub(super) struct ManifestMain {
    pub(super) specification: Option<String>,
    pub(super) implementation: Option<String>,
}

impl ManifestMain {
    fn note(&mut self, key: &str, value: &Lenient) {
        let value = || value.text().map(str::to_owned);
        match key {
            "Specification-Version" => self.specification = value(),
            "Implementation-Version" => self.implementation = value(),
            _ => {}
        }
    }
}

impl<'de> Deserialize<'de> for RawLicense {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct License;
        impl<'de> Visitor<'de> for License {
            type Value = RawLicense;
            nothing!(RawLicense(None); visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64);

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a licence")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<RawLicense, E> {
                Ok(RawLicense((!text.is_empty()).then(|| text.to_owned())))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<RawLicense, A::Error> {
                while elements.next_element::<IgnoredAny>()?.is_some() {}
                Ok(RawLicense(None))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<RawLicense, A::Error> {
                let (mut value, mut expression) = (Lenient::Other, Lenient::Other);
                while let Some(key) = members.next_key::<String>()? {
                    match key.as_str() {
                        "value" => value = members.next_value()?,
                        "spdxExpression" => expression = members.next_value()?,
                        _ => drop(members.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(RawLicense(value.text().or(expression.text()).map(str::to_owned)))
            }
        }
        deserializer.deserialize_any(License)
    }
}

impl<'de> Deserialize<'de> for ManifestMain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Pair {
            key: Lenient,
            value: Lenient,
        }
        struct Main;
        impl<'de> Visitor<'de> for Main {
            type Value = ManifestMain;
            nothing!(
                ManifestMain::default();
                visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str
            );

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("the main section of a manifest")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut pairs: A) -> Result<ManifestMain, A::Error> {
                let mut main = ManifestMain::default();
                while let Some(Pair { key, value }) = pairs.next_element()? {
                    main.note(key.text().unwrap_or_default(), &value);
                }
                Ok(main)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<ManifestMain, A::Error> {
                let mut main = ManifestMain::default();
                while let Some((key, value)) = members.next_entry::<String, Lenient>()? {
                    main.note(&key, &value);
                }
                Ok(main)
            }
        }
        deserializer.deserialize_any(Main)
    }
}

/// Reads a document, and keeps so many packages of it.
pub(super) struct DocumentSeed {
    pub(super) packages_max: usize,
}

impl<'de> DeserializeSeed<'de> for DocumentSeed {
    type Value = RawDocument;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<RawDocument, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for DocumentSeed {
    type Value = RawDocument;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a package list in syft's JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<RawDocument, A::Error> {
        let mut document = RawDocument::default();
        while let Some(key) = members.next_key::<String>()? {
            match key.as_str() {
                "artifacts" => {
                    let seed = ArtifactsSeed { packages_max: self.packages_max };
                    let (artifacts, found, has_more_files) = members.next_value_seed(seed)?;
                    (document.artifacts, document.found) = (Some(artifacts), found);
                    document.has_more_files = has_more_files;
                }
                "distro" => document.distro = members.next_value()?,
                "source" => document.name = members.next_value::<RawSource>()?.name.into_text(),
                "lazaret" => document.lazaret = members.next_value()?,
                "artifactRelationships" => {
                    let owners = &mut document.owners;
                    members.next_value_seed(Each::new(|relation: RawRelation| {
                        let RawRelation { parent, child, r#type } = relation;
                        if r#type.text() == Some("ownership-by-file-overlap")
                            && let (Some(parent), Some(child)) = (parent.into_text(), child.into_text())
                        {
                            owners.push((parent, child));
                        }
                    }))?;
                }
                _ => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        Ok(document)
    }
}

struct ArtifactsSeed {
    packages_max: usize,
}

impl<'de> DeserializeSeed<'de> for ArtifactsSeed {
    type Value = (Vec<RawArtifact>, usize, bool);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for ArtifactsSeed {
    type Value = (Vec<RawArtifact>, usize, bool);

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of packages")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        let mut kept = Vec::new();
        let mut file_count = 0_usize;
        while kept.len() < self.packages_max
            && let Some(mut artifact) = elements.next_element::<RawArtifact>()?
        {
            file_count = file_count.saturating_add(artifact.file_count());
            if file_count > FILES_MAX {
                artifact.take_files();
            }
            kept.push(artifact);
        }
        let mut found = kept.len();
        while elements.next_element::<IgnoredAny>()?.is_some() {
            found += 1;
        }
        Ok((kept, found, file_count > FILES_MAX))
    }
}

//! Which images an object wants to run: every place of a Pod and of a Pod template.

use std::borrow::{Borrow, Cow};
use std::collections::BTreeMap;

use serde::Deserialize;

/// Most images that one object may name.
pub const IMAGES_MAX: usize = 1_000;

/// Borrowed text of a JSON document; owned only where it is written with escapes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(transparent)]
pub struct Text<'a>(#[serde(borrow)] pub Cow<'a, str>);

// Ordering and equality of the text are those of `str`, as the trait demands.
impl Borrow<str> for Text<'_> {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl Text<'_> {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The part of an object's metadata that a decision needs.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata<'a> {
    /// Name, empty while the API server has not made one.
    #[serde(borrow, default)]
    pub name: Option<Text<'a>>,
    /// What a name will be made from.
    #[serde(borrow, default)]
    pub generate_name: Option<Text<'a>>,
    /// Identity of the object.
    #[serde(borrow, default)]
    pub uid: Option<Text<'a>>,
    /// Labels.
    #[serde(borrow, default)]
    pub labels: Option<BTreeMap<Text<'a>, Text<'a>>>,
    /// Owners.
    #[serde(borrow, default)]
    pub owner_references: Option<Vec<Owner<'a>>>,
}

/// An owner of an object.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Owner<'a> {
    /// Group and version.
    #[serde(borrow)]
    pub api_version: Text<'a>,
    /// Kind.
    #[serde(borrow)]
    pub kind: Text<'a>,
    /// Name.
    #[serde(borrow)]
    pub name: Text<'a>,
    /// Identity.
    #[serde(borrow)]
    pub uid: Text<'a>,
    /// Whether it manages the object.
    #[serde(default)]
    pub controller: Option<bool>,
}

impl<'a> Metadata<'a> {
    /// The label's value, unless it is empty.
    pub fn label(&self, key: &str) -> Option<&str> {
        let labels = self.labels.as_ref()?;
        let value = labels.get(key)?.as_str();
        (!value.is_empty()).then_some(value)
    }

    /// Name, or what the name will be made from.
    pub fn display_name(&self) -> &str {
        match (self.name.as_ref(), self.generate_name.as_ref()) {
            (Some(name), _) if !name.as_str().is_empty() => name.as_str(),
            (_, Some(generated)) => generated.as_str().trim_end_matches('-'),
            _ => "",
        }
    }

    /// The owner that manages the object; the first one where none says so.
    pub fn controller(&self) -> Option<&Owner<'a>> {
        let owners = self.owner_references.as_deref()?;
        owners.iter().find(|owner| owner.controller == Some(true)).or_else(|| owners.first())
    }
}

/// A Pod or any kind that holds a Pod template, reduced to what names images.
#[derive(Debug, Deserialize)]
struct RawObject<'a> {
    #[serde(borrow, default)]
    metadata: Option<Metadata<'a>>,
    #[serde(borrow, default)]
    spec: Option<RawSpec<'a>>,
    /// Of a PodTemplate, which has no spec of its own.
    #[serde(borrow, default)]
    template: Option<RawTemplate<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawSpec<'a> {
    #[serde(borrow, default)]
    containers: Option<Vec<RawContainer<'a>>>,
    #[serde(borrow, default)]
    init_containers: Option<Vec<RawContainer<'a>>>,
    #[serde(borrow, default)]
    ephemeral_containers: Option<Vec<RawContainer<'a>>>,
    #[serde(borrow, default)]
    volumes: Option<Vec<RawVolume<'a>>>,
    #[serde(borrow, default)]
    template: Option<Box<RawTemplate<'a>>>,
    #[serde(borrow, default)]
    job_template: Option<Box<RawTemplate<'a>>>,
}

#[derive(Debug, Deserialize)]
struct RawTemplate<'a> {
    #[serde(borrow, default)]
    spec: Option<RawSpec<'a>>,
}

#[derive(Debug, Deserialize)]
struct RawContainer<'a> {
    #[serde(borrow, default)]
    image: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
struct RawVolume<'a> {
    #[serde(borrow, default)]
    image: Option<RawImageVolume<'a>>,
}

#[derive(Debug, Deserialize)]
struct RawImageVolume<'a> {
    #[serde(borrow, default)]
    reference: Option<Text<'a>>,
}

/// What kind of object holds the images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectKind {
    /// A Pod: decided upon.
    Pod,
    /// A kind that holds a Pod template: warned about.
    Workload,
    /// Anything else: not our business.
    Other,
}

impl ObjectKind {
    /// The kind by its API group and name; the version does not matter.
    pub fn of(group: &str, kind: &str) -> Self {
        match (group, kind) {
            ("", "Pod") => Self::Pod,
            ("", "ReplicationController" | "PodTemplate")
            | ("apps", "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet")
            | ("batch", "Job" | "CronJob") => Self::Workload,
            _ => Self::Other,
        }
    }
}

/// Metadata and images of one object.
#[derive(Debug)]
pub struct ObjectImages<'a> {
    /// The object's metadata.
    pub metadata: Metadata<'a>,
    /// Every image as written, each once, in the order init containers, containers, ephemeral containers, volumes.
    pub images: Vec<Cow<'a, str>>,
}

/// Why the images of an object cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum ReadObjectError {
    /// It is not shaped like its kind.
    #[error("object is not shaped like a `{kind}`")]
    BadShape {
        /// The kind it says to be.
        kind: String,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
    /// There is no `spec`.
    #[error("object of kind `{0}` has no `spec`")]
    NoSpec(String),
    /// More images than any Pod can run.
    #[error("object names {count} images (limit {IMAGES_MAX})")]
    TooMany {
        /// How many.
        count: usize,
    },
}

/// Reads metadata and images of a Pod or of a workload kind.
///
/// Shape:  the JSON of the object; fields that name no image are skipped unread.
/// Limits: images ≤ [`IMAGES_MAX`]; the caller bounds the bytes.
/// Errors: [`ReadObjectError`], by what is wrong with the object.
pub fn read_object<'a>(kind: &str, json: &'a str) -> Result<ObjectImages<'a>, ReadObjectError> {
    let object: RawObject<'a> = serde_json::from_str(json)
        .map_err(|source| ReadObjectError::BadShape { kind: kind.to_owned(), source })?;
    let mut images = Vec::new();
    match (object.spec, object.template) {
        (Some(spec), _) => collect_spec(spec, &mut images),
        (None, Some(template)) => collect_template(template, &mut images),
        (None, None) => return Err(ReadObjectError::NoSpec(kind.to_owned())),
    }
    if images.len() > IMAGES_MAX {
        return Err(ReadObjectError::TooMany { count: images.len() });
    }
    let mut unique: Vec<Cow<'a, str>> = Vec::with_capacity(images.len());
    for image in images {
        if !unique.contains(&image) {
            unique.push(image);
        }
    }
    Ok(ObjectImages { metadata: object.metadata.unwrap_or_default(), images: unique })
}

fn collect_template<'a>(template: RawTemplate<'a>, images: &mut Vec<Cow<'a, str>>) {
    if let Some(spec) = template.spec {
        collect_spec(spec, images);
    }
}

// Recursion ends: serde_json refuses documents nested deeper than 128 levels.
fn collect_spec<'a>(spec: RawSpec<'a>, images: &mut Vec<Cow<'a, str>>) {
    let RawSpec { containers, init_containers, ephemeral_containers, volumes, template, job_template } = spec;
    for container in [init_containers, containers, ephemeral_containers].into_iter().flatten().flatten() {
        // A container without an image is written down as an empty name, which no policy can allow.
        images.push(container.image.map_or(Cow::Borrowed(""), |image| image.0));
    }
    for volume in volumes.into_iter().flatten() {
        if let Some(image) = volume.image {
            images.push(image.reference.map_or(Cow::Borrowed(""), |reference| reference.0));
        }
    }
    for template in [template, job_template].into_iter().flatten() {
        collect_template(*template, images);
    }
}

#[cfg(test)]
#[path = "images_tests.rs"]
mod tests;

//! The properties by which a list of ours reads back as what it was written from.
//!
//! Everything that is not told exactly by the name, version, package URL and CPEs of an entry is a property whose name begins
//! with `lazaret:`. Values are percent-encoded where a format could lose a letter. Members of lists have their number in the
//! name: writers of other tools sort properties.

use model::{
    BaseImage, Diagnostic, DiagnosticCode, Digest, Distro, DockerfileMode, ImageFacts, Inventory,
    JavaVersions, LayerFacts, Location, NamedBase, Package, PackageKind, Platform, SourcePackage,
};

use super::text::{decode, encode, is_locator, is_plain};
use super::{ListedPackage, Properties};
use crate::{Sbom, wire};

/// In a document: which edition of these properties it has.
pub(super) const FORMAT: &str = "lazaret:format";
/// In a package: it was written by us, and its properties say everything.
pub(super) const TYPE: &str = "lazaret:type";
const EDITION: &str = "1";
const NAME: &str = "lazaret:name";
const VERSION: &str = "lazaret:version";
const PURL: &str = "lazaret:purl";
const SUPPLIER: &str = "lazaret:maintainer";
const ARCHITECTURE: &str = "lazaret:architecture";
const SOURCE_NAME: &str = "lazaret:source:name";
const SOURCE_VERSION: &str = "lazaret:source:version";
const SIZE: &str = "lazaret:installed-size";
const THIRD_PARTY: &str = "lazaret:third-party";
const OWNER: &str = "lazaret:owner";
const MODULARITY: &str = "lazaret:modularity";
const JAVA: &str = "lazaret:java";
const JAVA_SPECIFICATION: &str = "lazaret:java:specification";
const JAVA_IMPLEMENTATION: &str = "lazaret:java:implementation";
const JAVA_MAVEN: &str = "lazaret:java:maven";
const JAVA_SHA1: &str = "lazaret:java:sha1";
const IMAGE_DIGEST: &str = "lazaret:image:digest";
const IMAGE_PARENT: &str = "lazaret:image:parent-digest";
const IMAGE_ID: &str = "lazaret:image:id";
const IMAGE_PLATFORM: &str = "lazaret:image:platform";
const IMAGE_SIZE: &str = "lazaret:image:size";
const IMAGE_BASE_NAME: &str = "lazaret:image:base:name";
const IMAGE_BASE_DIGEST: &str = "lazaret:image:base:digest";
/// They are about the base that the user named, and nothing is read back from them.
const BASE_IMAGE: &str = "lazaret:base-image:name";
const BASE_IMAGE_ID: &str = "lazaret:base-image:id";
const FROM_BASE_IMAGE: &str = "lazaret:from-base-image";
const DISTRO_ID: &str = "lazaret:distro:id";
const DISTRO_VERSION: &str = "lazaret:distro:version-id";
const DISTRO_CODENAME: &str = "lazaret:distro:version-codename";
const DISTRO_NAME: &str = "lazaret:distro:pretty-name";
const DISTRO_CHANNEL: &str = "lazaret:distro:channel";

fn put(properties: &mut Properties, key: &str, value: Option<&str>) {
    if let Some(value) = value {
        properties.insert(key.to_owned(), encode(value));
    }
}

fn put_all<'a>(properties: &mut Properties, key: &str, values: impl IntoIterator<Item = &'a String>) {
    for (index, value) in values.into_iter().enumerate() {
        put(properties, &format!("lazaret:{key}:{index}"), Some(value));
    }
}

fn text(properties: &Properties, key: &str) -> Option<String> {
    properties.get(key).map(|value| decode(value))
}

fn number(properties: &Properties, key: &str) -> Option<u64> {
    properties.get(key)?.parse().ok()
}

fn digest(properties: &Properties, key: &str) -> Option<Digest> {
    properties.get(key)?.parse().ok()
}

fn all(properties: &Properties, key: &str) -> Vec<String> {
    (0..).map_while(|index| text(properties, &format!("lazaret:{key}:{index}"))).collect()
}

/// An entry as every format can hold it.
pub(super) fn package(package: &Package) -> ListedPackage {
    let Package {
        kind,
        name,
        version,
        architecture,
        source,
        purl,
        licenses,
        maintainer,
        installed_size_bytes,
        locations,
        // Whoever makes the list decides whether it has them.
        files: _,
        java,
        is_third_party,
        owner,
        modularity,
        cpes,
    } = package;
    let mut properties = Properties::new();
    let mut add = |key: &str, value: Option<&str>| put(&mut properties, key, value);
    add(TYPE, Some(kind.purl_type()));
    // Where a format would change a text, the exact one stands beside it.
    let odd = |text: &Option<String>| text.clone().filter(|text| !is_plain(text));
    add(NAME, odd(&Some(name.clone())).as_deref());
    add(VERSION, odd(version).as_deref());
    add(PURL, Some(purl.as_str()).filter(|purl| !is_locator(purl)));
    add(SUPPLIER, maintainer.as_deref());
    add(ARCHITECTURE, architecture.as_deref());
    add(SOURCE_NAME, source.as_ref().map(|source| source.name.as_str()));
    add(SOURCE_VERSION, source.as_ref().map(|source| source.version.as_str()));
    add(SIZE, installed_size_bytes.map(|size| size.to_string()).as_deref());
    add(THIRD_PARTY, is_third_party.map(|it| if it { "true" } else { "false" }));
    add(OWNER, owner.as_deref());
    add(MODULARITY, modularity.as_deref());
    if let Some(JavaVersions { specification, implementation, maven, sha1 }) = java {
        add(JAVA, Some("true"));
        add(JAVA_SPECIFICATION, specification.as_deref());
        add(JAVA_IMPLEMENTATION, implementation.as_deref());
        add(JAVA_MAVEN, maven.as_deref());
        add(JAVA_SHA1, sha1.as_deref());
    }
    for (index, Location { path, layer }) in locations.iter().enumerate() {
        add(&format!("lazaret:location:{index}:path"), Some(path));
        add(&format!("lazaret:location:{index}:layer"), layer.as_ref().map(ToString::to_string).as_deref());
    }
    put_all(&mut properties, "license", licenses);
    put_all(&mut properties, "cpe", cpes);
    ListedPackage {
        reference: String::new(),
        group: None,
        name: name.clone(),
        version: version.clone().filter(|version| !version.is_empty()),
        purl: purl.clone(),
        cpes: cpes.clone(),
        licenses: licenses.clone(),
        supplier: maintainer.clone(),
        sha1: java.as_ref().and_then(|java| java.sha1.clone()),
        properties,
        files: Vec::new(),
    }
}

/// Notes whether the package came with the base image.
pub(super) fn note_base(listed: &mut ListedPackage, of_base: Option<bool>) {
    let word = of_base.map(|of_base| if of_base { "true" } else { "false" });
    put(&mut listed.properties, FROM_BASE_IMAGE, word);
}

/// An entry of ours as the package that it was; what is wrong with it otherwise.
pub(super) fn to_package(listed: &mut ListedPackage) -> Result<Package, String> {
    let mut files = std::mem::take(&mut listed.files);
    files.sort();
    let properties = &listed.properties;
    let text = |key: &str| text(properties, key);
    let r#type = text(TYPE).unwrap_or_default();
    let Some(kind) = PackageKind::from_purl_type(&r#type) else {
        return Err(format!("of type `{type}`"));
    };
    let name = text(NAME).unwrap_or_else(|| listed.name.clone());
    if name.is_empty() {
        return Err("without a name".to_owned());
    }
    let source = text(SOURCE_NAME)
        .map(|name| SourcePackage { name, version: text(SOURCE_VERSION).unwrap_or_default() });
    let locations = (0..).map_while(|index| {
        let path = text(&format!("lazaret:location:{index}:path"))?;
        Some(Location { path, layer: digest(properties, &format!("lazaret:location:{index}:layer")) })
    });
    Ok(Package {
        kind,
        name,
        version: text(VERSION).or_else(|| listed.version.clone()),
        architecture: text(ARCHITECTURE),
        source,
        purl: text(PURL).unwrap_or_else(|| listed.purl.clone()),
        licenses: all(properties, "license"),
        maintainer: text(SUPPLIER),
        installed_size_bytes: number(properties, SIZE),
        locations: locations.collect(),
        files,
        java: properties.contains_key(JAVA).then(|| JavaVersions {
            specification: text(JAVA_SPECIFICATION),
            implementation: text(JAVA_IMPLEMENTATION),
            maven: text(JAVA_MAVEN),
            sha1: text(JAVA_SHA1),
        }),
        is_third_party: properties.get(THIRD_PARTY).map(|value| value == "true"),
        owner: text(OWNER),
        modularity: text(MODULARITY),
        cpes: all(properties, "cpe"),
    })
}

/// What a document says besides its packages.
pub(super) fn document(sbom: &Sbom<'_>) -> Properties {
    let mut properties = Properties::new();
    let mut add = |key: &str, value: Option<&str>| put(&mut properties, key, value);
    add(FORMAT, Some(EDITION));
    add(NAME, Some(sbom.image_name).filter(|name| !is_plain(name)));
    if let Some(image) = sbom.image {
        add(IMAGE_DIGEST, Some(&image.digest.to_string()));
        add(IMAGE_PARENT, Some(&image.parent_digest.to_string()));
        add(IMAGE_ID, Some(&image.image_id.to_string()));
        add(IMAGE_PLATFORM, Some(&wire::platform(&image.platform)));
        add(IMAGE_SIZE, Some(&image.size_bytes.to_string()));
        if let Some(BaseImage { name, digest }) = &image.base {
            add(IMAGE_BASE_NAME, name.as_deref());
            add(IMAGE_BASE_DIGEST, digest.as_ref().map(ToString::to_string).as_deref());
        }
    }
    if let Some(base) = NamedBase::nearest(sbom.bases) {
        add(BASE_IMAGE, Some(&base.name));
        add(BASE_IMAGE_ID, Some(&base.image_id.to_string()));
    }
    let Inventory { distro, packages: _, diagnostics, layers } = sbom.inventory;
    if let Some(distro) = distro {
        add(DISTRO_ID, Some(&distro.id));
        add(DISTRO_VERSION, distro.version_id.as_deref());
        add(DISTRO_CODENAME, distro.version_codename.as_deref());
        add(DISTRO_NAME, distro.pretty_name.as_deref());
        add(DISTRO_CHANNEL, distro.channel.as_deref());
    }
    for (index, Diagnostic { code, subject, offset, message }) in diagnostics.iter().enumerate() {
        let mut add = |key: &str, value: &str| add(&format!("lazaret:diagnostic:{index}:{key}"), Some(value));
        add("code", code.name());
        add("subject", subject);
        add("message", message);
        if let Some(offset) = offset {
            add("offset", &offset.to_string());
        }
    }
    if let Some(distro) = distro {
        put_all(&mut properties, "distro:id-like", &distro.id_like);
    }
    let layers: Vec<String> = layers.iter().map(ToString::to_string).collect();
    put_all(&mut properties, "layer", &layers);
    properties
}

/// The inventory of a document of ours, without its packages.
pub(super) fn inventory(properties: &Properties) -> Inventory {
    let text = |key: &str| text(properties, key);
    let distro = text(DISTRO_ID).map(|id| Distro {
        id,
        version_id: text(DISTRO_VERSION),
        version_codename: text(DISTRO_CODENAME),
        id_like: all(properties, "distro:id-like"),
        pretty_name: text(DISTRO_NAME),
        channel: text(DISTRO_CHANNEL),
    });
    let diagnostics = (0..).map_while(|index| {
        let text = |key: &str| text(&format!("lazaret:diagnostic:{index}:{key}"));
        // A code that a newer edition has: the gap stays a gap.
        let code = DiagnosticCode::from_name(&text("code")?).unwrap_or(DiagnosticCode::PackagesLeftOut);
        Some(Diagnostic {
            code,
            subject: text("subject").unwrap_or_default(),
            offset: text("offset").and_then(|offset| offset.parse().ok()),
            message: text("message").unwrap_or_default(),
        })
    });
    let layers = all(properties, "layer").iter().filter_map(|layer| layer.parse().ok()).collect();
    Inventory { distro, packages: Vec::new(), diagnostics: diagnostics.collect(), layers }
}

/// The exact name of the image, where the document's own place for it cannot hold it.
pub(super) fn name(properties: &Properties) -> Option<String> {
    text(properties, NAME)
}

/// Which image it was, without its configuration.
pub(super) fn image(properties: &Properties) -> Option<ImageFacts> {
    let image_digest = digest(properties, IMAGE_DIGEST)?;
    let platform = text(properties, IMAGE_PLATFORM)?;
    let mut parts = platform.splitn(3, '/').map(str::to_owned);
    let layer = |text: String| {
        let diff_id = text.parse().ok()?;
        Some(LayerFacts { digest: None, diff_id, size_bytes: 0, unpacked_bytes: 0 })
    };
    Some(ImageFacts {
        parent_digest: digest(properties, IMAGE_PARENT).unwrap_or_else(|| image_digest.clone()),
        image_id: digest(properties, IMAGE_ID)?,
        digest: image_digest,
        platform: Platform { os: parts.next()?, architecture: parts.next()?, variant: parts.next() },
        layers: all(properties, "layer").into_iter().filter_map(layer).collect(),
        base: Some(BaseImage {
            name: text(properties, IMAGE_BASE_NAME),
            digest: digest(properties, IMAGE_BASE_DIGEST),
        })
        .filter(|base| *base != BaseImage::default()),
        size_bytes: number(properties, IMAGE_SIZE)?,
        created: None,
        user: None,
        exposed_ports: Vec::new(),
        environment: Vec::new(),
        entrypoint: Vec::new(),
        command: Vec::new(),
        working_directory: None,
        labels: Vec::new(),
        has_health_check: false,
        history: Vec::new(),
        dockerfile_mode: DockerfileMode::Unknown,
        dockerfile: String::new(),
        manifest: String::new(),
    })
}

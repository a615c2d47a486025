//! The stored form of an inventory: records of postcard, each behind its length. A head, then a record for each package, then
//! one for each diagnostic.
//!
//! A type of the domain is taken apart field by field, so that a new field is a compile error here. No older form is ever
//! read: the version of the program is in the key of the file.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use model::{
    Diagnostic, DiagnosticCode, Digest, Distro, Inventory, JavaVersions, Location, OwnedFile, Package,
    PackageKind, SourcePackage,
};
use serde::{Deserialize, Serialize};

use super::file::bad;
use super::image::KnownImage;

/// All together unpack to less, and one record to less.
const BODY_BYTES_MAX: u64 = 4 << 30;

#[derive(Serialize, Deserialize)]
struct StoredHead<'a> {
    /// Every digest once: others are places in this list.
    #[serde(borrow)]
    digests: Vec<&'a str>,
    layers: Vec<u32>,
    unpacked_bytes: Vec<u64>,
    distro: Option<StoredDistro<'a>>,
    package_count: u64,
    diagnostic_count: u64,
}

#[derive(Serialize, Deserialize)]
struct StoredDistro<'a> {
    id: &'a str,
    version_id: Option<&'a str>,
    version_codename: Option<&'a str>,
    #[serde(borrow)]
    id_like: Vec<&'a str>,
    pretty_name: Option<&'a str>,
    channel: Option<&'a str>,
}

#[derive(Serialize, Deserialize)]
struct StoredPackage<'a> {
    kind: &'a str,
    name: &'a str,
    version: Option<&'a str>,
    architecture: Option<&'a str>,
    source: Option<(&'a str, &'a str)>,
    purl: &'a str,
    #[serde(borrow)]
    licenses: Vec<&'a str>,
    maintainer: Option<&'a str>,
    installed_size_bytes: Option<u64>,
    /// Path, and place of the layer's digest.
    #[serde(borrow)]
    locations: Vec<(&'a str, Option<u32>)>,
    #[serde(borrow)]
    files: Vec<StoredFile<'a>>,
    java: Option<StoredJavaVersions<'a>>,
    is_third_party: Option<bool>,
    owner: Option<&'a str>,
    modularity: Option<&'a str>,
    #[serde(borrow)]
    cpes: Vec<&'a str>,
}

#[derive(Serialize, Deserialize)]
struct StoredFile<'a> {
    path: &'a str,
    checksum: Option<&'a str>,
    permissions: Option<u32>,
    size_bytes: Option<u64>,
    is_configuration: bool,
    is_content_changed: Option<bool>,
}

#[derive(Serialize, Deserialize)]
struct StoredJavaVersions<'a> {
    specification: Option<&'a str>,
    implementation: Option<&'a str>,
    maven: Option<&'a str>,
    sha1: Option<&'a str>,
}

#[derive(Serialize, Deserialize)]
struct StoredDiagnostic<'a> {
    code: &'a str,
    subject: &'a str,
    offset: Option<u64>,
    message: &'a str,
}

/// Writes what was found in an image.
pub(super) fn write(known: &KnownImage, out: &mut dyn Write) -> io::Result<()> {
    let KnownImage { inventory, unpacked_bytes } = known;
    let Inventory { distro, packages, diagnostics, layers } = inventory;
    let digests = Digests::of(inventory);
    let mut records = Records { stream: out, buffer: Vec::new() };
    records.write(&StoredHead {
        digests: digests.texts.iter().map(String::as_str).collect(),
        layers: layers.iter().map(|layer| digests.place(layer)).collect(),
        unpacked_bytes: unpacked_bytes.clone(),
        distro: distro.as_ref().map(StoredDistro::from),
        package_count: packages.len() as u64,
        diagnostic_count: diagnostics.len() as u64,
    })?;
    for package in packages {
        records.write(&StoredPackage::new(package, &digests))?;
    }
    for Diagnostic { code, subject, offset, message } in diagnostics {
        records.write(&StoredDiagnostic { code: code.name(), subject, offset: *offset, message })?;
    }
    Ok(())
}

/// Reads it.
///
/// Errors: those of the reader; `InvalidData` for anything that [`write`] does not write.
pub(super) fn read(input: &mut dyn Read) -> io::Result<KnownImage> {
    let mut records = Records { stream: input.take(BODY_BYTES_MAX), buffer: Vec::new() };
    let StoredHead { digests, layers, unpacked_bytes, distro, package_count, diagnostic_count } =
        records.read()?;
    let digests = digests.into_iter().map(|text| text.parse().map_err(|_| bad("a digest is none")));
    let digests = digests.collect::<io::Result<Vec<Digest>>>()?;
    let layers = layers.into_iter().map(|place| digest(&digests, place)).collect::<io::Result<Vec<_>>>()?;
    if layers.len() != unpacked_bytes.len() {
        return Err(bad("sizes of other layers"));
    }
    let distro = distro.map(Distro::from);
    let mut packages = Vec::new();
    for _ in 0..package_count {
        packages.push(records.read::<StoredPackage<'_>>()?.into_package(&digests)?);
    }
    let mut diagnostics = Vec::new();
    for _ in 0..diagnostic_count {
        let StoredDiagnostic { code, subject, offset, message } = records.read()?;
        let code = DiagnosticCode::from_name(code).ok_or_else(|| bad("an unknown diagnostic"))?;
        let (subject, message) = (subject.to_owned(), message.to_owned());
        diagnostics.push(Diagnostic { code, subject, offset, message });
    }
    Ok(KnownImage { inventory: Inventory { distro, packages, diagnostics, layers }, unpacked_bytes })
}

/// Records, and one buffer for all of them in turn.
struct Records<T> {
    stream: T,
    buffer: Vec<u8>,
}

impl<T: Write> Records<T> {
    fn write(&mut self, record: &impl Serialize) -> io::Result<()> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        self.buffer = postcard::to_extend(record, buffer).map_err(io::Error::other)?;
        self.stream.write_all(&(self.buffer.len() as u64).to_le_bytes())?;
        self.stream.write_all(&self.buffer)
    }
}

impl<T: Read> Records<T> {
    /// Room is made as bytes come, not as the length promises them.
    fn read<'a, R: Deserialize<'a>>(&'a mut self) -> io::Result<R> {
        let mut length = [0; 8];
        self.stream.read_exact(&mut length)?;
        let length = u64::from_le_bytes(length);
        self.buffer.clear();
        if io::copy(&mut self.stream.by_ref().take(length), &mut self.buffer)? < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match postcard::take_from_bytes(&self.buffer) {
            Ok((record, [])) => Ok(record),
            _ => Err(bad("a record is none of ours")),
        }
    }
}

/// All digests of an inventory, in order.
struct Digests<'a> {
    places: BTreeMap<&'a Digest, u32>,
    texts: Vec<String>,
}

impl<'a> Digests<'a> {
    fn of(inventory: &'a Inventory) -> Self {
        let locations = inventory.packages.iter().flat_map(|package| &package.locations);
        let of_locations = locations.filter_map(|location| location.layer.as_ref());
        let mut places: BTreeMap<&Digest, u32> =
            inventory.layers.iter().chain(of_locations).map(|digest| (digest, 0)).collect();
        for (number, place) in (0..).zip(places.values_mut()) {
            *place = number;
        }
        let texts = places.keys().map(ToString::to_string).collect();
        Self { places, texts }
    }

    fn place(&self, digest: &Digest) -> u32 {
        *self.places.get(digest).expect("every digest of the inventory was put in")
    }
}

fn digest(digests: &[Digest], place: u32) -> io::Result<Digest> {
    digests.get(place as usize).cloned().ok_or_else(|| bad("a digest is not there"))
}

fn owned(text: Option<&str>) -> Option<String> {
    text.map(str::to_owned)
}

fn all_owned(texts: Vec<&str>) -> Vec<String> {
    texts.into_iter().map(str::to_owned).collect()
}

fn borrowed(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

impl<'a> From<&'a Distro> for StoredDistro<'a> {
    fn from(distro: &'a Distro) -> Self {
        let Distro { id, version_id, version_codename, id_like, pretty_name, channel } = distro;
        Self {
            id,
            version_id: version_id.as_deref(),
            version_codename: version_codename.as_deref(),
            id_like: borrowed(id_like),
            pretty_name: pretty_name.as_deref(),
            channel: channel.as_deref(),
        }
    }
}

impl From<StoredDistro<'_>> for Distro {
    fn from(stored: StoredDistro<'_>) -> Self {
        let StoredDistro { id, version_id, version_codename, id_like, pretty_name, channel } = stored;
        Self {
            id: id.to_owned(),
            version_id: owned(version_id),
            version_codename: owned(version_codename),
            id_like: all_owned(id_like),
            pretty_name: owned(pretty_name),
            channel: owned(channel),
        }
    }
}

impl<'a> StoredPackage<'a> {
    fn new(package: &'a Package, digests: &Digests<'_>) -> Self {
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
            files,
            java,
            is_third_party,
            owner,
            modularity,
            cpes,
        } = package;
        let location = |Location { path, layer }: &'a Location| {
            (path.as_str(), layer.as_ref().map(|layer| digests.place(layer)))
        };
        Self {
            kind: kind.purl_type(),
            name,
            version: version.as_deref(),
            architecture: architecture.as_deref(),
            source: source.as_ref().map(|SourcePackage { name, version }| (name.as_str(), version.as_str())),
            purl,
            licenses: borrowed(licenses),
            maintainer: maintainer.as_deref(),
            installed_size_bytes: *installed_size_bytes,
            locations: locations.iter().map(location).collect(),
            files: files.iter().map(StoredFile::from).collect(),
            java: java.as_ref().map(StoredJavaVersions::from),
            is_third_party: *is_third_party,
            owner: owner.as_deref(),
            modularity: modularity.as_deref(),
            cpes: borrowed(cpes),
        }
    }

    fn into_package(self, digests: &[Digest]) -> io::Result<Package> {
        let location = |(path, layer): (&str, Option<u32>)| -> io::Result<Location> {
            let layer = layer.map(|place| digest(digests, place)).transpose()?;
            Ok(Location { path: path.to_owned(), layer })
        };
        let source = |(name, version): (&str, &str)| SourcePackage {
            name: name.to_owned(),
            version: version.to_owned(),
        };
        Ok(Package {
            kind: PackageKind::from_purl_type(self.kind).ok_or_else(|| bad("an unknown kind of package"))?,
            name: self.name.to_owned(),
            version: owned(self.version),
            architecture: owned(self.architecture),
            source: self.source.map(source),
            purl: self.purl.to_owned(),
            licenses: all_owned(self.licenses),
            maintainer: owned(self.maintainer),
            installed_size_bytes: self.installed_size_bytes,
            locations: self.locations.into_iter().map(location).collect::<io::Result<_>>()?,
            files: self.files.into_iter().map(OwnedFile::from).collect(),
            java: self.java.map(JavaVersions::from),
            is_third_party: self.is_third_party,
            owner: owned(self.owner),
            modularity: owned(self.modularity),
            cpes: all_owned(self.cpes),
        })
    }
}

impl<'a> From<&'a OwnedFile> for StoredFile<'a> {
    fn from(file: &'a OwnedFile) -> Self {
        let OwnedFile { path, checksum, permissions, size_bytes, is_configuration, is_content_changed } =
            file;
        Self {
            path,
            checksum: checksum.as_deref(),
            permissions: *permissions,
            size_bytes: *size_bytes,
            is_configuration: *is_configuration,
            is_content_changed: *is_content_changed,
        }
    }
}

impl From<StoredFile<'_>> for OwnedFile {
    fn from(stored: StoredFile<'_>) -> Self {
        let StoredFile { path, checksum, permissions, size_bytes, is_configuration, is_content_changed } =
            stored;
        let (path, checksum) = (path.to_owned(), owned(checksum));
        Self { path, checksum, permissions, size_bytes, is_configuration, is_content_changed }
    }
}

impl<'a> From<&'a JavaVersions> for StoredJavaVersions<'a> {
    fn from(versions: &'a JavaVersions) -> Self {
        let JavaVersions { specification, implementation, maven, sha1 } = versions;
        Self {
            specification: specification.as_deref(),
            implementation: implementation.as_deref(),
            maven: maven.as_deref(),
            sha1: sha1.as_deref(),
        }
    }
}

impl From<StoredJavaVersions<'_>> for JavaVersions {
    fn from(stored: StoredJavaVersions<'_>) -> Self {
        let StoredJavaVersions { specification, implementation, maven, sha1 } = stored;
        Self {
            specification: owned(specification),
            implementation: owned(implementation),
            maven: owned(maven),
            sha1: owned(sha1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every field has a value, or none has.
    fn known(is_full: bool) -> KnownImage {
        let text = |text: &str| is_full.then(|| text.to_owned());
        let texts = |words: &str| words.split(' ').filter(|_| is_full).map(str::to_owned).collect::<Vec<_>>();
        let digest = |fill| Digest::from_sha256(&[fill; 32]);
        let package = |kind| Package {
            kind,
            name: "n".into(),
            version: text("1:2-3"),
            architecture: text("all"),
            source: is_full.then(|| SourcePackage { name: "s".into(), version: "2-3".into() }),
            purl: "pkg:deb/n".into(),
            licenses: texts("MIT ISC"),
            maintainer: text("m"),
            installed_size_bytes: is_full.then_some(8),
            locations: vec![
                Location { path: "/p".into(), layer: is_full.then(|| digest(9)) },
                Location { path: "/q".into(), layer: Some(Digest::from_sha512(&[2; 64])) },
            ],
            files: vec![OwnedFile {
                path: "/f".into(),
                checksum: text("md5:0"),
                permissions: is_full.then_some(0o644),
                size_bytes: is_full.then_some(u64::MAX),
                is_configuration: is_full,
                is_content_changed: is_full.then_some(false),
            }],
            java: is_full.then(|| JavaVersions {
                specification: text("1"),
                implementation: text("2"),
                maven: None,
                sha1: text("4"),
            }),
            is_third_party: is_full.then_some(true),
            owner: text("o"),
            modularity: text("nodejs:18"),
            cpes: texts("cpe:2.3:a:b"),
        };
        let distro = Distro {
            id: "debian".into(),
            version_id: text("12"),
            version_codename: text("bookworm"),
            id_like: texts("a b"),
            pretty_name: text("Debian"),
            channel: text("eus"),
        };
        let diagnostic = |code| Diagnostic {
            code,
            subject: "/d".into(),
            offset: is_full.then_some(7),
            message: "é\n".into(),
        };
        let inventory = Inventory {
            distro: is_full.then_some(distro),
            packages: PackageKind::ALL.into_iter().map(package).collect(),
            diagnostics: vec![
                diagnostic(DiagnosticCode::BrokenRecord),
                diagnostic(DiagnosticCode::ThirdPartyPackages),
            ],
            layers: vec![digest(3), digest(1), digest(3)],
        };
        KnownImage { inventory, unpacked_bytes: vec![1, u64::MAX, 3] }
    }

    #[test]
    fn what_was_written_is_read_again() {
        let nothing = KnownImage { inventory: Inventory::default(), unpacked_bytes: Vec::new() };
        for known in [known(true), known(false), nothing] {
            let mut bytes = Vec::new();
            write(&known, &mut bytes).unwrap();
            assert_eq!(read(&mut &bytes[..]).unwrap(), known);
            for length in 0..bytes.len() {
                assert!(read(&mut &bytes[..length]).is_err(), "{length} of {} bytes", bytes.len());
            }
        }
    }

    #[test]
    fn a_length_alone_makes_no_room() {
        assert!(read(&mut &u64::MAX.to_le_bytes()[..]).is_err());
    }
}

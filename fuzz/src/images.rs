//! Whole images, and what registries and programs of this machine answer.

use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use model::{Digest, ImageReference};
use scanner::{ContentSettings, ImageLimits, ImageSource, ScanOptions, ScannedImage};
use tokio::runtime::{Builder, Runtime};

use crate::repair;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    Builder::new_current_thread().enable_time().build().expect("a runtime without connections always starts")
});

fn options() -> ScanOptions {
    let limits = ImageLimits { ratio_max: 100, ratio_free_bytes: 1 << 20, ..ImageLimits::default() };
    ScanOptions { limits, time_max: Duration::from_secs(60), layers_at_once: 1, ..ScanOptions::default() }
}

/// A file of either kind, with the right sums in its headers.
pub(crate) fn read_archive(bytes: &[u8]) {
    read_file(bytes, &options());
}

/// The same, and what the files in it say: making the patterns of secrets ready takes most of the time.
pub(crate) fn read_contents(bytes: &[u8]) {
    read_file(bytes, &ScanOptions { contents: Some(ContentSettings::default()), ..options() });
}

fn read_file(bytes: &[u8], options: &ScanOptions) {
    let repaired = repair::tar(bytes);
    let mut file = tempfile::NamedTempFile::new().expect("a folder for temporary files is there");
    file.write_all(repaired.as_deref().unwrap_or(bytes)).expect("a small file is written");
    file.seek(SeekFrom::Start(0)).expect("a file has a beginning");
    let path = PathBuf::from(file.path());
    let read =
        |name| RUNTIME.block_on(scanner::load(&ImageSource::Archive { path: path.clone(), name }, options));
    for name in [None, Some("a:1".to_owned())] {
        if let Ok(ScannedImage { facts, inventory, .. }) = read(name) {
            assert!(facts.layers.len() < bytes.len(), "{} layers", facts.layers.len());
            assert!(inventory.packages.iter().all(|package| !package.name.is_empty()), "names are not empty");
        }
    }
}

/// The stream in which Docker and Podman send an image, with the right sums in its headers.
pub(crate) fn read_saved(bytes: &[u8]) {
    let repaired = repair::tar(bytes);
    drop(scanner::read_saved_image(repaired.as_deref().unwrap_or(bytes), &options()));
}

/// A line of a header and a body, with a line end between them.
pub(crate) fn read_answer(bytes: &[u8]) {
    let mut parts = bytes.splitn(2, |byte| *byte == b'\n');
    let (header, body) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    scanner::is_some_answer(&String::from_utf8_lossy(header), body, &options());
}

/// Names of images, which come from manifests, clusters and users. What is read is written so that it is read again.
pub(crate) fn read_reference(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(reference) = text.parse::<ImageReference>() {
        let written = reference.to_string();
        assert_eq!(written.parse(), Ok(reference), "{text:?} is written as {written:?}");
    }
    if let Ok(digest) = text.parse::<Digest>() {
        assert_eq!(digest.to_string().parse(), Ok(digest), "{text:?}");
    }
    scanner::parse_ecr_host(text);
    // A path is looked for: only one that is surely none.
    if !text.contains('/') && !text.contains('.') {
        drop(ImageSource::parse(text));
    }
}

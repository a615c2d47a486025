//! The cache of layer facts: what it saves, and that it changes nothing.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use futures_util::future::join_all;
use model::Digest;
use scanner::{
    CacheSummary, ContentSettings, ImageSource, LayerCache, ScanError, ScanErrorKind, ScanOptions,
    ScannedImage, load,
};
use serde_json::json;

use crate::support::image::{OS_RELEASE, STATUS, TestImage, digest, docker_archive, gzip, tar};

pub(crate) const SIZE: u64 = LayerCache::BYTES_MAX_DEFAULT;

pub(crate) struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn cache(&self) -> PathBuf {
        self.folder.path().join("a/cache")
    }

    fn layout(&self) -> PathBuf {
        self.folder.path().join("layout")
    }

    pub(crate) fn write(&self, image: &TestImage) {
        let _ = std::fs::remove_dir_all(self.layout());
        TestImage::write_layout(&self.layout(), &[(image, "v1")]);
    }

    /// Takes the bytes of a layer away: whoever needs them fails.
    pub(crate) fn lose(&self, image: &TestImage, layer: usize) {
        let name = digest(&image.layers[layer]);
        std::fs::remove_file(self.layout().join("blobs/sha256").join(name.hex())).unwrap();
    }

    /// Takes away what is known of whole images: layers are asked for again.
    fn forget_images(&self) {
        for file in files_of(&self.cache(), "image") {
            std::fs::remove_file(file).unwrap();
        }
    }

    pub(crate) async fn load(&self, options: ScanOptions) -> Result<ScannedImage, ScanError> {
        load(&ImageSource::OciLayout { path: self.layout(), name: None }, &options).await
    }

    pub(crate) async fn plain(&self) -> ScannedImage {
        self.load(ScanOptions::default()).await.unwrap()
    }

    pub(crate) async fn cached(&self) -> Result<ScannedImage, ScanError> {
        self.load(with_cache(&self.cache(), SIZE)).await
    }

    /// By what is known of layers alone.
    async fn cached_by_layer(&self) -> Result<ScannedImage, ScanError> {
        self.forget_images();
        self.cached().await
    }
}

pub(crate) fn with_cache(folder: &Path, bytes_max: u64) -> ScanOptions {
    let layer_cache = Some(LayerCache::new(folder.to_owned(), bytes_max));
    ScanOptions { layer_cache, ..ScanOptions::default() }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).collect();
    files.sort();
    files
}

pub(crate) fn files_of(folder: &Path, ending: &str) -> Vec<PathBuf> {
    files(folder).into_iter().filter(|file| file.extension().is_some_and(|known| known == ending)).collect()
}

fn size_of(files: &[PathBuf]) -> u64 {
    files.iter().map(|file| std::fs::metadata(file).unwrap().len()).sum()
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Waits until a new file would be newer than all others: the clock of a file system has coarse steps.
fn wait_for_next_time(folder: &Path) {
    use std::os::unix::fs::MetadataExt as _;
    let path = folder.join("clock");
    let now = || {
        std::fs::write(&path, "").unwrap();
        let metadata = std::fs::metadata(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        (metadata.ctime(), metadata.ctime_nsec())
    };
    let first = now();
    while now() <= first {}
}

/// Debian, an app above it.
fn app(name: &str) -> TestImage {
    let base: &[(&str, &str)] = &[("etc/os-release", OS_RELEASE), ("var/lib/dpkg/status", STATUS)];
    let manifest = json!({"name": name, "version": "1.0.0"}).to_string();
    let files: &[(&str, &str)] = &[("srv/app/package.json", &manifest)];
    TestImage::new(&[base, files], &json!({}))
}

#[tokio::test]
async fn layers_that_were_read_once_are_not_read_again() {
    let place = Place::new();
    let (one, two) = (app("one"), app("two"));
    place.write(&one);
    let expected = place.plain().await;
    assert_eq!(expected.inventory.packages.len(), 2);
    assert_eq!(place.cached().await.unwrap(), expected);
    let kept = files(&place.cache());
    assert_eq!(kept.len(), 3, "{kept:?}");
    assert_eq!(files_of(&place.cache(), "layer").len(), 2, "{kept:?}");
    assert_eq!(mode(&place.cache()), 0o700);
    assert!(kept.iter().all(|file| mode(file) == 0o600));
    place.lose(&one, 0);
    place.lose(&one, 1);
    assert_eq!(place.cached_by_layer().await.unwrap(), expected);

    // Of another image on the same base only its own layer is read.
    place.write(&two);
    let expected = place.plain().await;
    place.lose(&two, 0);
    assert_eq!(place.cached().await.unwrap(), expected);
    let cache = LayerCache::new(place.cache(), SIZE);
    let summary = cache.summary().unwrap();
    assert_eq!((summary.layer_count, summary.image_count), (3, 2));
    assert_eq!(summary.bytes, size_of(&files(&place.cache())));
    assert_eq!(cache.clean().unwrap(), summary);
    assert_eq!(cache.summary().unwrap(), CacheSummary::default());
    assert_eq!(place.cached().await.unwrap_err().kind(), ScanErrorKind::BadImage);
}

#[tokio::test]
async fn files_that_links_lead_to_are_kept_too() {
    let place = Place::new();
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    builder.append_link(&mut header, "var/lib/dpkg", "/data/packages").unwrap();
    let layers = [tar(&[("data/packages/status", STATUS), ("data/x", "")]), builder.into_inner().unwrap()];
    let diff_ids: Vec<String> = layers.iter().map(|layer| digest(layer).to_string()).collect();
    let config = json!({"os": "linux", "architecture": "amd64", "rootfs": {"diff_ids": diff_ids}});
    let image =
        TestImage::from_parts(config.to_string().into_bytes(), layers.iter().map(|it| gzip(it)).collect());
    place.write(&image);
    let expected = place.plain().await;
    assert_eq!(expected.inventory.packages.len(), 1);
    assert_eq!(place.cached().await.unwrap(), expected);
    place.lose(&image, 0);
    place.lose(&image, 1);
    assert_eq!(place.cached_by_layer().await.unwrap(), expected);
}

/// Each layer has some hundred entries, and one description that only a link makes wanted.
fn linked_image() -> TestImage {
    let mut links = tar::Builder::new(Vec::new());
    let mut layers = Vec::new();
    for layer in 0..3 {
        let fillers: Vec<String> = (0..300).map(|number| format!("fill/{layer}/{number}")).collect();
        let manifest = json!({"name": format!("linked-{layer}"), "version": "1.0.0"}).to_string();
        let stored = format!("store/{layer}");
        let mut files: Vec<(&str, &str)> = fillers.iter().map(|path| (path.as_str(), "")).collect();
        files.push((&stored, &manifest));
        layers.push(tar(&files));
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        let path = format!("srv/{layer}/package.json");
        links.append_link(&mut header, path, format!("/store/{layer}")).unwrap();
    }
    layers.push(links.into_inner().unwrap());
    let diff_ids: Vec<String> = layers.iter().map(|layer| digest(layer).to_string()).collect();
    let config = json!({"os": "linux", "architecture": "amd64", "rootfs": {"diff_ids": diff_ids}});
    TestImage::from_parts(config.to_string().into_bytes(), layers.iter().map(|it| gzip(it)).collect())
}

/// Layers are read once more one after the other: each needs room for itself, not for those before it.
#[tokio::test]
async fn whether_an_image_fits_in_memory_does_not_depend_on_what_is_cached() {
    let place = Place::new();
    place.write(&linked_image());
    let expected = place.plain().await;
    assert_eq!(expected.inventory.packages.len(), 3);
    // Some 27 000 bytes for each of the three layers.
    for (held_bytes_max, is_enough) in [(130_000, true), (95_000, false)] {
        let mut options = with_cache(&place.cache(), SIZE);
        options.limits.held_bytes_max = held_bytes_max;
        let uncached = ScanOptions { layer_cache: None, ..options.clone() };
        for options in [&uncached, &options, &options, &options] {
            match place.load(options.clone()).await {
                Ok(found) => assert!(is_enough && found == expected, "{held_bytes_max}"),
                Err(error) => {
                    assert_eq!(error.kind(), ScanErrorKind::LimitExceeded);
                    assert!(!is_enough, "{error} of {held_bytes_max}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_manifest_that_lies_about_a_layer_is_refused_as_ever() {
    let place = Place::new();
    let honest = app("one");
    place.write(&honest);
    place.cached().await.unwrap();
    // The base's diff id, and other bytes.
    let other = tar(&[("var/lib/dpkg/status", "")]);
    let liar = TestImage::from_parts(honest.config.clone(), vec![gzip(&other), honest.layers[1].clone()]);
    place.write(&liar);
    let expected = place.load(ScanOptions::default()).await.unwrap_err().to_string();
    assert_eq!(place.cached().await.unwrap_err().to_string(), expected);

    // Another compression of the same bytes is read once, and then known beside the first.
    let base = tar(&[("etc/os-release", OS_RELEASE), ("var/lib/dpkg/status", STATUS)]);
    let stored = zstd::encode_all(base.as_slice(), 1).unwrap();
    let mut manifest: serde_json::Value = serde_json::from_slice(&honest.manifest).unwrap();
    manifest["layers"][0] = json!({
        "mediaType": "application/vnd.oci.image.layer.v1.tar+zstd",
        "digest": digest(&stored).to_string(), "size": stored.len(),
    });
    let layers = vec![stored, honest.layers[1].clone()];
    let other =
        TestImage { manifest: manifest.to_string().into_bytes(), config: honest.config.clone(), layers };
    for image in [&other, &honest] {
        place.write(image);
        let expected = place.plain().await;
        assert_eq!(place.cached().await.unwrap(), expected);
        place.lose(image, 0);
        assert_eq!(place.cached_by_layer().await.unwrap(), expected);
    }
    let by_diff_id: Vec<Digest> = place.cached().await.unwrap().inventory.layers;
    assert_eq!(by_diff_id[0], digest(&base));
}

#[tokio::test]
async fn archives_of_docker_find_their_layers_by_diff_id() {
    let place = Place::new();
    let image = app("one");
    place.write(&image);
    place.cached().await.unwrap();
    let base = tar(&[("etc/os-release", OS_RELEASE), ("var/lib/dpkg/status", STATUS)]);
    let config =
        json!({"os": "linux", "architecture": "amd64", "rootfs": {"diff_ids": [digest(&base).to_string()]}});
    let path = place.folder.path().join("saved.tar");
    std::fs::write(&path, docker_archive(&[(&["app:1"], config.to_string().as_bytes(), &[base])])).unwrap();
    let source = ImageSource::DockerArchive { path, name: None };
    let expected = load(&source, &ScanOptions::default()).await.unwrap();
    assert_eq!(load(&source, &with_cache(&place.cache(), SIZE)).await.unwrap(), expected);
    assert_eq!(files_of(&place.cache(), "layer").len(), 2);
}

#[tokio::test]
async fn what_is_damaged_or_foreign_is_read_anew() {
    let place = Place::new();
    let image = app("one");
    place.write(&image);
    let expected = place.cached().await.unwrap();
    let kept = files_of(&place.cache(), "layer");
    let whole: Vec<Vec<u8>> = kept.iter().map(|file| fs_err::read(file).unwrap()).collect();
    let last = whole[0].len() - 1;
    let mut changes: Vec<Vec<u8>> = [0, 9, 41, 43, last / 2, last]
        .map(|at| {
            let mut bytes = whole[0].clone();
            bytes[at] ^= 1;
            bytes
        })
        .into();
    // Empty, cut off, longer, and the facts of another layer.
    changes.extend([Vec::new(), whole[0][..last].to_vec(), [&whole[0][..], b"x"].concat(), whole[1].clone()]);
    for changed in changes {
        std::fs::write(&kept[0], changed).unwrap();
        assert_eq!(place.cached_by_layer().await.unwrap(), expected);
        assert_eq!(fs_err::read(&kept[0]).unwrap(), whole[0], "it is mended");
    }
    // With other limits other things are kept and refused.
    let mut options = with_cache(&place.cache(), SIZE);
    options.limits.file_bytes_max = 1;
    let limited = place.load(options).await.unwrap();
    assert_ne!(limited, expected);
    let mut options = with_cache(&place.cache(), SIZE);
    options.limits.entries_max = 2;
    assert_eq!(place.load(options).await.unwrap_err().kind(), ScanErrorKind::LimitExceeded);
}

#[tokio::test]
async fn a_folder_that_others_may_write_to_is_not_used() {
    let place = Place::new();
    let image = app("one");
    place.write(&image);
    let expected = place.plain().await;
    let folder = place.folder.path().join("open");
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777)).unwrap();
    assert_eq!(place.load(with_cache(&folder, SIZE)).await.unwrap(), expected);
    assert!(files(&folder).is_empty());
    // A file where the folder should be disturbs nobody either.
    let file = place.folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    assert_eq!(place.load(with_cache(&file, SIZE)).await.unwrap(), expected);
}

#[tokio::test]
async fn contents_are_never_in_the_cache() {
    let place = Place::new();
    place.write(&app("one"));
    let options =
        ScanOptions { contents: Some(ContentSettings::default()), ..with_cache(&place.cache(), SIZE) };
    let expected = place.load(ScanOptions { layer_cache: None, ..options.clone() }).await.unwrap();
    assert_eq!(place.load(options.clone()).await.unwrap(), expected);
    assert!(!place.cache().exists());
    place.cached().await.unwrap();
    assert_eq!(place.load(options).await.unwrap(), expected);
}

#[tokio::test]
async fn the_oldest_leave_first() {
    let place = Place::new();
    let image = app("one");
    place.write(&image);
    place.cached().await.unwrap();
    let size = size_of(&files(&place.cache()));
    wait_for_next_time(place.folder.path());
    // The base is used by the second image and so is newer than the first one's own layer.
    let second = app("two");
    place.write(&second);
    place.load(with_cache(&place.cache(), size + 20)).await.unwrap();
    assert_eq!(files(&place.cache()).len(), 3);
    place.lose(&second, 0);
    place.lose(&second, 1);
    place.cached_by_layer().await.unwrap();
    place.write(&app("three"));
    place.load(with_cache(&place.cache(), 1)).await.unwrap();
    assert!(files(&place.cache()).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_may_share_it() {
    let place = Place::new();
    place.write(&app("one"));
    let expected = place.plain().await;
    for bytes_max in [SIZE, 1] {
        let options = with_cache(&place.cache(), bytes_max);
        for found in join_all((0..8).map(|_| place.load(options.clone()))).await {
            assert_eq!(found.unwrap(), expected);
        }
    }
}

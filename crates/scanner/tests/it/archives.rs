//! Archives and layouts: built here, and real ones where the shared data is present.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use model::Platform;
use scanner::{ImageSource, LayerStart, Progress, ScanErrorKind, ScanOptions, ScannedImage, Stage, load};
use serde_json::json;

use crate::support::image::{
    OCI_INDEX, STATUS, TestImage, describe, digest, docker_archive, gzip, tar, tar_folder, write_layout,
};

async fn read(text: &str) -> Result<ScannedImage, scanner::ScanError> {
    load(&ImageSource::parse(text).unwrap(), &ScanOptions::default()).await
}

async fn check_kind(text: &str, expected: ScanErrorKind, words: &[&str]) {
    let error = read(text).await.unwrap_err();
    assert_eq!(error.kind(), expected, "{text}: {error}");
    for word in words {
        assert!(error.to_string().contains(word), "{text}: {error} lacks {word}");
    }
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

#[tokio::test]
async fn one_image_is_the_same_in_every_wrapping() {
    let folder = tempfile::tempdir().unwrap();
    let image = TestImage::debian();
    let layout = folder.path().join("layout");
    TestImage::write_layout(&layout, &[(&image, "docker.io/team/app:1")]);
    let archive = tar_folder(&layout);
    for (name, bytes) in
        [("a.tar", archive.clone()), ("a.tar.gz", gzip(&archive)), ("a.tar.zst", zstd(&archive))]
    {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    let at = |name: &str| folder.path().join(name).display().to_string();
    let expected = read(&format!("oci-layout:{}", at("layout"))).await.unwrap();
    assert_eq!(expected.facts.digest, image.digest());
    assert_eq!(expected.facts.parent_digest, image.digest());
    assert_eq!(expected.facts.image_id, digest(&image.config));
    let size: usize = image.layers.iter().map(Vec::len).sum();
    assert_eq!(expected.facts.size_bytes, (size + image.config.len()) as u64);
    assert_eq!(expected.facts.layers[1].digest, Some(digest(&image.layers[1])));
    assert_eq!(expected.facts.manifest.as_bytes(), image.manifest);
    assert_eq!(expected.facts.dockerfile, "FROM scratch\nADD file:1 in /\nEXPOSE 80/tcp\nUSER app\n");
    assert_eq!(expected.inventory.packages.len(), 1);
    for text in [
        at("layout"),
        format!("oci-archive:{}", at("a.tar")),
        format!("oci-archive:{}:team/app:1", at("a.tar")),
        format!("oci-archive:{}:{}", at("a.tar"), image.digest()),
        at("a.tar"),
        at("a.tar.gz"),
        format!("archive:{}", at("a.tar.zst")),
    ] {
        assert_eq!(read(&text).await.unwrap(), expected, "{text}");
    }
}

#[tokio::test]
async fn docker_archives_are_read_and_imply_a_manifest() {
    let folder = tempfile::tempdir().unwrap();
    let layer = tar(&[("var/lib/dpkg/status", STATUS), ("etc/os-release", "ID=debian\nVERSION_ID=12\n")]);
    let config =
        json!({"os": "linux", "architecture": "amd64", "rootfs": {"diff_ids": [digest(&layer).to_string()]}});
    let config = config.to_string().into_bytes();
    let mut digests = Vec::new();
    // The layer may lie there compressed.
    for (name, stored) in
        [("plain.tar", layer.clone()), ("gzip.tar", gzip(&layer)), ("zstd.tar", zstd(&layer))]
    {
        let archive = docker_archive(&[(&["team/app:1"], &config, std::slice::from_ref(&stored))]);
        let path = folder.path().join(name);
        std::fs::write(&path, &archive).unwrap();
        std::fs::write(folder.path().join(format!("{name}.gz")), gzip(&archive)).unwrap();
        let path = path.display();
        let first = read(&format!("docker-archive:{path}")).await.unwrap();
        assert_eq!(first.facts.image_id, digest(&config));
        assert_eq!(first.facts.layers[0].digest, None);
        assert_eq!(first.facts.layers[0].size_bytes, stored.len() as u64);
        assert_eq!(first.inventory.packages.len(), 1);
        for text in [
            format!("{path}"),
            format!("{path}.gz"),
            format!("docker-archive:{path}:docker.io/team/app:1"),
            format!("docker-archive:{path}:{}", digest(&config)),
        ] {
            assert_eq!(read(&text).await.unwrap(), first, "{text}");
        }
        assert_eq!(first.facts.digest, digest(first.facts.manifest.as_bytes()));
        digests.push(first.facts.digest);
    }
    assert_eq!(digests.len(), 3);
}

#[tokio::test]
async fn an_archive_of_docker_has_no_more_layers_than_other_images() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image.tar");
    let layer = tar(&[("a", "b")]);
    for (count, is_read) in [(1_000, true), (1_001, false)] {
        let config = json!({"rootfs": {"diff_ids": vec![digest(&layer).to_string(); count]}}).to_string();
        let layers = vec![layer.clone(); count];
        std::fs::write(&path, docker_archive(&[(&["a:1"], config.as_bytes(), &layers)])).unwrap();
        let text = format!("docker-archive:{}", path.display());
        if is_read {
            assert_eq!(read(&text).await.unwrap().facts.layers.len(), count);
        } else {
            check_kind(&text, ScanErrorKind::LimitExceeded, &["1001 layers", "1000"]).await;
        }
    }
}

#[tokio::test]
async fn several_images_need_a_choice() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (TestImage::debian(), TestImage::new(&[&[("a", "b")]], &json!({})));
    let layout = folder.path().join("layout");
    TestImage::write_layout(&layout, &[(&one, "v1"), (&two, "v2")]);
    let layout = layout.display();
    check_kind(&format!("oci-layout:{layout}"), ScanErrorKind::NotFound, &["`v1`", "`v2`"]).await;
    check_kind(&format!("oci-layout:{layout}:v3"), ScanErrorKind::NotFound, &["`v3`", "`v1`", "`v2`"]).await;
    let chosen = read(&format!("oci-layout:{layout}:v2")).await.unwrap();
    assert_eq!(chosen.facts.digest, two.digest());

    let layers = [tar(&[("a", "b")])];
    let configs: Vec<Vec<u8>> = ["x", "y"]
        .iter()
        .map(|author| {
            json!({"author": author, "rootfs": {"diff_ids": [digest(&layers[0]).to_string()]}})
                .to_string()
                .into_bytes()
        })
        .collect();
    let archive = docker_archive(&[(&["a:1"], &configs[0], &layers), (&["a:2"], &configs[1], &layers)]);
    let path = folder.path().join("two.tar");
    std::fs::write(&path, archive).unwrap();
    let path = path.display();
    check_kind(&format!("docker-archive:{path}"), ScanErrorKind::NotFound, &["`a:1`", "`a:2`"]).await;
    check_kind(&format!("docker-archive:{path}:a:3"), ScanErrorKind::NotFound, &["`a:3`"]).await;
    let chosen = read(&format!("docker-archive:{path}:a:2")).await.unwrap();
    assert_eq!(chosen.facts.image_id, digest(&configs[1]));
}

#[tokio::test]
async fn indexes_lead_to_the_platform() {
    let folder = tempfile::tempdir().unwrap();
    let (amd, arm) = (TestImage::debian(), TestImage::new(&[&[("a", "b")]], &json!({})));
    let entry = |image: &TestImage, architecture: &str| {
        let mut entry = image.describe();
        entry["platform"] = json!({"os": "linux", "architecture": architecture});
        entry
    };
    let entries = [entry(&amd, "amd64"), entry(&arm, "arm64")];
    let index =
        json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).to_string().into_bytes();
    let outer =
        json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [describe(OCI_INDEX, &index)]});
    let outer = outer.to_string().into_bytes();
    let blobs = || amd.blobs().chain(arm.blobs()).chain([&index, &outer]);
    write_layout(&folder.path().join("nested"), &[describe(OCI_INDEX, &outer)], blobs());
    write_layout(&folder.path().join("flat"), &entries, blobs());
    for (name, parent) in [("nested", Some(digest(&outer))), ("flat", None)] {
        for (architecture, expected) in [("amd64", Some(&amd)), ("arm64", Some(&arm)), ("s390x", None)] {
            let platform = Platform { os: "linux".into(), architecture: architecture.into(), variant: None };
            let options = ScanOptions { platform, ..ScanOptions::default() };
            let source = ImageSource::OciLayout { path: folder.path().join(name), name: None };
            let outcome = load(&source, &options).await;
            match expected {
                Some(image) => {
                    let facts = outcome.unwrap().facts;
                    assert_eq!(facts.digest, image.digest(), "{name} {architecture}");
                    assert_eq!(
                        facts.parent_digest,
                        parent.clone().unwrap_or(image.digest()),
                        "{name} {architecture}"
                    );
                }
                None => assert_eq!(outcome.unwrap_err().kind(), ScanErrorKind::NotFound),
            }
        }
    }
}

#[tokio::test]
async fn damaged_archives_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let image = TestImage::debian();
    let write = |name: &str, change: &dyn Fn(&Path)| {
        TestImage::write_layout(&at(name), &[(&image, "v1")]);
        change(&at(name));
        format!("oci-layout:{}", at(name).display())
    };
    let blob = |bytes: &[u8]| format!("blobs/sha256/{}", digest(bytes).hex());
    let bad = ScanErrorKind::BadImage;
    let text = write("no-layer", &|path| std::fs::remove_file(path.join(blob(&image.layers[0]))).unwrap());
    check_kind(&text, bad, &["is not there"]).await;
    let text = write("no-config", &|path| std::fs::remove_file(path.join(blob(&image.config))).unwrap());
    check_kind(&text, bad, &["is not there"]).await;
    let text = write("other-config", &|path| std::fs::write(path.join(blob(&image.config)), "{}").unwrap());
    check_kind(&text, bad, &["image configuration"]).await;
    let text = write("other-layer", &|path| {
        std::fs::write(path.join(blob(&image.layers[0])), gzip(&tar(&[("x", "y")]))).unwrap();
    });
    check_kind(&text, bad, &["layer 1"]).await;
    let text = write("no-index", &|path| std::fs::remove_file(path.join("index.json")).unwrap());
    check_kind(&text, bad, &["index.json"]).await;
    let text = write("version", &|path| {
        std::fs::write(path.join("oci-layout"), r#"{"imageLayoutVersion":"2.0.0"}"#).unwrap();
    });
    check_kind(&text, ScanErrorKind::Unsupported, &["version 2.0.0"]).await;

    std::fs::write(at("text.tar"), "no archive at all, just some text").unwrap();
    std::fs::write(at("empty.tar"), "").unwrap();
    std::fs::write(at("other.tar"), tar(&[("readme", "x")])).unwrap();
    std::fs::write(at("cut.tar.gz"), &gzip(&tar(&[("readme", "x")]))[..40]).unwrap();
    for name in ["text.tar", "empty.tar", "other.tar", "cut.tar.gz"] {
        for prefix in ["archive", "oci-archive", "docker-archive"] {
            check_kind(&format!("{prefix}:{}", at(name).display()), bad, &[name]).await;
        }
    }
    check_kind("oci-archive:/no/such.tar", ScanErrorKind::NotFound, &["/no/such.tar"]).await;
    check_kind("oci-archive:/dev/null", bad, &["not a regular file"]).await;
}

#[tokio::test]
async fn an_outer_bomb_meets_the_limit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bomb.tar.gz");
    std::fs::write(&path, gzip(&tar(&[("zeros", &"\0".repeat(3 << 20))]))).unwrap();
    let mut options = ScanOptions::default();
    options.limits.unpacked_bytes_max = 1 << 20;
    let error = load(&ImageSource::Archive { path, name: None }, &options).await.unwrap_err();
    assert_eq!(error.kind(), ScanErrorKind::LimitExceeded, "{error}");
}

#[derive(Default)]
struct Recorder(Mutex<Vec<String>>);

impl Progress for Recorder {
    fn stage(&self, stage: Stage) {
        self.0.lock().unwrap().push(format!("{stage:?}"));
    }
    fn layers(&self, layers: &[LayerStart]) {
        self.0.lock().unwrap().push(format!("{} layers", layers.len()));
    }
    fn layer_done(&self, layer_index: usize) {
        self.0.lock().unwrap().push(format!("done {layer_index}"));
    }
}

#[tokio::test]
async fn files_behind_links_are_read_in_a_second_pass() {
    let folder = tempfile::tempdir().unwrap();
    // The whole database is moved, and only a link has the wanted name.
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(STATUS.len() as u64);
    builder.append_data(&mut header, "opt/state/status", STATUS.as_bytes()).unwrap();
    let mut link = tar::Header::new_gnu();
    link.set_entry_type(tar::EntryType::Symlink);
    link.set_size(0);
    builder.append_link(&mut link, "var/lib/dpkg", "../../opt/state").unwrap();
    let layer = builder.into_inner().unwrap();
    let config =
        json!({"os": "linux", "architecture": "amd64", "rootfs": {"diff_ids": [digest(&layer).to_string()]}});
    let image = TestImage::from_parts(config.to_string().into_bytes(), vec![gzip(&layer)]);
    TestImage::write_layout(folder.path(), &[(&image, "v1")]);
    let recorder = Arc::new(Recorder::default());
    let options = ScanOptions { progress: Some(recorder.clone()), ..ScanOptions::default() };
    let source = ImageSource::OciLayout { path: folder.path().to_owned(), name: None };
    let scanned = load(&source, &options).await.unwrap();
    assert_eq!(scanned.inventory.packages.len(), 1);
    let told = recorder.0.lock().unwrap().clone();
    assert_eq!(
        told,
        ["Resolving", "1 layers", "ReadingLayers", "done 0", "ReadingLinked", "done 0", "Cataloging"]
    );
}

/// The shared test data beside the workspace, where it exists.
fn shared_images() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(3)?.join("shared/data/images");
    folder.is_dir().then_some(folder)
}

/// What is expected of each real archive: the number of layers, or the kind of error.
const REAL: [(&str, Result<usize, ScanErrorKind>); 36] = [
    ("archive:dive/test-docker-image.tar", Ok(14)),
    ("archive:dive/test-kaniko-image.tar", Ok(14)),
    ("archive:dive/test-oci-estargz-image.tar", Ok(1)),
    ("archive:dive/test-oci-gzip-image.tar", Ok(1)),
    ("archive:dive/test-oci-uncompressed-image.tar", Ok(1)),
    ("archive:dive/test-oci-zstd-image.tar", Ok(1)),
    // Layers, not images.
    ("archive:dive/test-estargz-image.tar", Err(ScanErrorKind::BadImage)),
    ("archive:dive/test-gzip-image.tar", Err(ScanErrorKind::BadImage)),
    ("archive:dive/test-uncompressed-image.tar", Err(ScanErrorKind::BadImage)),
    ("archive:dive/test-zstd-image.tar", Err(ScanErrorKind::BadImage)),
    ("archive:GC/mutate/testdata/overwritten_file.tar", Ok(3)),
    ("archive:GC/mutate/testdata/source_image.tar", Ok(1)),
    ("archive:GC/mutate/testdata/source_image_with_empty_layer_history.tar", Ok(1)),
    ("archive:GC/mutate/testdata/whiteout_dir.tar", Ok(4)),
    ("archive:GC/mutate/testdata/whiteout_image.tar", Ok(3)),
    ("archive:GC/tarball/testdata/content.tar", Err(ScanErrorKind::BadImage)),
    ("archive:GC/tarball/testdata/hello-world-v25.tar", Ok(1)),
    ("archive:GC/tarball/testdata/no_manifest.tar", Err(ScanErrorKind::BadImage)),
    ("archive:GC/tarball/testdata/null_manifest.tar", Err(ScanErrorKind::BadImage)),
    ("archive:GC/tarball/testdata/test_bundle.tar", Err(ScanErrorKind::NotFound)),
    ("archive:GC/tarball/testdata/test_bundle.tar:test_image_1", Ok(1)),
    ("archive:GC/tarball/testdata/test_image_1.tar", Ok(1)),
    ("archive:GC/tarball/testdata/test_image_2.tar", Ok(1)),
    ("archive:GC/tarball/testdata/test_link.tar", Err(ScanErrorKind::NotFound)),
    // Its layer is a symbolic link to the layer of the other image.
    ("archive:GC/tarball/testdata/test_link.tar:bazel/v1/tarball:test_image_3", Ok(2)),
    ("archive:GC/tarball/testdata/test_load_manifest.tar", Ok(1)),
    ("oci-layout:GC/layout/testdata/test_gc_image_unknown_mediatype", Err(ScanErrorKind::BadImage)),
    ("oci-layout:GC/layout/testdata/test_gc_index", Err(ScanErrorKind::NotFound)),
    ("oci-layout:GC/layout/testdata/test_index", Err(ScanErrorKind::NotFound)),
    ("oci-layout:GC/layout/testdata/test_index:1", Ok(1)),
    ("oci-layout:GC/layout/testdata/test_index:2", Ok(1)),
    ("oci-layout:GC/layout/testdata/test_index:3", Ok(1)),
    ("oci-layout:GC/layout/testdata/test_index:4", Ok(1)),
    ("oci-layout:GC/layout/testdata/test_index:5", Err(ScanErrorKind::NotFound)),
    ("oci-layout:GC/layout/testdata/test_index_media_type", Err(ScanErrorKind::Unsupported)),
    ("oci-layout:GC/layout/testdata/test_index_one_image", Ok(1)),
];

#[tokio::test]
async fn real_archives_are_read_or_refused_as_expected() {
    let Some(folder) = shared_images() else { return };
    for (text, expected) in REAL {
        let (prefix, path) = text.split_once(':').unwrap();
        let path = folder.join(path.replace("GC/", "go-containerregistry/"));
        let outcome = read(&format!("{prefix}:{}", path.display())).await;
        let found =
            outcome.as_ref().map(|scanned| scanned.facts.layers.len()).map_err(scanner::ScanError::kind);
        assert_eq!(found, expected, "{text}: {outcome:?}");
    }
}

//! Images of other projects, where they are there.

use std::path::{Path, PathBuf};

use model::Digest;

use super::{listing, read};
use crate::{Body, ImageLimits, ImageTree, LayerInput, LimitedReader, ReadBudget, squash};

fn shared_images() -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/images");
    path.is_dir().then_some(path)
}

/// An archive of an image is a tar archive as well.
fn open(path: &Path) -> ImageTree {
    let file = std::fs::File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let bytes = LimitedReader::new(file, "bytes of a test image", 1 << 28).read_all().unwrap();
    squash(vec![read(&bytes).unwrap()])
}

fn body<'a>(archive: &'a ImageTree, path: &str) -> &'a [u8] {
    match archive.read(path) {
        Some(Body::Kept(bytes)) => bytes,
        other => panic!("{path}: {other:?}"),
    }
}

/// The strings in the JSON list under this key; enough for the two documents that are read here.
fn strings(json: &[u8], key: &str) -> Vec<String> {
    let text = std::str::from_utf8(json).unwrap();
    let (_, list) = text.split_once(&format!("\"{key}\"")).unwrap();
    let (list, _) = list.split_once('[').unwrap().1.split_once(']').unwrap();
    list.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

fn image_of_docker_archive(path: &Path) -> ImageTree {
    let archive = open(path);
    let manifest = body(&archive, "manifest.json");
    let text = std::str::from_utf8(manifest).unwrap();
    let config = text.split("\"Config\"").nth(1).unwrap().split('"').nth(1).unwrap();
    let diff_ids = strings(body(&archive, config), "diff_ids");
    let names = strings(manifest, "Layers");
    assert_eq!(names.len(), diff_ids.len());
    let (limits, budget) = (ImageLimits::default(), ReadBudget::new());
    let layers = names.iter().zip(diff_ids).map(|(name, diff_id)| {
        let mut reader = body(&archive, name);
        let diff_id = Some(diff_id.parse::<Digest>().unwrap());
        let input = LayerInput { digest: None, diff_id, compression: None, reader: &mut reader };
        crate::read_layer(input, &|_| true, &limits, &budget)
            .unwrap_or_else(|error| panic!("{name}: {error}"))
    });
    squash(layers.collect())
}

#[test]
fn docker_archives_have_the_diff_ids_of_their_configuration() {
    let Some(images) = shared_images() else { return };
    let mutate = images.join("go-containerregistry/mutate/testdata");
    let list = |name: &str| listing(&image_of_docker_archive(&mutate.join(name)));
    assert_eq!(list("whiteout_image.tar"), ["bar.txt = bar\n"]);
    assert_eq!(list("overwritten_file.tar").len(), 2);
    assert!(list("whiteout_dir.tar").iter().all(|line| !line.contains(".wh.")));
    for name in ["dive/test-docker-image.tar", "dive/test-kaniko-image.tar"] {
        let tree = image_of_docker_archive(&images.join(name));
        assert!(tree.entries().len() > 100, "{name}");
        assert!(tree.find("/bin/sh").is_some(), "{name}");
    }
}

#[test]
fn every_compression_of_a_real_image_is_read() {
    let Some(images) = shared_images() else { return };
    let mut listings = Vec::new();
    for form in ["gzip", "zstd", "uncompressed", "estargz"] {
        let archive = open(&images.join(format!("dive/test-oci-{form}-image.tar")));
        let blobs = archive.files().filter(|entry| entry.path().starts_with("blobs/"));
        for blob in blobs.filter(|blob| !body(&archive, blob.path()).starts_with(b"{")) {
            let mut reader = body(&archive, blob.path());
            let digest = Some(format!("sha256:{}", blob.path().rsplit('/').next().unwrap()).parse().unwrap());
            let input = LayerInput { digest, diff_id: None, compression: None, reader: &mut reader };
            let layer =
                crate::read_layer(input, &|_| true, &ImageLimits::default(), &ReadBudget::new()).unwrap();
            let mut lines = listing(&squash(vec![layer]));
            // The table of contents of that form, and its mark, are members of the archive.
            lines.retain(|line| !line.starts_with("stargz.index.json") && !line.starts_with(".no.prefetch"));
            listings.push(lines);
        }
    }
    assert_eq!(listings.len(), 4);
    assert!(!listings[0].is_empty() && listings.iter().all(|lines| *lines == listings[0]), "{listings:#?}");
}

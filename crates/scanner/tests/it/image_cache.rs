//! The cache of whole images: nothing is read again, nothing that decides is overlooked.

use std::sync::{Arc, Mutex};

use scanner::{ExcludedPaths, Glob, Progress, ScanErrorKind, ScanOptions, ScannedImage, Scope, Stage};
use serde_json::json;

use crate::cache::{Place, SIZE, files_of, with_cache};
use crate::support::image::{OS_RELEASE, STATUS, TestImage, digest, gzip, tar};

#[derive(Default)]
struct Recorder(Mutex<Vec<String>>);

impl Progress for Recorder {
    fn stage(&self, stage: Stage) {
        self.0.lock().unwrap().push(format!("{stage:?}"));
    }
    fn layer_bytes(&self, layer_index: usize, bytes: u64) {
        self.0.lock().unwrap().push(format!("{layer_index}: {bytes}"));
    }
    fn layer_known(&self, layer_index: usize) {
        self.0.lock().unwrap().push(format!("{layer_index} known"));
    }
    fn layer_done(&self, layer_index: usize) {
        self.0.lock().unwrap().push(format!("{layer_index} done"));
    }
}

/// Packages in two layers, one of which the third removes; a record that is broken.
fn image() -> TestImage {
    let status = format!("{STATUS}\nno colon\n\n");
    let manifest = |name: &str| json!({"name": name, "version": "1.0.0"}).to_string();
    let (kept, removed) = (manifest("kept"), manifest("removed"));
    TestImage::new(
        &[
            &[("etc/os-release", OS_RELEASE), ("var/lib/dpkg/status", &status)],
            &[("srv/kept/package.json", &kept), ("srv/removed/package.json", &removed)],
            &[("srv/removed/.wh.package.json", "")],
        ],
        &json!({"User": "app"}),
    )
}

impl Place {
    /// Takes away what is known of single layers.
    fn forget_layers(&self) {
        for file in files_of(&self.cache(), "layer") {
            std::fs::remove_file(file).unwrap();
        }
    }

    async fn cached_with(&self, change: impl FnOnce(&mut ScanOptions)) -> ScannedImage {
        let mut options = with_cache(&self.cache(), SIZE);
        change(&mut options);
        self.load(options).await.unwrap()
    }
}

#[tokio::test]
async fn an_image_that_was_read_once_is_not_read_again() {
    let place = Place::new();
    let image = image();
    place.write(&image);
    let expected = place.plain().await;
    assert_eq!(expected.inventory.packages.len(), 2);
    assert!(!expected.inventory.diagnostics.is_empty());
    assert!(expected.facts.layers.iter().all(|layer| layer.unpacked_bytes > 0));
    assert_eq!(place.cached().await.unwrap(), expected);

    // Neither the layers nor what is known of them: only the inventory can answer.
    (0..3).for_each(|layer| place.lose(&image, layer));
    place.forget_layers();
    let recorder = Arc::new(Recorder::default());
    let again = place.cached_with(|options| options.progress = Some(recorder.clone())).await;
    assert_eq!(format!("{again:?}"), format!("{expected:?}"));
    let sizes: Vec<usize> = image.layers.iter().map(Vec::len).collect();
    let layer = |index: usize| {
        [format!("{index} known"), format!("{index}: {}", sizes[index]), format!("{index} done")]
    };
    let told = ["Resolving".to_owned(), "ReadingLayers".to_owned()];
    let told: Vec<String> = told.into_iter().chain((0..3).flat_map(layer)).collect();
    assert_eq!(*recorder.0.lock().unwrap(), told);
}

#[tokio::test]
async fn every_byte_of_the_file_must_be_right() {
    let place = Place::new();
    place.write(&image());
    let expected = place.cached().await.unwrap();
    let [file] = &files_of(&place.cache(), "image")[..] else { panic!("one image, one file") };
    let whole = fs_err::read(file).unwrap();
    let last = whole.len() - 1;
    let step = (last / 16).max(1);
    let mut changes: Vec<Vec<u8>> = (0..last)
        .step_by(step)
        .chain([last])
        .map(|at| {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            bytes
        })
        .collect();
    let layer = fs_err::read(&files_of(&place.cache(), "layer")[0]).unwrap();
    changes.extend([Vec::new(), whole[..last].to_vec(), [&whole[..], b"x"].concat(), layer]);
    for changed in changes {
        std::fs::write(file, changed).unwrap();
        assert_eq!(place.cached().await.unwrap(), expected);
        assert_eq!(fs_err::read(file).unwrap(), whole, "it is mended");
    }
}

#[tokio::test]
async fn options_that_decide_what_is_found_find_it_themselves() {
    let place = Place::new();
    place.write(&image());
    let plain = place.cached().await.unwrap();
    let excluded = ExcludedPaths::new(vec![Glob::new("srv/**").unwrap()]).unwrap();
    let changes: [&dyn Fn(&mut ScanOptions); 3] = [
        &|options| options.scope = Scope::AllLayers,
        &|options| options.excluded = excluded.clone(),
        &|options| options.limits.file_bytes_max = 1,
    ];
    for change in changes {
        let mut options = ScanOptions::default();
        change(&mut options);
        let expected = place.load(options).await.unwrap();
        assert_ne!(expected.inventory, plain.inventory);
        for _ in 0..2 {
            assert_eq!(place.cached_with(change).await, expected);
        }
    }
    assert_eq!(files_of(&place.cache(), "image").len(), 4);
    assert_eq!(place.cached().await.unwrap(), plain);
}

#[tokio::test]
async fn what_would_be_refused_is_refused_however_well_it_is_known() {
    let place = Place::new();
    let honest = image();
    place.write(&honest);
    place.cached().await.unwrap();
    let limits: [fn(&mut ScanOptions); 6] = [
        |options| options.limits.entries_max = 3,
        |options| options.limits.unpacked_bytes_max = 5000,
        |options| options.limits.index_bytes_max = 10,
        |options| options.limits.kept_bytes_max = 10,
        |options| options.limits.layer_bytes_max = 10,
        |options| options.bound_memory(1000),
    ];
    for limit in limits {
        let mut options = with_cache(&place.cache(), SIZE);
        limit(&mut options);
        assert_eq!(place.load(options).await.unwrap_err().kind(), ScanErrorKind::LimitExceeded);
    }
    // The same diff ids, and other bytes.
    let mut layers = honest.layers.clone();
    layers[2] = gzip(&tar(&[("srv/.wh.kept", "")]));
    let liar = TestImage::from_parts(honest.config.clone(), layers);
    place.write(&liar);
    assert_eq!(place.cached().await.unwrap_err().kind(), ScanErrorKind::BadImage);
    // The same bytes in another order are another image.
    let mut config: serde_json::Value = serde_json::from_slice(&honest.config).unwrap();
    config["rootfs"]["diff_ids"].as_array_mut().unwrap().swap(1, 2);
    let mut layers = honest.layers.clone();
    layers.swap(1, 2);
    let swapped = TestImage::from_parts(config.to_string().into_bytes(), layers);
    assert_ne!(digest(&swapped.config), digest(&honest.config));
    place.write(&swapped);
    let expected = place.plain().await;
    assert_eq!(expected.inventory.packages.len(), 3);
    assert_eq!(place.cached().await.unwrap(), expected);
}

#[tokio::test]
async fn another_configuration_of_the_same_layers_needs_no_reading() {
    let place = Place::new();
    let first = image();
    place.write(&first);
    place.cached().await.unwrap();
    let mut config: serde_json::Value = serde_json::from_slice(&first.config).unwrap();
    config["config"] = json!({"User": "other"});
    let second = TestImage::from_parts(config.to_string().into_bytes(), first.layers.clone());
    place.write(&second);
    let expected = place.plain().await;
    assert_eq!(expected.facts.user.as_deref(), Some("other"));
    (0..3).for_each(|layer| place.lose(&second, layer));
    place.forget_layers();
    assert_eq!(place.cached().await.unwrap(), expected);
}

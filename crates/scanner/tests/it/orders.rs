//! The same image gives the same inventory in whatever order its layers come.

use std::collections::BTreeSet;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use scanner::{ImageSource, Progress, ScanOptions, Scope, load};
use serde_json::json;

use crate::support::image::{OS_RELEASE, TestImage, digest, gzip, tar};
use crate::support::options;
use crate::support::server::Server;

/// Longer than any test waits for anything.
const DEADLINE: Duration = Duration::from_secs(60);

/// The layers that were read to their end.
#[derive(Default)]
struct Done {
    layers: Mutex<BTreeSet<usize>>,
    changed: Condvar,
}

impl Done {
    fn wait_for(&self, layer: usize) {
        let layers = self.layers.lock().unwrap();
        let waiting = self.changed.wait_timeout_while(layers, DEADLINE, |layers| !layers.contains(&layer));
        assert!(!waiting.unwrap().1.timed_out(), "layer {layer} is not read");
    }
}

impl Progress for Done {
    fn layer_done(&self, layer_index: usize) {
        self.layers.lock().unwrap().insert(layer_index);
        self.changed.notify_all();
    }
}

fn status(packages: &[(&str, &str)]) -> String {
    let record = |(name, version): &(&str, &str)| {
        format!("Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\n\n")
    };
    packages.iter().map(record).collect()
}

/// The same database in several layers, files that come and go, a link that only the last layer makes wanted.
fn image() -> TestImage {
    let package = |name: &str, version: &str| json!({"name": name, "version": version}).to_string();
    let (app, lib, other) = (package("app", "1.0.0"), package("lib", "2.0.0"), package("app", "3.0.0"));
    let databases = [
        status(&[("a", "1"), ("b", "1")]),
        status(&[("a", "1"), ("b", "2"), ("c", "1")]),
        status(&[("a", "1"), ("b", "2"), ("c", "1"), ("d", "1")]),
    ];
    let mut linked = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    linked.append_link(&mut header, "var/lib/dpkg", "/data/packages").unwrap();
    let layers = [
        tar(&[("etc/os-release", OS_RELEASE), ("data/packages/status", &databases[0])]),
        tar(&[("srv/a/package.json", &app), ("srv/b/package.json", &lib)]),
        tar(&[("data/packages/status", &databases[1]), ("srv/a/.wh.package.json", "")]),
        tar(&[("srv/c/package.json", &other), ("srv/d/package.json", "{")]),
        tar(&[("data/packages/status", &databases[2]), ("srv/.wh.d", "")]),
        linked.into_inner().unwrap(),
    ];
    let diff_ids: Vec<String> = layers.iter().map(|layer| digest(layer).to_string()).collect();
    let config = json!({"os": "linux", "architecture": "amd64", "rootfs": {"diff_ids": diff_ids}});
    TestImage::from_parts(config.to_string().into_bytes(), layers.iter().map(|it| gzip(it)).collect())
}

/// A registry that turns the order of layers around. Of all of them at once, each is held back until the one above it has been read;
/// of two at once, the one that is asked for first until all others have been.
async fn backwards(image: &TestImage, layers_at_once: usize, done: &Arc<Done>) -> Server {
    let digests: Vec<String> = image.layers.iter().map(|layer| digest(layer).to_string()).collect();
    let (done, first_asked) = (Arc::clone(done), Mutex::new(None));
    Server::with_image(image, move |asked, _| {
        let path = asked.target.split('?').next().unwrap_or_default();
        let layer = digests.iter().position(|digest| path.ends_with(digest.as_str()))?;
        let is_first = *first_asked.lock().unwrap().get_or_insert(layer) == layer;
        let held_for = match layers_at_once {
            1 => 0..0,
            2 if is_first => 0..digests.len(),
            2 => 0..0,
            _ => layer + 1..digests.len().min(layer + 2),
        };
        held_for.filter(|other| *other != layer).for_each(|other| done.wait_for(other));
        None
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 12)]
async fn the_order_in_which_layers_come_changes_nothing() {
    let image = image();
    for scope in Scope::ALL {
        let mut all = Vec::new();
        for layers_at_once in [1, 2, 8] {
            let done = Arc::new(Done::default());
            let server = backwards(&image, layers_at_once, &done).await;
            let reference = format!("{}/app@{}", server.host, image.digest()).parse().unwrap();
            let options =
                ScanOptions { layers_at_once, scope, progress: Some(done.clone()), ..options(&server.host) };
            let scanned = load(&ImageSource::Registry(reference), &options).await.unwrap();
            assert_eq!(done.layers.lock().unwrap().len(), image.layers.len());
            all.push(format!("{scanned:?}"));
        }
        assert!(all[0].contains("\"lib\"") && all[0].contains("\"d\""), "{}", all[0]);
        assert_eq!(all[1], all[0], "{scope:?}");
        assert_eq!(all[2], all[0], "{scope:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 12)]
async fn of_several_broken_layers_the_lowest_is_told() {
    let mut image = image();
    let config = image.config.clone();
    for layer in [1, 3, 5] {
        image.layers[layer] = gzip(&tar(&[("srv/other", "x")]));
    }
    let image = TestImage::from_parts(config, image.layers);
    let mut all = BTreeSet::new();
    for layers_at_once in [1, 2, 8] {
        // Broken layers are never done: nothing is held back for them.
        let server = Server::with_image(&image, |_, _| None).await;
        let reference = format!("{}/app@{}", server.host, image.digest()).parse().unwrap();
        let options = ScanOptions { layers_at_once, ..options(&server.host) };
        let error = load(&ImageSource::Registry(reference), &options).await.unwrap_err();
        all.insert(error.to_string());
    }
    assert_eq!(all.len(), 1, "{all:?}");
    assert!(all.iter().all(|text| text.contains("layer 2")), "{all:?}");
}

//! Layers with tables of contents: what is found is what the whole layers hold, fewer bytes come, and who lies is not believed.

use model::{DiagnosticCode, ImageReference, Inventory};
use scanner::{ImageSource, LayerCache, ScanError, ScanErrorKind, ScanOptions, ScannedImage, Scope, load};
use testkit::{Registry, RegistryMode};

use crate::support::chunked::{Archive, archives, estargz, join, noise, plain, ranged_server};
use crate::support::image::{TestImage, digest};
use crate::support::options;
use crate::support::server::{Asked, Ending, Reply, Server};

fn reference(host: &str) -> ImageReference {
    format!("{host}/team/app:1").parse().unwrap()
}

async fn load_from(host: &str, change: impl FnOnce(&mut ScanOptions)) -> Result<ScannedImage, ScanError> {
    let mut options = options(host);
    options.partial_reads = true;
    change(&mut options);
    load(&ImageSource::Registry(reference(host)), &options).await
}

async fn load_whole(host: &str) -> ScannedImage {
    load_from(host, |options| options.partial_reads = false).await.unwrap()
}

/// Takes what is told of partial reading out of an inventory.
fn take_parts(inventory: &mut Inventory) -> Vec<String> {
    let is_told = |code: DiagnosticCode| code == DiagnosticCode::LayerReadInParts;
    let told = inventory.diagnostics.extract_if(.., |diagnostic| is_told(diagnostic.code));
    told.map(|diagnostic| diagnostic.message).collect()
}

/// Loads in both ways and compares; what was told of parts.
async fn compare(host: &str, scope: Scope) -> Vec<String> {
    let whole = load_from(host, |options| {
        options.partial_reads = false;
        options.scope = scope;
    });
    let whole = whole.await.unwrap();
    let mut parts = load_from(host, |options| options.scope = scope).await.unwrap();
    let told = take_parts(&mut parts.inventory);
    assert_eq!(parts.inventory, whole.inventory);
    assert_eq!(whole.inventory.packages.len(), if scope == Scope::Squashed { 2 } else { 3 }, "{whole:?}");
    told
}

/// Bytes of layers that a registry has sent, by its log.
fn bytes_sent(registry: &Registry, manifest: &serde_json::Value) -> u64 {
    let layers = manifest["layers"].as_array().unwrap();
    let digests: Vec<&str> = layers.iter().map(|layer| layer["digest"].as_str().unwrap()).collect();
    let is_layer = |line: &&str| {
        line.contains("\"GET ") && digests.iter().any(|digest| line.contains(&format!("/blobs/{digest} ")))
    };
    let log = registry.log().unwrap();
    log.lines()
        .filter(is_layer)
        .filter_map(|line| line.split("\" 20").nth(1)?.split_whitespace().nth(1)?.parse::<u64>().ok())
        .sum()
}

async fn manifest(host: &str) -> serde_json::Value {
    let url = format!("http://{host}/v2/team/app/manifests/1");
    let request = reqwest::Client::new().get(url).header("Accept", crate::support::image::OCI_MANIFEST);
    serde_json::from_str(&request.send().await.unwrap().text().await.unwrap()).unwrap()
}

async fn check_registry(registry: &Registry) {
    let host = registry.host();
    let manifest = manifest(&host).await;
    let size: u64 =
        manifest["layers"].as_array().unwrap().iter().map(|layer| layer["size"].as_u64().unwrap()).sum();
    let mut parts = load_from(&host, |_| {}).await.unwrap();
    let sent = bytes_sent(registry, &manifest);
    let told = take_parts(&mut parts.inventory);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(sent > 0 && sent * 2 < size, "{sent} of {size}: {told:?}");
    let counted: u64 = told.iter().map(|text| text.split(' ').nth(6).unwrap().parse::<u64>().unwrap()).sum();
    assert_eq!(counted, sent, "{told:?}");
    for scope in Scope::ALL {
        assert_eq!(compare(&host, scope).await.len(), 2);
    }
}

#[tokio::test]
async fn zstd_chunked_of_skopeo_is_read_in_parts() {
    let registry = Registry::start(RegistryMode::Open).unwrap();
    let folder = tempfile::tempdir().unwrap();
    TestImage::write_layout(folder.path(), &[(&plain(&archives()), "v1")]);
    let program = testkit::require_program("skopeo").unwrap();
    let output = testkit::run(&program, b"", |command| {
        command.args(["--insecure-policy", "copy", "--dest-tls-verify=false", "--format=oci"]);
        command.args(["--dest-compress-format=zstd:chunked", &format!("oci:{}:v1", folder.path().display())]);
        command.arg(format!("docker://{}", registry.reference("team/app:1")));
    });
    output.unwrap().success().unwrap();
    check_registry(&registry).await;
}

#[tokio::test]
async fn estargz_of_its_library_is_read_in_parts() {
    // Small chunks; files that share a compressed stream; files that are put first.
    for arguments in [&["65536", "0"][..], &["65536", "30000"], &["4194304", "0", "etc/os-release"]] {
        // Only the base has the file that is put first.
        let (base, app) = (&archives()[..1], &archives()[1..]);
        let image = join(vec![estargz(base, arguments), estargz(app, &arguments[..2])]);
        let registry = Registry::start(RegistryMode::Open).unwrap();
        let folder = tempfile::tempdir().unwrap();
        TestImage::write_layout(folder.path(), &[(&image, "v1")]);
        registry.push_from(&format!("oci:{}:v1", folder.path().display()), "team/app:1").unwrap();
        check_registry(&registry).await;
    }
}

fn image() -> &'static TestImage {
    static IMAGE: std::sync::LazyLock<TestImage> =
        std::sync::LazyLock::new(|| estargz(&archives(), &["65536", "0"]));
    &IMAGE
}

/// Loads in parts from a server whose answers about layers `change` replaces.
async fn load_changed(
    change: impl Fn(&Asked, &Reply) -> Option<Reply> + Send + Sync + 'static,
) -> (Result<ScannedImage, ScanError>, ScannedImage, Server) {
    let image = image();
    let honest = ranged_server(image, |_, _| None).await;
    let whole = load_whole(&honest.host).await;
    let server = ranged_server(image, change).await;
    (load_from(&server.host, |_| {}).await, whole, server)
}

fn is_part(reply: &Reply) -> bool {
    reply.status == 206
}

#[tokio::test]
async fn what_cannot_be_read_in_parts_is_read_as_a_whole() {
    let whole_blob = |asked: &Asked| {
        let image = image();
        let blob = image.layers.iter().find(|layer| asked.target.ends_with(&digest(layer).to_string()));
        Reply::new(200, blob.unwrap().clone())
    };
    let (no_ranges, whole, _server) =
        load_changed(move |asked, reply| is_part(reply).then(|| whole_blob(asked))).await;
    assert_eq!(no_ranges.unwrap(), whole);
    let (refused, whole, _server) =
        load_changed(|_, reply| is_part(reply).then(|| Reply::new(416, ""))).await;
    assert_eq!(refused.unwrap(), whole);
    let (other_range, whole, _server) = load_changed(|_, reply| {
        let other = Reply::new(206, reply.body.clone()).header("Content-Range", "bytes 0-50/1000000");
        is_part(reply).then_some(other)
    })
    .await;
    assert_eq!(other_range.unwrap(), whole);
    // A footer of the older form, and one that leads outside.
    for footer in [&b"x"[..], b"ffffffffffffffffSTARGZ"] {
        let (no_footer, whole, _server) = load_changed(move |_, reply| {
            let mut changed = reply.clone();
            (is_part(reply) && reply.body.len() == 51).then(|| {
                changed.body[16..16 + footer.len()].copy_from_slice(footer);
                changed
            })
        })
        .await;
        assert_eq!(no_footer.unwrap(), whole);
    }
}

#[tokio::test]
async fn nothing_is_read_in_parts_unasked() {
    let image = image();
    let server = ranged_server(image, |_, _| None).await;
    let whole = load_whole(&server.host).await;
    let contents = Some(scanner::ContentSettings::default());
    let searched = load_from(&server.host, |options| options.contents = contents).await.unwrap();
    assert_eq!(searched.inventory.packages.len(), whole.inventory.packages.len());
    assert!(server.asked().iter().all(|asked| asked.header("range").is_none()));
    // Without annotations, and where most of the layer is wanted.
    let mut unnamed = estargz(&archives(), &["65536", "0"]);
    let mut changed: serde_json::Value = serde_json::from_slice(&unnamed.manifest).unwrap();
    for layer in changed["layers"].as_array_mut().unwrap() {
        layer.as_object_mut().unwrap().remove("annotations");
    }
    unnamed.manifest = changed.to_string().into_bytes();
    let server = ranged_server(&unnamed, |_, _| None).await;
    assert_eq!(load_from(&server.host, |_| {}).await.unwrap().inventory, whole.inventory);
    assert!(server.asked().iter().all(|asked| asked.header("range").is_none()));
    let program = [&b"\x7fELF"[..], &noise(9, 200_000)].concat();
    let mostly = Archive::default().file("usr/bin/program", program).finish();
    let server = ranged_server(&estargz(&[mostly], &["65536", "0"]), |_, _| None).await;
    let told = take_parts(&mut load_from(&server.host, |_| {}).await.unwrap().inventory);
    assert!(told.is_empty(), "{told:?}");
}

#[tokio::test]
async fn bytes_that_somebody_has_vouched_for_must_be_those() {
    // The table of contents is what comes right before the footer.
    let (toc, _, _server) = load_changed(|_, reply| {
        let stated = &reply.headers.first()?.1;
        let (span, total) = stated.strip_prefix("bytes ")?.split_once('/')?;
        let end: u64 = span.split_once('-')?.1.parse().ok()?;
        let is_toc = end + 52 == total.parse::<u64>().ok()?;
        let mut archive =
            tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
        let mut header = tar::Header::new_gnu();
        header.set_size(2);
        archive.append_data(&mut header, "stargz.index.json", &b"{}"[..]).unwrap();
        let mut other = archive.into_inner().unwrap().finish().unwrap();
        other.resize(reply.body.len(), 0);
        is_toc.then(|| Reply { body: other, ..reply.clone() })
    })
    .await;
    let error = toc.unwrap_err();
    assert!(matches!(error, ScanError::DigestMismatch { .. }), "{error:?}");
    assert!(error.to_string().contains("table of contents of layer"), "{error}");

    // A stream of the same length with another byte in it.
    let (part, _, _server) = load_changed(|_, reply| {
        let mut changed = reply.clone();
        let middle = reply.body.len() / 2;
        *changed.body.get_mut(middle)? ^= 1;
        (is_part(reply) && reply.body.len() > 60_000).then_some(changed)
    })
    .await;
    let error = part.unwrap_err();
    assert_eq!(error.kind(), ScanErrorKind::BadImage, "{error:?}");
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.starts_with("part of `usr/bin/program` in layer"), "{cause}");
}

#[tokio::test]
async fn a_part_that_breaks_off_is_continued() {
    let (parts, whole, server) = load_changed(|_, reply| {
        // What is left of it is shorter.
        (is_part(reply) && reply.body.len() > 85_000).then(|| Reply {
            body: reply.body[..10_000].to_vec(),
            ending: Ending::Close,
            ..reply.clone()
        })
    })
    .await;
    let mut parts = parts.unwrap_or_else(|error| panic!("{error:?}: {:?}", server.asked()));
    take_parts(&mut parts.inventory);
    assert_eq!(parts.inventory, whole.inventory);
}

/// Loads from a registry that answers the first `good` ranges and then, for ever, what `bad` makes of the answer.
async fn load_until(
    good: usize,
    bad: impl Fn(&Asked, &Reply) -> Reply + Send + Sync + 'static,
) -> (Result<ScannedImage, ScanError>, ScannedImage, Server) {
    let count = std::sync::atomic::AtomicUsize::new(0);
    load_changed(move |asked, reply| {
        let is_late = is_part(reply) && count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) >= good;
        is_late.then(|| bad(asked, reply))
    })
    .await
}

#[tokio::test]
async fn a_registry_that_stops_sending_parts_is_asked_for_the_whole() {
    type Bad = fn(&Asked, &Reply) -> Reply;
    fn whole(asked: &Asked, _: &Reply) -> Reply {
        let image = image();
        let blob = image.layers.iter().find(|layer| asked.target.ends_with(&digest(layer).to_string()));
        Reply::new(200, blob.unwrap().clone())
    }
    fn cut(reply: &Reply, length: usize) -> Reply {
        Reply { body: reply.body[..length.min(reply.body.len())].to_vec(), ..reply.clone() }
    }
    let faults: [(&str, Bad); 9] = [
        ("status 500", |_, _| Reply::new(500, "")),
        ("status 503", |_, _| Reply::new(503, "")),
        ("status 416", |_, _| Reply::new(416, "")),
        ("not there", |_, _| Reply::new(404, "")),
        ("the whole", whole),
        ("another range", |_, reply| {
            Reply::new(206, reply.body.clone()).header("Content-Range", "bytes 7-9/1000000")
        }),
        ("no bytes, then closed", |_, reply| cut(reply, 0)),
        ("a short body", |_, reply| {
            let short = cut(reply, reply.body.len() - 1);
            Reply { stated_length: Some(short.body.len()), ..short }
        }),
        ("a longer body", |_, reply| {
            let mut long = reply.clone();
            long.body.push(0);
            Reply { stated_length: Some(long.body.len()), ..long }
        }),
    ];
    for (fault, bad) in faults {
        // Within the tables, at the first part, and after it.
        for good in [0, 1, 2, 3, 5] {
            let (read, expected, server) = load_until(good, bad).await;
            let mut read = read.unwrap_or_else(|error| panic!("{fault} after {good}: {error:?}"));
            take_parts(&mut read.inventory);
            assert_eq!(read.inventory, expected.inventory, "{fault} after {good}");
            assert!(server.asked().len() < 40, "{fault} after {good}: {}", server.asked().len());
        }
    }
}

#[tokio::test]
async fn why_a_layer_is_read_as_a_whole_is_told() {
    #[derive(Default)]
    struct Told(std::sync::Mutex<Vec<String>>);
    impl scanner::Progress for Told {
        fn layer_whole(&self, layer_index: usize, reason: &str) {
            self.0.lock().unwrap().push(format!("{layer_index} {reason}"));
        }
    }
    let server = ranged_server(image(), |_, reply| is_part(reply).then(|| Reply::new(500, ""))).await;
    let told = std::sync::Arc::new(Told::default());
    let mut read = load_from(&server.host, |options| options.progress = Some(told.clone())).await.unwrap();
    assert!(take_parts(&mut read.inventory).is_empty());
    let mut reasons = told.0.lock().unwrap().clone();
    reasons.sort();
    assert_eq!(reasons, [0, 1].map(|index| format!("{index} the registry answers status 500 to a range")));
}

#[tokio::test]
async fn the_cache_knows_nothing_of_parts() {
    let image = image();
    let server = ranged_server(image, |_, _| None).await;
    let folder = tempfile::tempdir().unwrap();
    let cache = LayerCache::new(folder.path().join("cache"), LayerCache::BYTES_MAX_DEFAULT);
    let with_cache = |options: &mut ScanOptions| options.layer_cache = Some(cache.clone());
    let mut parts = load_from(&server.host, with_cache).await.unwrap();
    assert_eq!(take_parts(&mut parts.inventory).len(), 2);
    assert_eq!(cache.summary().map(|summary| summary.layer_count).unwrap_or_default(), 0);
    let whole = load_from(&server.host, |options| {
        with_cache(options);
        options.partial_reads = false;
    });
    let mut whole = whole.await.unwrap();
    assert!(take_parts(&mut whole.inventory).is_empty(), "inventories of parts are not kept either");
    // Verified layers that are known are taken before any part is asked for.
    let asked = server.asked().len();
    assert_eq!(load_from(&server.host, with_cache).await.unwrap(), whole);
    assert!(server.asked()[asked..].iter().all(|asked| asked.header("range").is_none()));
}

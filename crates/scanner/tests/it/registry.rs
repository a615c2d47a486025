//! Against a real registry: what other programs pushed there is read, with and without a login, with and without TLS.

use std::collections::BTreeSet;
use std::path::Path;

use model::{DockerfileMode, ImageReference, Platform};
use scanner::{
    Credentials, DockerConfig, ImageSource, RegistryLogin, ScanError, ScanErrorKind, ScanOptions, Secret,
    load, resolve,
};
use serde_json::json;
use testkit::{Registry, RegistryMode};

use crate::support::image::{OCI_INDEX, TestImage, describe, digest, write_layout};
use crate::support::options;

fn push(registry: &Registry, image: &TestImage, name: &str, skopeo_source: &str) {
    let folder = tempfile::tempdir().unwrap();
    TestImage::write_layout(folder.path(), &[(image, "v1")]);
    let source = skopeo_source.replace("LAYOUT", &folder.path().display().to_string());
    registry.push_from(&source, name).unwrap();
}

fn reference(registry: &Registry, name: &str) -> ImageReference {
    registry.reference(name).parse().unwrap()
}

#[tokio::test]
async fn a_pushed_image_is_resolved_and_read() {
    let registry = Registry::start(RegistryMode::Open).unwrap();
    let image = TestImage::debian();
    push(&registry, &image, "team/app:1", "oci:LAYOUT:v1");
    let options = options(&registry.host());
    let tagged = reference(&registry, "team/app:1");
    let resolved = resolve(&tagged, &options).await.unwrap();
    assert_eq!(resolved.digest, image.digest());
    assert_eq!(resolved.parent_digest, image.digest());
    assert_eq!(resolved.image_id, digest(&image.config));
    assert_eq!(resolved.platform.architecture, "amd64");
    assert_eq!(resolved.digest, registry.find_digest("team/app:1").unwrap());

    let by_tag = load(&ImageSource::Registry(tagged.clone()), &options).await.unwrap();
    // What a layer becomes is only known to who reads it.
    let mut facts = by_tag.facts.clone();
    assert!(facts.layers.iter().all(|layer| layer.unpacked_bytes > 0));
    facts.layers.iter_mut().for_each(|layer| layer.unpacked_bytes = 0);
    assert_eq!(facts, resolved.facts);
    assert_eq!(by_tag.facts.dockerfile_mode, DockerfileMode::Guessed);
    assert_eq!(by_tag.facts.user.as_deref(), Some("app"));
    assert_eq!(by_tag.facts.exposed_ports, ["80/tcp"]);
    let packages: Vec<_> = by_tag.inventory.packages.iter().map(|package| package.name.as_str()).collect();
    assert_eq!(packages, ["zlib1g"]);
    let diff_ids: Vec<_> = by_tag.facts.layers.iter().map(|layer| layer.diff_id.clone()).collect();
    assert_eq!(by_tag.inventory.layers, diff_ids);

    let pinned = tagged.at_digest(image.digest());
    assert_eq!(load(&ImageSource::Registry(pinned), &options).await.unwrap(), by_tag);
    // Of tag and digest only the digest counts.
    let both: ImageReference =
        format!("{}@{}", registry.reference("team/app:none"), image.digest()).parse().unwrap();
    assert_eq!(resolve(&both, &options).await.unwrap(), resolved);
    for missing in ["team/app:2", "team/other:1"] {
        let error = resolve(&reference(&registry, missing), &options).await.unwrap_err();
        assert_eq!(error.kind(), ScanErrorKind::NotFound, "{missing}: {error}");
        assert!(error.to_string().contains(missing), "{error}");
    }
    let absent = tagged.at_digest(digest(b"absent"));
    assert_eq!(resolve(&absent, &options).await.unwrap_err().kind(), ScanErrorKind::NotFound);
}

#[tokio::test]
async fn formats_that_other_programs_push_are_read() {
    let registry = Registry::start(RegistryMode::Open).unwrap();
    let folder = tempfile::tempdir().unwrap();
    TestImage::write_layout(&folder.path().join("oci"), &[(&TestImage::debian(), "v1")]);
    let options = options(&registry.host());
    for (name, arguments) in [
        ("docker", &["--format=v2s2"][..]),
        ("zstd", &["--format=oci", "--dest-compress-format=zstd"]),
        ("uncompressed", &["--format=oci", "--dest-decompress"]),
    ] {
        let copy = folder.path().join(name);
        let is_registry = name == "docker";
        let target = if is_registry {
            format!("docker://{}", registry.reference(&format!("app:{name}")))
        } else {
            format!("dir:{}", copy.display())
        };
        skopeo(&[&["copy", "--dest-tls-verify=false"], arguments].concat(), &oci(folder.path()), &target);
        if !is_registry {
            registry.push_from(&format!("dir:{}", copy.display()), &format!("app:{name}")).unwrap();
        }
        let scanned =
            load(&ImageSource::Registry(reference(&registry, &format!("app:{name}"))), &options).await;
        let scanned = scanned.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert_eq!(scanned.inventory.packages.len(), 1, "{name}");
        let size: u64 = scanned.facts.layers.iter().map(|layer| layer.size_bytes).sum();
        assert!(scanned.facts.size_bytes > size, "{name}");
    }
}

fn oci(folder: &Path) -> String {
    format!("oci:{}:v1", folder.join("oci").display())
}

fn skopeo(arguments: &[&str], source: &str, target: &str) {
    let program = testkit::require_program("skopeo").unwrap();
    let output = testkit::run(&program, b"", |command| {
        command.arg("--insecure-policy").args(arguments).args([source, target]);
    });
    output.unwrap().success().unwrap();
}

#[tokio::test]
async fn an_index_leads_to_the_platform_and_keeps_its_digest() {
    let registry = Registry::start(RegistryMode::Open).unwrap();
    let (amd, arm) = (TestImage::debian(), TestImage::new(&[&[("a", "b")]], &json!({})));
    let entry = |image: &TestImage, architecture: &str| {
        let mut entry = image.describe();
        entry["platform"] = json!({"os": "linux", "architecture": architecture});
        entry
    };
    let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry(&amd, "amd64"), entry(&arm, "arm64")]});
    let index = index.to_string().into_bytes();
    let folder = tempfile::tempdir().unwrap();
    let mut top = describe(OCI_INDEX, &index);
    top["annotations"] = json!({"org.opencontainers.image.ref.name": "v1"});
    write_layout(folder.path(), &[top], amd.blobs().chain(arm.blobs()).chain([&index]));
    registry.push_from(&format!("oci:{}:v1", folder.path().display()), "multi:1").unwrap();

    for (architecture, expected) in [("amd64", Some(&amd)), ("arm64", Some(&arm)), ("riscv64", None)] {
        let platform = Platform { os: "linux".into(), architecture: architecture.into(), variant: None };
        let options = ScanOptions { platform, ..options(&registry.host()) };
        let outcome = resolve(&reference(&registry, "multi:1"), &options).await;
        match expected {
            Some(image) => {
                let resolved = outcome.unwrap();
                assert_eq!(resolved.digest, image.digest());
                assert_eq!(resolved.parent_digest, digest(&index));
            }
            None => {
                let error = outcome.unwrap_err();
                assert_eq!(error.kind(), ScanErrorKind::NotFound);
                assert!(error.to_string().contains("`linux/amd64`, `linux/arm64`"), "{error}");
            }
        }
    }
}

#[tokio::test]
async fn a_private_registry_wants_the_right_login() {
    let mode = RegistryMode::Htpasswd { user: "ann".to_owned(), password: "s3cret word".to_owned() };
    let registry = Registry::start(mode).unwrap();
    let image = TestImage::debian();
    push(&registry, &image, "team/app:1", "oci:LAYOUT:v1");
    let login = |scope: String, password: &str| {
        let password = Secret::new(password);
        Credentials::Logins(vec![RegistryLogin { scope, user: "ann".to_owned(), password }])
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    // `ann:s3cret word`.
    let auths = json!({"auths": {registry.host(): {"auth": "YW5uOnMzY3JldCB3b3Jk"}}});
    std::fs::write(&path, auths.to_string()).unwrap();
    let config = Credentials::DockerConfig(DockerConfig { path, helper_folder: None });
    let host = registry.host();
    for (name, credentials, is_good) in [
        ("anonymous", Credentials::Anonymous, false),
        ("right", login(host.clone(), "s3cret word"), true),
        ("wrong", login(host.clone(), "secret"), false),
        ("other repository", login(format!("{host}/other"), "s3cret word"), false),
        ("repository", login(format!("{host}/team"), "s3cret word"), true),
        ("other host", login("127.0.0.1:1".to_owned(), "s3cret word"), false),
        ("docker config", config.clone(), true),
        ("first of", Credentials::FirstOf(vec![Credentials::Anonymous, config]), true),
    ] {
        let mut options = options(&host);
        options.registry.credentials = credentials;
        let outcome = load(&ImageSource::Registry(reference(&registry, "team/app:1")), &options).await;
        match outcome {
            Ok(scanned) => assert!(is_good && scanned.facts.digest == image.digest(), "{name}"),
            Err(error) => {
                assert!(!is_good, "{name}: {error:?}");
                assert_eq!(error.kind(), ScanErrorKind::Unauthorized, "{name}: {error}");
                assert!(!format!("{error} {error:?}").contains("cret"), "{name}: {error:?}");
            }
        }
    }
}

#[tokio::test]
async fn certificates_are_checked_unless_the_host_is_named() {
    let registry = Registry::start(RegistryMode::Tls).unwrap();
    let image = TestImage::debian();
    push(&registry, &image, "app:1", "oci:LAYOUT:v1");
    let host = registry.host();
    let wanted = reference(&registry, "app:1");
    let with = |insecure: &[String], certificates: bool| {
        let mut options = options(&host);
        options.registry.insecure_registries = insecure.iter().cloned().collect::<BTreeSet<_>>();
        options.registry.ca_certificates =
            registry.certificate().filter(|_| certificates).into_iter().collect();
        options
    };
    assert_eq!(resolve(&wanted, &with(&[], true)).await.unwrap().digest, image.digest());
    let unchecked = with(&[format!("https://{host}")], false);
    assert_eq!(resolve(&wanted, &unchecked).await.unwrap().digest, image.digest());
    for (name, insecure) in
        [("unknown authority", vec![]), ("other host named", vec!["https://127.0.0.1:1".to_owned()])]
    {
        let error = resolve(&wanted, &with(&insecure, false)).await.unwrap_err();
        assert!(matches!(error, ScanError::Unreachable { .. }), "{name}: {error:?}");
    }
    // Named for plain http, the host is spoken to in plain http, which this one refuses.
    let error = resolve(&wanted, &with(std::slice::from_ref(&host), true)).await.unwrap_err();
    assert_eq!(error.kind(), ScanErrorKind::Unreachable, "{error:?}");
}

#[tokio::test]
async fn a_damaged_registry_is_noticed() {
    let mut registry = Registry::start(RegistryMode::Open).unwrap();
    let image = TestImage::debian();
    push(&registry, &image, "app:1", "oci:LAYOUT:v1");
    let options = options(&registry.host());
    let source = ImageSource::Registry(reference(&registry, "app:1"));
    let layer = registry.blob_file(&digest(&image.layers[0]));
    let mut bytes = image.layers[0].clone();
    bytes[4] ^= 1;
    std::fs::write(&layer, &bytes).unwrap();
    let error = load(&source, &options).await.unwrap_err();
    assert_eq!(error.kind(), ScanErrorKind::BadImage, "{error:?}");
    std::fs::remove_file(&layer).unwrap();
    let error = load(&source, &options).await.unwrap_err();
    assert_eq!(error.kind(), ScanErrorKind::BadImage, "{error:?}");

    registry.stop();
    let error = load(&source, &options).await.unwrap_err();
    assert_eq!(error.kind(), ScanErrorKind::Unreachable, "{error:?}");
    registry.resume().unwrap();
    assert!(resolve(&reference(&registry, "app:1"), &options).await.is_ok());
}

#[tokio::test]
async fn artifacts_are_not_images() {
    let registry = Registry::start(RegistryMode::Open).unwrap();
    let empty = b"{}".to_vec();
    let mut image = TestImage::from_parts(empty.clone(), vec![b"a chart".to_vec()]);
    let manifest = json!({
        "schemaVersion": 2, "mediaType": crate::support::image::OCI_MANIFEST, "artifactType": "application/x-chart",
        "config": describe("application/vnd.oci.empty.v1+json", &empty),
        "layers": [describe("application/x-chart", &image.layers[0])],
    });
    image.manifest = manifest.to_string().into_bytes();
    push(&registry, &image, "chart:1", "oci:LAYOUT:v1");
    let error = resolve(&reference(&registry, "chart:1"), &options(&registry.host())).await.unwrap_err();
    assert_eq!(error.kind(), ScanErrorKind::Unsupported);
    assert!(error.to_string().contains("artifact, not an image"), "{error}");
}

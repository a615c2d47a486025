//! Images of programs on this machine, folders and files, and what of them counts.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::Path;

use model::{DiagnosticCode, Inventory};
use scanner::{
    DaemonKind, DaemonSockets, ExcludedPaths, Glob, ImageSource, ScanErrorKind, ScanOptions, Scope, identify,
    load, load_files,
};
use serde_json::{Value, json};
use testkit::ImageDaemon;

use crate::support::image::{OS_RELEASE, STATUS, TestImage, docker_archive, tar_folder};

fn names(inventory: &Inventory) -> Vec<&str> {
    inventory.packages.iter().map(|package| package.name.as_str()).collect()
}

const PACKAGE: &str = r#"{"name": "app", "version": "1.0.0"}"#;

fn archive(folder: &Path, image: &TestImage) -> String {
    let layout = folder.join("layout");
    TestImage::write_layout(&layout, &[(image, "v1")]);
    let path = folder.join("image.tar");
    std::fs::write(&path, tar_folder(&layout)).unwrap();
    path.display().to_string()
}

async fn check_daemon(daemon: &ImageDaemon, kind: DaemonKind, name: &str, image: &TestImage) {
    let daemons = DaemonSockets {
        docker: daemon.socket(),
        podman: daemon.socket(),
        containerd: daemon.socket(),
        ..DaemonSockets::default()
    };
    let options = ScanOptions { daemons, ..crate::support::options("127.0.0.1:1") };
    let source = |name: &str| ImageSource::Daemon { kind, name: name.to_owned() };
    let found = load(&source(name), &options).await.unwrap();
    let layout = daemon.folder().join("layout");
    let expected = load(&ImageSource::OciLayout { path: layout, name: None }, &options).await.unwrap();
    assert_eq!(names(&found.inventory), ["zlib1g", "app"]);
    assert_eq!(found.inventory, expected.inventory);
    assert_eq!(found.facts.image_id, crate::support::image::digest(&image.config));
    let identity = identify(&source(name), &options).await.unwrap();
    assert_eq!(identity.image_id, found.facts.image_id);
    assert_eq!(identity.diff_ids, found.inventory.layers);
    let missing = identify(&source("example.org/not-there:1"), &options).await.unwrap_err();
    assert_eq!(missing.kind(), ScanErrorKind::NotFound, "{missing}");
    let missing = load(&source("example.org/not-there:1"), &options).await.unwrap_err();
    assert_eq!(missing.kind(), ScanErrorKind::NotFound, "{missing}");
    assert!(missing.to_string().contains("registry:example.org/not-there:1"), "{missing}");
}

fn two_layers() -> TestImage {
    let system: &[(&str, &str)] = &[("etc/os-release", OS_RELEASE), ("var/lib/dpkg/status", STATUS)];
    TestImage::new(&[system, &[("srv/package.json", PACKAGE)]], &json!({"User": "app"}))
}

#[tokio::test]
async fn images_of_containerd_are_read_blob_by_blob() {
    let daemon = ImageDaemon::containerd().unwrap();
    let image = two_layers();
    let file = archive(daemon.folder(), &image);
    daemon.run(&["images", "import", "--no-unpack", "--base-name", "example.org/app", &file]).unwrap();
    check_daemon(&daemon, DaemonKind::Containerd, "example.org/app:v1", &image).await;
}

#[tokio::test]
async fn images_of_podman_are_read_as_one_stream() {
    let daemon = ImageDaemon::podman().unwrap();
    let image = two_layers();
    let file = archive(daemon.folder(), &image);
    daemon.run(&["load", "-i", &file]).unwrap();
    let id = daemon.run(&["images", "-q"]).unwrap();
    // Docker's protocol is the same.
    for kind in [DaemonKind::Podman, DaemonKind::Docker] {
        check_daemon(&daemon, kind, id.trim(), &image).await;
    }
}

/// A daemon that exports one image, once.
async fn serve_once(listener: tokio::net::UnixListener, inspected: String, archive: Vec<u8>) -> Vec<String> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let mut asked = Vec::new();
    // Said before and after the export, and by the one who needs none.
    while asked.len() < 4 {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(stream.read_u8().await.unwrap());
        }
        let line = String::from_utf8_lossy(&request).lines().next().unwrap().to_owned();
        let body = if line.contains("/json ") { inspected.as_bytes() } else { &archive };
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body).await.unwrap();
        asked.push(line.split(' ').nth(1).unwrap().to_owned());
    }
    asked
}

#[tokio::test]
async fn an_image_that_a_daemon_exported_once_is_not_exported_again() {
    let folder = tempfile::tempdir().unwrap();
    let image = two_layers();
    let archive = docker_archive(&[(&["app:1"], &image.config, &image.layers)]);
    let config: Value = serde_json::from_slice(&image.config).unwrap();
    let id = crate::support::image::digest(&image.config);
    let inspected =
        json!({"Id": id.to_string(), "Os": "linux", "RootFS": {"Layers": config["rootfs"]["diff_ids"]}})
            .to_string();
    let socket = folder.path().join("socket");
    let listener = tokio::net::UnixListener::bind(&socket).unwrap();
    let server = tokio::spawn(serve_once(listener, inspected, archive));
    let daemons = DaemonSockets { docker: socket, ..DaemonSockets::default() };
    let options =
        ScanOptions { daemons, ..crate::cache::with_cache(&folder.path().join("cache"), crate::cache::SIZE) };
    let source = ImageSource::Daemon { kind: DaemonKind::Docker, name: "app".to_owned() };
    let first = load(&source, &options).await.unwrap();
    let again = load(&source, &options).await.unwrap();
    assert_eq!(names(&first.inventory), ["zlib1g", "app"]);
    assert_eq!(format!("{first:?}"), format!("{again:?}"));
    let asked = server.await.unwrap();
    assert_eq!(asked, ["/images/app/json", "/images/app/get", "/images/app/json", "/images/app/json"]);
}

#[tokio::test]
async fn a_daemon_that_is_not_there_is_told() {
    let daemons = DaemonSockets { docker: "/no/such/socket".into(), ..DaemonSockets::default() };
    let options = ScanOptions { daemons, ..crate::support::options("127.0.0.1:1") };
    let source = ImageSource::Daemon { kind: DaemonKind::Docker, name: "a".to_owned() };
    let error = load(&source, &options).await.unwrap_err();
    assert_eq!(error.kind(), ScanErrorKind::Unreachable);
    assert!(error.to_string().contains("/no/such/socket"), "{error}");
}

fn write(folder: &Path, files: &[(&str, &str)]) {
    for (name, content) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
}

#[tokio::test]
async fn a_folder_is_read_as_the_root_of_an_image() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write(
        root,
        &[("etc/os-release", OS_RELEASE), ("opt/data/dpkg/status", STATUS), ("srv/package.json", PACKAGE)],
    );
    // The database lies elsewhere and is found through a link.
    std::fs::create_dir_all(root.join("var")).unwrap();
    std::os::unix::fs::symlink("../opt/data", root.join("var/lib")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();
    let first = load_files(root, &ScanOptions::default()).await.unwrap();
    assert_eq!(names(&first), ["zlib1g", "app"]);
    assert_eq!(first.distro.as_ref().unwrap().id, "debian");
    assert!(
        first.layers.is_empty() && first.packages.iter().all(|package| package.locations[0].layer.is_none())
    );
    assert_eq!(
        load_files(root, &ScanOptions::default()).await.unwrap(),
        first,
        "the same files, the same list"
    );

    let excluded = ExcludedPaths::new(vec![Glob::new("srv/**").unwrap()]).unwrap();
    let options = ScanOptions { excluded, ..ScanOptions::default() };
    assert_eq!(names(&load_files(root, &options).await.unwrap()), ["zlib1g"]);

    let file = load_files(&root.join("srv/package.json"), &ScanOptions::default()).await.unwrap();
    assert_eq!(names(&file), ["app"]);
    let missing = load_files(&root.join("not-there"), &ScanOptions::default()).await.unwrap_err();
    assert_eq!(missing.kind(), ScanErrorKind::NotFound);
}

#[tokio::test]
async fn a_file_in_which_nothing_is_recognised_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let elf = format!("\u{7f}ELF\u{2}\u{1}\u{1}{}", "\0".repeat(200));
    write(root, &[("text", "hello"), ("empty", ""), ("program", &elf), ("package.json", PACKAGE)]);
    let options = ScanOptions::default();
    let is_told = |inventory: &Inventory, name: &str| {
        let told = |it: &&model::Diagnostic| it.code == DiagnosticCode::UnreadableDatabase;
        inventory.diagnostics.iter().find(told).is_some_and(|it| it.subject == format!("/{name}"))
    };
    for (name, expected) in [("text", true), ("empty", true), ("program", true), ("package.json", false)] {
        let found = load_files(&root.join(name), &options).await.unwrap();
        assert_eq!(is_told(&found, name), expected, "{name}: {:?}", found.diagnostics);
    }
    std::fs::remove_file(root.join("package.json")).unwrap();
    let folder_of_them = load_files(root, &options).await.unwrap();
    assert!(folder_of_them.diagnostics.iter().all(|it| it.code != DiagnosticCode::UnreadableDatabase));
    let error = load_files(Path::new("/dev/null"), &options).await.unwrap_err();
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("neither a regular file"));
}

#[tokio::test]
async fn what_later_layers_remove_counts_when_all_layers_do() {
    let image = TestImage::new(
        &[
            &[("etc/os-release", OS_RELEASE), ("var/lib/dpkg/status", STATUS), ("srv/package.json", PACKAGE)],
            &[("srv/.wh.package.json", "")],
        ],
        &json!({}),
    );
    let folder = tempfile::tempdir().unwrap();
    TestImage::write_layout(folder.path(), &[(&image, "v1")]);
    let source = ImageSource::OciLayout { path: folder.path().to_owned(), name: None };
    let squashed = load(&source, &ScanOptions::default()).await.unwrap().inventory;
    assert_eq!(names(&squashed), ["zlib1g"]);
    let all = ScanOptions { scope: Scope::AllLayers, ..ScanOptions::default() };
    let inventory = load(&source, &all).await.unwrap().inventory;
    assert_eq!(names(&inventory), ["zlib1g", "app"]);
    assert_eq!(inventory.packages[0], squashed.packages[0]);
    assert_eq!(inventory.packages[1].locations[0].layer.as_ref(), inventory.layers.first());
    assert!(inventory.diagnostics.iter().all(|it| it.code != DiagnosticCode::UnknownDistro));

    let excluded = ExcludedPaths::new(vec![Glob::new("var/lib/dpkg/**").unwrap()]).unwrap();
    let options = ScanOptions { excluded, ..all };
    assert_eq!(names(&load(&source, &options).await.unwrap().inventory), ["app"]);
}

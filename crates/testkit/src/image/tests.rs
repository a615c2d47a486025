//! Tests of the image writer: what it writes, and that another program reads it.

use serde_json::json;

use super::*;
use crate::command::run;
use crate::environment::require_program;
use crate::scratch::Scratch;

fn example(compression: LayerCompression) -> ImageBuilder {
    let long = format!("srv/{}/file", "long/".repeat(40));
    ImageBuilder::new()
        .compression(compression)
        .layer(
            Layer::new()
                .folder("etc")
                .file("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n")
                .file_with_mode("usr/bin/sudo", 0o4755, "program")
                .symlink("bin", "usr/bin")
                .hardlink("usr/bin/also-sudo", "usr/bin/sudo")
                .file(&long, "deep"),
        )
        .layer(Layer::new().whiteout("etc/os-release").opaque_folder("usr/bin/"))
        .architecture("arm64")
        .user("nobody")
        .port("8080/tcp")
        .environment("A", "1")
        .environment("B", "2")
        .label("maintainer", "me")
        .entrypoint(&["/bin/sh"])
        .command(&["-c", "true"])
        .healthcheck(&["CMD", "true"])
        .history("ENV A=1", true)
}

fn skopeo(arguments: &[&str]) -> String {
    let output = run(&require_program("skopeo").unwrap(), b"", |command| {
        command.arg("--insecure-policy").args(arguments);
    });
    output.unwrap().success().unwrap()
}

#[test]
fn the_same_description_gives_the_same_bytes() {
    for compression in [LayerCompression::None, LayerCompression::Gzip, LayerCompression::Zstd] {
        let archive = || example(compression).build().oci_archive("x");
        assert_eq!(digest_of(&archive()), digest_of(&archive()));
    }
}

#[test]
fn a_layer_holds_what_was_described() {
    let image = example(LayerCompression::None).build();
    let mut archive = tar::Archive::new(image.layers()[0].bytes.as_slice());
    let entries: Vec<(String, u32, u64, Option<String>)> = archive
        .entries()
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let link = entry.link_name().unwrap().map(|link| link.display().to_string());
            let path = entry.path().unwrap().display().to_string();
            (path, entry.header().mode().unwrap(), entry.size(), link)
        })
        .collect();
    let expected = [
        ("etc/".to_owned(), 0o755, 0, None),
        ("etc/os-release".to_owned(), 0o644, 26, None),
        ("usr/bin/sudo".to_owned(), 0o4755, 7, None),
        ("bin".to_owned(), 0o777, 0, Some("usr/bin".to_owned())),
        ("usr/bin/also-sudo".to_owned(), 0o644, 0, Some("usr/bin/sudo".to_owned())),
        (format!("srv/{}/file", "long/".repeat(40)), 0o644, 4, None),
    ];
    assert_eq!(entries, expected);

    let mut whiteouts = tar::Archive::new(image.layers()[1].bytes.as_slice());
    let names =
        whiteouts.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().display().to_string());
    assert_eq!(names.collect::<Vec<_>>(), ["etc/.wh.os-release", "usr/bin/.wh..wh..opq"]);
}

#[test]
fn whiteouts_at_the_root_have_no_folder() {
    assert_eq!(Layer::new().whiteout("x").to_tar(), Layer::new().file(".wh.x", "").to_tar());
}

#[test]
fn hostile_names_and_sizes_are_written_as_given() {
    let tar =
        Layer::new().file("../../etc/passwd", "x").file_with_claimed_size("big", 1 << 40, b"y").to_tar();
    assert!(tar.starts_with(b"../../etc/passwd\0"));
    let header = tar::Header::from_byte_slice(&tar[1024..1536]);
    assert_eq!(header.size().unwrap(), 1 << 40);
}

#[test]
fn another_program_reads_every_form() {
    let scratch = Scratch::new("image").unwrap();
    let path = |name: &str| scratch.path().join(name);
    for compression in [LayerCompression::None, LayerCompression::Gzip, LayerCompression::Zstd] {
        let image = example(compression).build();
        let (archive, layout, docker) = (path("oci.tar"), path("layout"), path("docker.tar"));
        fs_err::write(&archive, image.oci_archive("v1")).unwrap();
        fs_err::write(&docker, image.docker_archive("example.org/x:v1").unwrap()).unwrap();
        image.write_oci_layout(&layout, "v1").unwrap();

        let archive = format!("oci-archive:{}:v1", archive.display());
        let layout_reference = format!("oci:{}:v1", layout.display());
        let docker = format!("docker-archive:{}", docker.display());
        for source in [&archive, &layout_reference, &docker] {
            let inspected: Value = serde_json::from_str(&skopeo(&["inspect", "--config", source])).unwrap();
            assert_eq!(inspected["architecture"], "arm64", "{source}");
            assert_eq!(inspected["config"]["User"], "nobody");
            assert_eq!(inspected["config"]["Env"], json!(["A=1", "B=2"]));
            assert_eq!(inspected["history"].as_array().unwrap().len(), 3);
        }
        let copy = format!("dir:{}", path("copy").display());
        skopeo(&["copy", "--preserve-digests", &archive, &copy]);
        let manifest = fs_err::read(path("copy/manifest.json")).unwrap();
        assert_eq!(digest_of(&manifest), *image.digest());
        fs_err::remove_dir_all(&layout).unwrap();
    }
}

#[test]
fn an_index_offers_each_platform() {
    let images =
        ["amd64", "arm64"].map(|architecture| ImageBuilder::new().architecture(architecture).build());
    let index = Image::index(&images);
    let document: Value = serde_json::from_slice(&index.blobs()[index.digest()]).unwrap();
    assert_eq!(document["manifests"][1]["platform"], json!({ "os": "linux", "architecture": "arm64" }));
    assert_eq!(document["manifests"][1]["digest"], images[1].digest().to_string());
    assert!(index.docker_archive("x").is_err());
    assert_eq!((index.layers().len(), index.config_digest()), (0, None));
}

#[test]
fn lies_are_told_on_request() {
    let wrong = digest_of(b"something else");
    let text = wrong.to_string();
    let image = ImageBuilder::new()
        .layer(Layer::new().file("a", "b"))
        .edit_config(move |config| config["rootfs"]["diff_ids"][0] = json!(text))
        .edit_manifest(|manifest| manifest["mediaType"] = json!("application/x-unknown"))
        .build();
    let config: Value = serde_json::from_slice(&image.blobs()[image.config_digest().unwrap()]).unwrap();
    assert_eq!(config["rootfs"]["diff_ids"][0], wrong.to_string());
    let manifest: Value = serde_json::from_slice(&image.blobs()[image.digest()]).unwrap();
    assert_eq!(manifest["mediaType"], "application/x-unknown");

    let layer = image.layers()[0].digest.clone();
    let damaged = image.with_blob(&layer, b"damage");
    assert_eq!(damaged.blobs()[&layer], b"damage");
}

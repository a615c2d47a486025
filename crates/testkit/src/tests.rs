//! Tests that use several parts together: images in registries.

use std::process::Command;

use crate::*;

fn image() -> Image {
    ImageBuilder::new().layer(Layer::new().file("etc/hostname", "test\n")).build()
}

/// What curl's exit code and status say of the registry's root.
fn status(registry: &Registry, credentials: Option<&str>) -> String {
    let mut command = Command::new(require_program("curl").unwrap());
    command.args(["--silent", "--output", "/dev/null", "--write-out", "%{http_code}"]);
    if let Some(credentials) = credentials {
        command.args(["--user", credentials]);
    }
    let output = command.arg(format!("http://{}/v2/", registry.host())).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn an_open_registry_keeps_digests_and_survives_a_stop() {
    let mut registry = Registry::start(RegistryMode::Open).unwrap();
    let scratch = Scratch::new("archive").unwrap();
    let archive = scratch.path().join("image.tar");
    fs_err::write(&archive, image().oci_archive("v1")).unwrap();
    registry.push(&archive, "team/app:1").unwrap();
    assert_eq!(registry.find_digest("team/app:1").unwrap(), *image().digest());
    assert_eq!(registry.reference("team/app:1"), format!("{}/team/app:1", registry.host()));

    let host = registry.host();
    registry.stop();
    assert!(registry.find_digest("team/app:1").unwrap_err().to_string().contains("refused"));
    registry.resume().unwrap();
    assert_eq!(registry.host(), host);
    assert_eq!(registry.find_digest("team/app:1").unwrap(), *image().digest());
    assert!(registry.resume().is_err(), "it is running");
    assert!(registry.log().unwrap().contains("/v2/team/app/manifests/1"));
}

#[test]
fn a_private_registry_wants_its_password() {
    let mode = RegistryMode::Htpasswd { user: "alice".into(), password: "päss word".into() };
    let registry = Registry::start(mode).unwrap();
    registry.push_image(&image(), "private:latest").unwrap();
    assert_eq!(registry.find_digest("private:latest").unwrap(), *image().digest());
    let cases = [(None, "401"), (Some("alice:wrong"), "401"), (Some("alice:päss word"), "200")];
    for (credentials, expected) in cases {
        assert_eq!(status(&registry, credentials), expected, "{credentials:?}");
    }
    let long = "x".repeat(73);
    assert!(Registry::start(RegistryMode::Htpasswd { user: "a".into(), password: long }).is_err());
}

#[test]
fn a_registry_with_tls_takes_an_index() {
    let registry = Registry::start(RegistryMode::Tls).unwrap();
    let index = Image::index(&["amd64", "arm64"].map(|name| ImageBuilder::new().architecture(name).build()));
    registry.push_image(&index, "multi:1").unwrap();
    assert_eq!(registry.find_digest("multi:1").unwrap(), *index.digest());

    let certificate = registry.certificate().unwrap();
    let output = run(&require_program("curl").unwrap(), b"", |command| {
        command.args(["--silent", "--show-error", "--fail", "--cacert"]).arg(certificate);
        command.arg(format!("https://{}/v2/", registry.host()));
    });
    output.unwrap().success().unwrap();
    assert_ne!(status(&registry, None), "200", "plain HTTP is not served");
}

#[test]
fn a_stored_blob_can_be_damaged() {
    let registry = Registry::start(RegistryMode::Open).unwrap();
    let image = image();
    registry.push_image(&image, "app:1").unwrap();
    let layer = &image.layers()[0];
    assert_eq!(fs_err::read(registry.blob_file(&layer.digest)).unwrap(), layer.bytes);
}

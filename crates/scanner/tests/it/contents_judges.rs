//! What files say, judged by other programs: archives of GNU tar, and what umoci unpacks.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use model::{FileEntry, FileKind};
use scanner::{ContentSettings, ImageSource, ScanOptions, load};
use sha2::{Digest as _, Sha256};
use testkit::{ImageBuilder, Layer};

use crate::contents::{PASSWORDS, contents_of, sha256};

#[tokio::test]
async fn a_file_with_holes_is_read_with_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = std::fs::File::create(folder.path().join("holes")).unwrap();
    file.set_len(1 << 15).unwrap();
    std::fs::write(folder.path().join("plain"), "plain").unwrap();
    for format in ["gnu", "pax"] {
        let archive = folder.path().join(format);
        let done = std::process::Command::new("tar")
            .args(["--sparse", &format!("--format={format}"), "-cf"])
            .arg(&archive)
            .arg("-C")
            .arg(folder.path())
            .args(["holes", "plain"])
            .status()
            .unwrap();
        assert!(done.success());
        // The two empty blocks at its end are added again.
        let layer = Layer::new().raw(&fs_err::read(&archive).unwrap());
        let mut settings = ContentSettings::default();
        settings.retrieved_paths.push("/holes".to_owned());
        let contents = contents_of(vec![layer], settings).await;
        let holes = contents.find_file("/holes").unwrap();
        assert_eq!((holes.size_bytes, holes.sha256), (1 << 15, sha256(&[0; 1 << 15])), "{format}");
        assert_eq!(contents.find_file("/plain").unwrap().sha256, sha256(b"plain"), "{format}");
        let kept: Vec<_> = contents.retrieved.iter().map(|kept| kept.path.as_str()).collect();
        assert_eq!(kept, ["/holes"], "{format}");
        assert!(contents.diagnostics.is_empty(), "{format}: {:?}", contents.diagnostics);
    }
}

/// The attributes of everything beneath a folder, as the file system has them.
fn walk(root: &Path, folder: &Path, found: &mut Vec<FileEntry>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let facts = std::fs::symlink_metadata(&path).unwrap();
        let kind = match facts.file_type() {
            kind if kind.is_file() => FileKind::File,
            kind if kind.is_dir() => FileKind::Directory,
            kind if kind.is_symlink() => FileKind::SymbolicLink,
            _ => FileKind::Other,
        };
        if kind == FileKind::Directory {
            walk(root, &path, found);
        }
        let is_file = kind == FileKind::File;
        let target = std::fs::read_link(&path).ok().map(|target| target.display().to_string());
        found.push(FileEntry {
            path: format!("/{}", path.strip_prefix(root).unwrap().display()),
            kind,
            permissions: facts.mode() & 0o7777,
            user_id: facts.uid().into(),
            group_id: facts.gid().into(),
            size_bytes: if is_file { facts.len() } else { 0 },
            sha256: is_file.then(|| Sha256::digest(fs_err::read(&path).unwrap()).into()),
            link_target: target,
        });
    }
}

#[tokio::test]
async fn umoci_unpacks_the_same_files() {
    let program = testkit::require_program("umoci").unwrap();
    let lower = Layer::new()
        .folder_with_mode("tmp", 0o1777)
        .folder("usr")
        .folder("usr/bin")
        .file_with_mode("usr/bin/su", 0o6755, "su")
        .hardlink("usr/bin/runuser", "usr/bin/su")
        .symlink("bin", "usr/bin")
        .folder("etc")
        .file("etc/passwd", PASSWORDS)
        .file("etc/old", "old")
        .folder("var")
        .file("var/a", "a")
        .file("var/b", "b");
    let upper = Layer::new()
        .whiteout("etc/old")
        .file("bin/tool", "tool")
        .file_with_mode("usr/bin/su", 0o755, "new")
        .opaque_folder("var")
        .file("var/c", "c")
        .hardlink("etc/shadow", "etc/passwd");
    let top = Layer::new().folder_with_mode("usr/bin", 0o700).symlink("tmp", "var");
    let folder = tempfile::tempdir().unwrap();
    let layers = [lower, upper, top];
    let image = layers.iter().cloned().fold(ImageBuilder::new(), ImageBuilder::layer).build();
    image.write_oci_layout(&folder.path().join("layout"), "1").unwrap();
    let done = std::process::Command::new(program)
        .args(["raw", "unpack", "--image", "layout:1", "root"])
        .current_dir(folder.path())
        .status()
        .unwrap();
    assert!(done.success());
    let mut expected = Vec::new();
    walk(&folder.path().join("root"), &folder.path().join("root"), &mut expected);
    expected.sort();
    let contents = contents_of(layers.to_vec(), ContentSettings::attributes_only()).await;
    assert_eq!(contents.files, expected);
}

#[tokio::test]
async fn packages_belong_to_the_layer_that_umoci_made_for_them() {
    let program = testkit::require_program("umoci").unwrap();
    let paragraph = |name: &str| {
        format!("Package: {name}\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n\n")
    };
    let lower = Layer::new()
        .file("etc/os-release", "ID=debian\nVERSION_ID=12\n")
        .file("var/lib/dpkg/status", paragraph("base"));
    let folder = tempfile::tempdir().unwrap();
    let layout = folder.path().join("layout");
    ImageBuilder::new().layer(lower).build().write_oci_layout(&layout, "1").unwrap();
    let umoci = |arguments: &[&str]| {
        let mut command = std::process::Command::new(&program);
        assert!(
            command.args(arguments).current_dir(folder.path()).status().unwrap().success(),
            "{arguments:?}"
        );
    };
    umoci(&["unpack", "--rootless", "--image", "layout:1", "bundle"]);
    let status = folder.path().join("bundle/rootfs/var/lib/dpkg/status");
    std::fs::write(status, paragraph("base") + &paragraph("tool")).unwrap();
    umoci(&["repack", "--image", "layout:2", "bundle"]);
    let source = ImageSource::parse(&format!("oci-layout:{}:2", layout.display())).unwrap();
    let scanned = load(&source, &ScanOptions::default()).await.unwrap();
    let layers: Vec<_> = scanned.facts.layers.iter().map(|layer| Some(&layer.diff_id)).collect();
    let found: Vec<_> = scanned
        .inventory
        .packages
        .iter()
        .map(|package| (package.name.as_str(), package.locations[0].layer.as_ref()))
        .collect();
    assert_eq!(found, [("base", layers[0]), ("tool", layers[1])]);
}

//! Images whose layers have tables of contents, made by the real tools, and a registry that answers ranges.

use model::Digest;
use serde_json::{Value, json};
use testkit::GoTool;

use super::image::{OCI_MANIFEST, OS_RELEASE, STATUS, TestImage, describe, digest};
use super::server::{Asked, Reply, Server};

const OCI_TAR: &str = "application/vnd.oci.image.layer.v1.tar";

/// Bytes that nothing makes smaller, always the same.
pub(crate) fn noise(seed: u32, count: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9) | 1;
    (0..count)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state.to_le_bytes()[1]
        })
        .collect()
}

/// An archive with members of all kinds.
#[derive(Default)]
pub(crate) struct Archive(Option<tar::Builder<Vec<u8>>>);

impl Archive {
    pub(crate) fn add(
        mut self,
        kind: tar::EntryType,
        path: &str,
        link: &str,
        mode: u32,
        body: &[u8],
    ) -> Self {
        let builder = self.0.get_or_insert_with(|| tar::Builder::new(Vec::new()));
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(body.len() as u64);
        match link {
            "" => builder.append_data(&mut header, path, body).unwrap(),
            _ => builder.append_link(&mut header, path, link).unwrap(),
        }
        self
    }

    pub(crate) fn file(self, path: &str, body: impl AsRef<[u8]>) -> Self {
        self.add(tar::EntryType::Regular, path, "", 0o644, body.as_ref())
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0.unwrap().into_inner().unwrap()
    }
}

/// Two layers: a Debian with much that nobody looks into, and an app that changes it.
pub(crate) fn archives() -> Vec<Vec<u8>> {
    use tar::EntryType::{Char, Directory, Link, Regular, Symlink};
    let manifest = json!({"name": "left-pad", "version": "1.3.0"}).to_string();
    let program = [&b"\x7fELF\x02\x01\x01"[..], &noise(3, 90_000)].concat();
    let base = Archive::default()
        .add(Directory, "etc/", "", 0o755, b"")
        .file("usr/share/doc/first.png", noise(1, 400_000))
        .file("etc/os-release", OS_RELEASE)
        .file("data/packages/status", STATUS)
        .add(Symlink, "var/lib/dpkg", "/data/packages", 0o777, b"")
        .file("usr/share/doc/second.png", [noise(2, 300_000), vec![0; 900_000]].concat())
        .add(Regular, "usr/bin/program", "", 0o755, &program)
        .add(Link, "usr/bin/same-program", "usr/bin/program", 0o755, b"")
        .file("srv/empty", b"")
        .file("srv/old/node_modules/left-pad/package.json", &manifest)
        .file("srv/gone/node_modules/left-pad/package.json", &manifest);
    let app = Archive::default()
        .file("srv/.wh.gone", b"")
        .file("srv/old/.wh..wh..opq", b"")
        .add(Char, "dev/thing", "", 0o600, b"")
        .file("srv/texts/long.html", noise(4, 500_000))
        .file("srv/app/node_modules/left-pad/package.json", manifest.replace("1.3.0", "0.0.1"))
        // The same name again: the later one counts.
        .file("srv/app/node_modules/left-pad/package.json", manifest.replace("1.3.0", "1.0.0"));
    [base, app].map(Archive::finish).into()
}

fn image(diff_ids: &[Value], layers: Vec<(Value, Vec<u8>)>) -> TestImage {
    let config = json!({
        "os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": diff_ids}, "config": {},
    });
    let (descriptors, layers): (Vec<Value>, Vec<Vec<u8>>) = layers.into_iter().unzip();
    let mut image = TestImage::from_parts(config.to_string().into_bytes(), layers);
    image.manifest = json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST,
        "config": describe("application/vnd.oci.image.config.v1+json", &image.config), "layers": descriptors,
    })
    .to_string()
    .into_bytes();
    image
}

/// The archives as they are: whoever pushes them chooses how they are compressed.
pub(crate) fn plain(tars: &[Vec<u8>]) -> TestImage {
    let diff_ids: Vec<Value> = tars.iter().map(|tar| json!(digest(tar).to_string())).collect();
    image(&diff_ids, tars.iter().map(|tar| (describe(OCI_TAR, tar), tar.clone())).collect())
}

/// The archives as eStargz, by the real library; `arguments` are those of the tool.
pub(crate) fn estargz(tars: &[Vec<u8>], arguments: &[&str]) -> TestImage {
    let program = GoTool::ESTARGZ.find().unwrap();
    let (mut diff_ids, mut layers) = (Vec::new(), Vec::new());
    for tar in tars {
        let mut child = std::process::Command::new(&program)
            .args(arguments)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        let tar = tar.clone();
        let writing = std::thread::spawn(move || std::io::Write::write_all(&mut input, &tar));
        let output = child.wait_with_output().unwrap();
        writing.join().unwrap().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{told}");
        let (toc, diff_id) = told.trim().split_once(' ').unwrap();
        let mut whole = Vec::new();
        let mut decoder = flate2::read::MultiGzDecoder::new(output.stdout.as_slice());
        std::io::copy(&mut decoder, &mut whole).unwrap();
        assert_eq!(digest(&whole).to_string(), diff_id);
        let mut descriptor = describe(super::image::OCI_GZIP, &output.stdout);
        descriptor["annotations"] = json!({"containerd.io/snapshot/stargz/toc.digest": toc});
        diff_ids.push(json!(diff_id));
        layers.push((descriptor, output.stdout));
    }
    image(&diff_ids, layers)
}

/// One image with the layers of several.
pub(crate) fn join(images: Vec<TestImage>) -> TestImage {
    let read = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();
    let (mut diff_ids, mut layers) = (Vec::new(), Vec::new());
    for image in images {
        let descriptors = read(&image.manifest)["layers"].as_array().unwrap().clone();
        layers.extend(descriptors.into_iter().zip(image.layers));
        diff_ids.extend(read(&image.config)["rootfs"]["diff_ids"].as_array().unwrap().clone());
    }
    image(&diff_ids, layers)
}

/// A registry with one image that answers ranges as real ones do; `change` may replace any answer.
pub(crate) async fn ranged_server(
    image: &TestImage,
    change: impl Fn(&Asked, &Reply) -> Option<Reply> + Send + Sync + 'static,
) -> Server {
    let layers: Vec<(Digest, Vec<u8>)> =
        image.layers.iter().map(|layer| (digest(layer), layer.clone())).collect();
    Server::with_image(image, move |asked, _| {
        let (_, blob) = layers.iter().find(|(digest, _)| asked.target.ends_with(&digest.to_string()))?;
        let range = asked.header("range").and_then(|text| text.strip_prefix("bytes="));
        let reply = match range.and_then(|text| text.split_once('-')) {
            None => Reply::new(200, blob.clone()),
            Some((start, end)) => {
                let start: usize = start.parse().unwrap();
                let end = end.parse().map_or(blob.len(), |end: usize| end + 1);
                let stated = format!("bytes {start}-{}/{}", end - 1, blob.len());
                Reply::new(206, &blob[start..end]).header("Content-Range", stated)
            }
        };
        Some(change(asked, &reply).unwrap_or(reply))
    })
    .await
}

//! Other scanners, where they are installed: the same images, package lists only, nothing from the network.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use testkit::Scratch;

use super::images::BenchImage;
use super::{memory, rescan};
use crate::progress::{print, say};

/// Files that trivy looks up in a database of its own, which it would have to download; it stops where there is one of them.
const JAVA_ARCHIVES: [&str; 4] = ["**/*.jar", "**/*.war", "**/*.ear", "**/*.par"];

/// Another scanner.
struct Other {
    name: &'static str,
    /// Whether it takes a folder with the image's layout; the others read the archive that we read.
    reads_folders: bool,
    /// How it lists packages: of the archive or folder, with what it keeps between runs in another folder.
    arguments: fn(image: &str, kept: &str) -> Vec<String>,
    /// What it leaves out that we read.
    remark: &'static str,
}

const OTHERS: [Other; 3] = [
    Other {
        name: "syft",
        reads_folders: false,
        arguments: |image, _| words(&["scan", &format!("oci-archive:{image}"), "-q", "-o", "json"]),
        remark: "",
    },
    Other {
        name: "grype",
        reads_folders: false,
        arguments: |image, _| words(&[&format!("oci-archive:{image}"), "-q", "-o", "json"]),
        remark: "",
    },
    Other {
        name: "trivy",
        reads_folders: true,
        arguments: |image, kept| {
            let mut arguments =
                words(&["image", "-q", "--cache-dir", kept, "--input", image, "--format", "cyclonedx"]);
            arguments.extend(words(&["--offline-scan", "--skip-db-update", "--skip-java-db-update"]));
            arguments.extend(JAVA_ARCHIVES.iter().flat_map(|path| words(&["--skip-files", path])));
            arguments
        },
        remark: "; it reads no jars: it knows them by a database that is not there",
    },
];

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Runs those that are there.
pub(super) fn measure(images: &[BenchImage]) -> Result<()> {
    for other in &OTHERS {
        let Some(program) = testkit::find_program(other.name) else {
            say(&format!("{} is not installed: no comparison with it", other.name));
            continue;
        };
        for image in images {
            compare(other, &program, image)?;
        }
    }
    Ok(())
}

fn compare(other: &Other, program: &Path, image: &BenchImage) -> Result<()> {
    let scratch = Scratch::new("bench-other")?;
    let subject = if other.reads_folders {
        unpack(&image.archive, &scratch.path().join("layout"))?
    } else {
        image.archive.clone()
    };
    // Nothing of an earlier run is found again, neither by it nor by us.
    let kept = scratch.path().join("kept");
    let arguments = (other.arguments)(&subject.display().to_string(), &kept.display().to_string());
    let theirs = memory::run(Command::new(program).args(arguments))?;
    let ours = memory::run(&mut rescan::sbom(image))?;
    print(&format!(
        "{}: {} {}; lazaret {}; {:.1} times as fast{}",
        image.name,
        other.name,
        theirs.text(),
        ours.text(),
        theirs.time.as_secs_f64() / ours.time.as_secs_f64(),
        other.remark
    ));
    Ok(())
}

fn unpack(archive: &Path, folder: &Path) -> Result<PathBuf> {
    let file = fs_err::File::open(archive)?;
    let unpacked = tar::Archive::new(file).unpack(folder);
    unpacked.with_context(|| format!("failed to unpack `{}`", archive.display()))?;
    Ok(folder.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run of trivy without these ends with an error, or downloads.
    #[test]
    fn trivy_needs_nothing_from_outside() {
        let trivy = OTHERS.iter().find(|other| other.name == "trivy").unwrap();
        let line = (trivy.arguments)("/layout", "/kept").join(" ");
        for option in ["--offline-scan", "--skip-db-update", "--skip-java-db-update", "--skip-files **/*.jar"]
        {
            assert!(line.contains(option), "{option} is not in: {line}");
        }
        assert!(!line.contains("--scanners"), "vulnerabilities need a database: {line}");
        assert!(trivy.reads_folders && trivy.remark.contains("no jars"));
    }

    #[test]
    fn archives_are_unpacked_for_those_who_read_folders() {
        let scratch = Scratch::new("bench-unpack").unwrap();
        let archive = scratch.path().join("image.tar");
        let mut builder = tar::Builder::new(fs_err::File::create(&archive).unwrap());
        let mut header = tar::Header::new_ustar();
        header.set_size(2);
        builder.append_data(&mut header, "index.json", &b"{}"[..]).unwrap();
        builder.into_inner().unwrap();
        let folder = unpack(&archive, &scratch.path().join("layout")).unwrap();
        assert_eq!(fs_err::read_to_string(folder.join("index.json")).unwrap(), "{}");
    }
}

//! Other scanners, where they are installed: the same archives, package lists only, nothing from the network.

use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::Result;

use super::images::BenchImage;
use super::rescan;
use crate::progress::{print, say};

type Arguments = fn(&str) -> Vec<String>;

/// How each lists the packages of an OCI archive.
const SCANNERS: [(&str, Arguments); 3] = [
    ("syft", |archive| {
        vec!["scan".into(), format!("oci-archive:{archive}"), "-q".into(), "-o".into(), "json".into()]
    }),
    ("grype", |archive| vec![format!("oci-archive:{archive}"), "-q".into(), "-o".into(), "json".into()]),
    ("trivy", |archive| {
        let words =
            ["image", "-q", "--scanners", "vuln", "--list-all-pkgs", "--skip-db-update", "--format", "json"];
        let words = words.into_iter().map(str::to_owned);
        words.chain(["--input".to_owned(), archive.to_owned()]).collect()
    }),
];

/// Runs those that are there.
pub(super) fn measure(images: &[BenchImage]) -> Result<()> {
    for (name, arguments) in SCANNERS {
        let Some(program) = testkit::find_program(name) else {
            say(&format!("{name} is not installed: no comparison with it"));
            continue;
        };
        for image in images {
            let ours = rescan::time_of_sbom(image)?;
            let began = Instant::now();
            let mut command = Command::new(&program);
            command.args(arguments(&image.archive.display().to_string()));
            let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status()?;
            let theirs = began.elapsed();
            print(&format!(
                "{}: {name} {:.2} s ({status}), lazaret {:.2} s, {:.1} times as fast",
                image.name,
                theirs.as_secs_f64(),
                ours.as_secs_f64(),
                theirs.as_secs_f64() / ours.as_secs_f64()
            ));
        }
    }
    Ok(())
}

//! Inventories of random texts, the same in every run, through every form.

use model::{
    Diagnostic, DiagnosticCode, Digest, Distro, Inventory, JavaVersions, Location, OwnedFile, Package,
    PackageKind, SourcePackage,
};

use super::LOSSLESS;
use crate::{Sbom, SbomLimits, read_sbom};

/// Pieces of texts, among them all that a format could stumble over.
const PIECES: [&str; 30] = [
    "lib",
    "a",
    "1.2.3",
    "-",
    ":",
    "@",
    "/",
    "%41",
    "%",
    "=",
    "&amp;",
    "<",
    "]]>",
    "</text>",
    "<text>",
    "\"",
    "'",
    "\\",
    " ",
    "\n",
    "\t",
    "\r\n",
    "\u{0}",
    "\u{85}",
    "\u{202e}",
    "\u{feff}",
    "\u{ffff}",
    "é",
    "🦀",
    "SPDXVersion: x",
];

/// Numbers that follow from one another: a generator of Marsaglia.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % below as u64).expect("it is below a usize")
    }

    fn is(&mut self) -> bool {
        self.next(2) == 0
    }

    fn text(&mut self) -> String {
        (0..=self.next(4)).map(|_| PIECES[self.next(PIECES.len())]).collect()
    }

    fn maybe(&mut self) -> Option<String> {
        self.is().then(|| self.text())
    }

    fn list(&mut self) -> Vec<String> {
        (0..self.next(4)).map(|_| self.text()).collect()
    }

    fn digest(&mut self) -> Digest {
        Digest::from_sha256(&[u8::try_from(self.next(200)).expect("it is below 200"); 32])
    }

    fn files(&mut self) -> Vec<OwnedFile> {
        let file = |numbers: &mut Self| OwnedFile {
            path: if numbers.is() { numbers.text() } else { "/usr/bin/a".to_owned() },
            checksum: match numbers.next(4) {
                0 => None,
                1 => Some(format!("sha1:{}", numbers.digest().hex())),
                2 => Some(format!("md5:{}", "0f".repeat(16))),
                _ => numbers.maybe(),
            },
            permissions: [None, Some(0), Some(0o755), Some(u32::MAX)][numbers.next(4)],
            size_bytes: [None, Some(0), Some(1 << 40)][numbers.next(3)],
            is_configuration: numbers.is(),
            is_content_changed: [None, Some(true), Some(false)][numbers.next(3)],
        };
        let mut files: Vec<OwnedFile> = (0..self.next(4)).map(|_| file(self)).collect();
        files.sort();
        files
    }

    fn package(&mut self) -> Package {
        let kind = PackageKind::ALL[self.next(PackageKind::ALL.len())];
        let location = |numbers: &mut Self| Location {
            path: numbers.text(),
            layer: numbers.is().then(|| numbers.digest()),
        };
        Package {
            architecture: self.maybe(),
            source: self.is().then(|| SourcePackage { name: self.text(), version: self.text() }),
            purl: if self.is() { self.text() } else { format!("pkg:{}/a@1", kind.purl_type()) },
            licenses: self.list(),
            maintainer: self.maybe(),
            installed_size_bytes: self.is().then(|| self.next(1 << 40) as u64),
            locations: (0..self.next(4)).map(|_| location(self)).collect(),
            files: self.files(),
            java: self.is().then(|| JavaVersions {
                specification: self.maybe(),
                implementation: self.maybe(),
                maven: self.maybe(),
                sha1: self.maybe(),
            }),
            is_third_party: [None, Some(true), Some(false)][self.next(3)],
            owner: self.maybe(),
            modularity: self.maybe(),
            cpes: self.list(),
            ..Package::new(kind, self.text(), self.maybe())
        }
    }

    fn inventory(&mut self) -> Inventory {
        let diagnostic = |numbers: &mut Self| Diagnostic {
            code: [DiagnosticCode::BrokenRecord, DiagnosticCode::PackagesLeftOut][numbers.next(2)],
            subject: numbers.text(),
            offset: numbers.is().then(|| numbers.next(1 << 40) as u64),
            message: numbers.text(),
        };
        let mut inventory = Inventory {
            distro: self.is().then(|| Distro {
                id: self.text(),
                version_id: self.maybe(),
                version_codename: self.maybe(),
                id_like: self.list(),
                pretty_name: self.maybe(),
                channel: self.maybe(),
            }),
            packages: (0..self.next(5)).map(|_| self.package()).collect(),
            diagnostics: (0..self.next(4)).map(|_| diagnostic(self)).collect(),
            layers: (0..self.next(4)).map(|_| self.digest()).collect(),
        };
        super::super::sort(&mut inventory);
        inventory
    }
}

#[test]
fn any_inventory_reads_back_from_any_form() {
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    for _ in 0..100 {
        let (inventory, image_name) = (numbers.inventory(), numbers.text());
        for (format, write) in LOSSLESS {
            let written =
                write(&Sbom { image_name: &image_name, image: None, inventory: &inventory, bases: &[] });
            let (subject, read) = read_sbom(written.as_bytes(), &SbomLimits::default())
                .unwrap_or_else(|error| panic!("{format}: {error}\n{written}"));
            assert_eq!(read, inventory, "{format}\n{written}");
            assert_eq!(subject.name.as_deref(), Some(image_name.as_str()), "{format}\n{written}");
        }
    }
}

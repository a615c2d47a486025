//! Archives for tests, in all the forms that writers give them.

use std::io::Write;

use flate2::Compression;
use flate2::write::DeflateEncoder;

/// How an entry is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) is_deflated: bool,
    /// Lengths behind the entry: with a mark, and in the wide form.
    pub(super) descriptor: Option<(bool, bool)>,
    /// Lengths before the entry in the wide form.
    pub(super) is_zip64: bool,
}

pub(super) const STORED: Form = Form { is_deflated: false, descriptor: None, is_zip64: false };
pub(super) const DEFLATED: Form = Form { is_deflated: true, descriptor: None, is_zip64: false };
/// As `java.util.zip` and `jar` write.
pub(super) const STREAMED: Form =
    Form { is_deflated: true, descriptor: Some((true, false)), is_zip64: false };

pub(super) fn all_forms() -> Vec<Form> {
    let descriptors =
        [None, Some((true, false)), Some((false, false)), Some((true, true)), Some((false, true))];
    let mut forms = Vec::new();
    for is_deflated in [false, true] {
        forms.extend(descriptors.map(|descriptor| Form { is_deflated, descriptor, is_zip64: false }));
        forms.push(Form { is_deflated, descriptor: None, is_zip64: true });
    }
    forms
}

/// Where an entry is, its name and its method, for the directory.
pub(super) type Row = (usize, String, u16);

/// The bytes, and what the directory will list.
#[derive(Default)]
pub(super) struct Zip(pub(super) Vec<u8>, pub(super) Vec<Row>);

impl Zip {
    pub(super) fn add(mut self, form: Form, name: &str, content: &[u8]) -> Self {
        let body = match form.is_deflated {
            true => {
                let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(content).unwrap();
                encoder.finish().unwrap()
            }
            false => content.to_vec(),
        };
        let (small, plain) = (u32::try_from(body.len()).unwrap(), u32::try_from(content.len()).unwrap());
        let (in_header, extra) = match (form.descriptor, form.is_zip64) {
            (Some(_), _) => ((0, 0), Vec::new()),
            (None, false) => ((small, plain), Vec::new()),
            (None, true) => {
                let extra = [
                    &[9, 9, 1, 0, 7, 1, 0, 16, 0][..],
                    &u64::from(plain).to_le_bytes(),
                    &u64::from(small).to_le_bytes(),
                ];
                ((u32::MAX, u32::MAX), extra.concat())
            }
        };
        let flags: u16 = if form.descriptor.is_some() { 8 } else { 0 };
        let method: u16 = if form.is_deflated { 8 } else { 0 };
        self.1.push((self.0.len(), name.to_owned(), method));
        self.0.extend(b"PK\x03\x04\x14\0");
        self.0.extend(flags.to_le_bytes());
        self.0.extend(method.to_le_bytes());
        self.0.extend([0; 8]);
        self.0.extend(in_header.0.to_le_bytes());
        self.0.extend(in_header.1.to_le_bytes());
        self.0.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
        self.0.extend(u16::try_from(extra.len()).unwrap().to_le_bytes());
        self.0.extend(name.as_bytes());
        self.0.extend(extra);
        self.0.extend(&body);
        if let Some((is_marked, is_wide)) = form.descriptor {
            self.0.extend(if is_marked { &b"PK\x07\x08"[..] } else { b"" });
            self.0.extend([1, 2, 3, 4]);
            for length in [small, plain] {
                self.0.extend(length.to_le_bytes());
                self.0.extend(if is_wide { &[0; 4][..] } else { b"" });
            }
        }
        self
    }

    /// With its directory.
    pub(super) fn finish(mut self) -> Vec<u8> {
        for (offset, name, method) in self.1 {
            self.0.extend(b"PK\x01\x02\x14\0\x14\0\0\0");
            self.0.extend(method.to_le_bytes());
            self.0.extend([0; 16]);
            self.0.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
            self.0.extend([0; 12]);
            self.0.extend(u32::try_from(offset).unwrap().to_le_bytes());
            self.0.extend(name.as_bytes());
        }
        self.0.extend(b"PK\x05\x06");
        self.0.extend([0; 18]);
        self.0
    }
}

pub(super) fn properties(group: &str, artifact: &str, version: &str) -> Vec<u8> {
    format!("#Created\nversion={version}\ngroupId={group}\nartifactId={artifact}\n").into_bytes()
}

pub(super) fn properties_name(artifact: &str) -> String {
    format!("META-INF/maven/org.example/{artifact}/pom.properties")
}

/// An archive with Maven properties.
pub(super) fn jar(form: Form, artifact: &str, version: &str) -> Vec<u8> {
    Zip::default()
        .add(form, "META-INF/MANIFEST.MF", b"Manifest-Version: 1.0\r\n\r\n")
        .add(form, "org/example/A.class", &[0xca; 900])
        .add(form, &properties_name(artifact), &properties("org.example", artifact, version))
        .finish()
}

//! Files that describe one package: there are thousands of them in an image, and of each only a few values matter.

/// One kind of them.
#[derive(Debug)]
pub(crate) struct ManifestKind {
    /// The tag of its section.
    pub(crate) tag: u8,
    /// Whether the file at a path is one.
    pub(crate) is_manifest: fn(&str) -> bool,
    /// What is kept of its content; an error says in words why nothing is.
    pub(crate) reduce: fn(&[u8]) -> Result<Vec<u8>, String>,
}

/// First byte of a section that holds what was kept.
const KEPT: u8 = 0;
/// First byte of a section that holds why nothing was.
const BROKEN: u8 = 1;

/// Takes one manifest after the other.
#[derive(Debug)]
pub(crate) struct ManifestReader {
    bytes_max: usize,
    content: Vec<u8>,
    is_larger: bool,
}

impl ManifestReader {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, content: Vec::new(), is_larger: false }
    }

    pub(crate) fn start(&mut self) {
        self.content.clear();
        self.is_larger = false;
    }

    pub(crate) fn read(&mut self, bytes: &[u8]) {
        let room = self.bytes_max - self.content.len();
        self.is_larger |= bytes.len() > room;
        self.content.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// The section of the file that is over.
    pub(crate) fn end(&mut self, kind: &ManifestKind) -> Vec<u8> {
        let reduced = match self.is_larger {
            true => {
                let why = format!("file is larger than {} bytes: it was not read", self.bytes_max);
                return [&[LEFT_OUT], why.as_bytes()].concat();
            }
            false => (kind.reduce)(&self.content),
        };
        match reduced {
            Ok(kept) => kept_section(&kept),
            Err(why) => broken_section(&why),
        }
    }
}

/// First byte of a section that holds why a file was not read that whoever installed the package reads.
const LEFT_OUT: u8 = 2;

/// Why the file of this section was not read, when a limit is the reason.
pub(crate) fn left_out(section: &[u8]) -> Option<String> {
    section.strip_prefix(&[LEFT_OUT]).map(|why| String::from_utf8_lossy(why).into_owned())
}

/// Why nothing could be kept of the file of this section.
pub(crate) fn broken(section: &[u8]) -> Option<String> {
    section.strip_prefix(&[BROKEN]).map(|why| String::from_utf8_lossy(why).into_owned())
}

/// A section with what was kept of a file.
pub(crate) fn kept_section(kept: &[u8]) -> Vec<u8> {
    [&[KEPT], kept].concat()
}

/// A section with why nothing was kept of a file.
pub(crate) fn broken_section(why: &str) -> Vec<u8> {
    [&[BROKEN], why.as_bytes()].concat()
}

/// What was kept of a manifest, or why nothing was.
pub(crate) fn read_section(section: &[u8]) -> Result<&[u8], String> {
    match section.split_first() {
        Some((&KEPT, kept)) => Ok(kept),
        Some((_, why)) => Err(String::from_utf8_lossy(why).into_owned()),
        None => Err("nothing was kept of it".to_owned()),
    }
}

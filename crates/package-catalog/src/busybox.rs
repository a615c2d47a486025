//! BusyBox: images with nothing else in them are known by the version in its executable.

use memchr::memmem::Finder;

use crate::extract::{ContentSearch, SearchedFile, Sections, section_of};

/// The tag of its section: the version as text.
const TAG: u8 = 60;

const MARK: &[u8] = b"BusyBox v";
/// What the executable is called in archives: where all its commands are hard links, the first of them is the file.
const NAMES: [&str; 2] = ["busybox", "["];
/// Mark, version and what ends it.
const TEXT_BYTES_MAX: usize = 48;

/// The version in the extract of an executable.
pub(crate) fn version(extract: &[u8]) -> Option<String> {
    section_of(extract, TAG).map(|version| String::from_utf8_lossy(version).into_owned())
}

/// Looks for the version in files that are called like BusyBox.
#[derive(Debug)]
pub(crate) struct BusyBoxSearch {
    finder: Finder<'static>,
    /// The end of what was read, where the mark may have begun.
    tail: Vec<u8>,
    found: Option<Vec<u8>>,
}

impl BusyBoxSearch {
    pub(crate) fn new() -> Self {
        Self { finder: Finder::new(MARK), tail: Vec::new(), found: None }
    }

    /// The version in a piece; one that goes on behind the piece is not taken yet.
    fn find(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        self.finder.find_iter(bytes).find_map(|at| {
            let rest = &bytes[at + MARK.len()..];
            let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
            let end = rest.iter().position(|byte| !is_part(byte))?;
            let is_version = rest.first()?.is_ascii_digit() && end <= TEXT_BYTES_MAX - MARK.len();
            is_version.then(|| rest[..end].to_vec())
        })
    }
}

impl ContentSearch for BusyBoxSearch {
    fn is_for_executables(&self) -> bool {
        true
    }

    fn start(&mut self, file: &SearchedFile<'_>) -> bool {
        let is_name = |name: &&str| {
            file.path.strip_suffix(*name).is_some_and(|folder| folder == "bin/" || folder.ends_with("/bin/"))
        };
        let is_started = NAMES.iter().any(is_name) && file.is_executable();
        if is_started {
            self.tail.clear();
            self.found = None;
        }
        is_started
    }

    fn read(&mut self, bytes: &[u8]) {
        if self.found.is_some() {
            return;
        }
        self.tail.extend_from_slice(&bytes[..bytes.len().min(TEXT_BYTES_MAX)]);
        self.found = self.find(&self.tail).or_else(|| self.find(bytes));
        self.tail.extend_from_slice(
            bytes
                .get(TEXT_BYTES_MAX..)
                .map(|rest| &rest[rest.len().saturating_sub(TEXT_BYTES_MAX)..])
                .unwrap_or_default(),
        );
        self.tail.drain(..self.tail.len().saturating_sub(TEXT_BYTES_MAX));
    }

    fn end(&mut self, sections: &mut Sections) {
        if let Some(version) = &self.found {
            sections.add(TAG, version);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::search_file;
    use crate::tests::inventory;

    #[test]
    fn the_version_is_found_in_pieces_of_any_size() {
        let mut executable = b"\x7fELF".to_vec();
        executable.extend([0; 300]);
        executable.extend(b"BusyBox v%s\0x\0BusyBox v1.36.1 (2023-11-01)\0");
        executable.extend([0; 200]);
        for piece in [1, 3, 7, 40, 64, 200, 10_000] {
            let found = search_file(&mut BusyBoxSearch::new(), "bin/busybox", &executable, piece);
            assert_eq!(found, [(TAG, b"1.36.1".to_vec())], "{piece}");
        }
        assert_eq!(search_file(&mut BusyBoxSearch::new(), "bin/xbusybox", &executable, 64), []);
        let named = |files: &[(&str, &[u8])]| inventory(files).distro.map(|distro| distro.namespace());
        assert_eq!(named(&[("bin/busybox", &executable)]).as_deref(), Some("busybox:1.36.1"));
        let linked: [(&str, &[u8]); 2] = [("usr/bin/busybox", &executable), ("bin", b"-> usr/bin")];
        assert_eq!(named(&linked).as_deref(), Some("busybox:1.36.1"));
        let first: [(&str, &[u8]); 2] = [("bin/[", &executable), ("bin/busybox", b"=> bin/[")];
        assert_eq!(named(&first).as_deref(), Some("busybox:1.36.1"));
        let alpine: [(&str, &[u8]); 2] = [("bin/busybox", &executable), ("etc/alpine-release", b"3.18.4\n")];
        assert_eq!(named(&alpine).as_deref(), Some("alpine:3.18.4"));
    }
}

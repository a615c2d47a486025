//! What an installer has written about the files of a package: `RECORD`, and `installed-files.txt` of older ones.
//!
//! Such a list may have tens of thousands of lines, so it is reduced while it streams by, to what matters here: files in which other
//! packages may be found, and what stands at the top of them all.
//! Source: Recording installed projects, of the Python Packaging Authority (PEP 376, PEP 627).

use std::borrow::Cow;
use std::collections::BTreeSet;

use image_layers::ImageTree;
use model::{Package, PackageKind};

use super::ends_with;
use crate::conda::PLAIN_ENDINGS;
use crate::extract::{ContentSearch, SearchedFile, Sections, section_of};

const TAG: u8 = 43;
/// A list, the ending of its folder, and whether its paths begin in that folder itself.
const LISTS: [(&str, &str, bool); 2] =
    [("RECORD", ".dist-info/", false), ("installed-files.txt", ".egg-info/", true)];

/// Longer lines are passed.
const LINE_BYTES_MAX: usize = 4096;
/// Bytes of paths of one list that are kept; what is more is left out.
const KEPT_BYTES_MAX: usize = 512 * 1024;
/// So much of what stands at the top is enough.
const TOPS_MAX: usize = 16;
/// Lines of all lists of an image that are looked at for what they brought: a list can be linked to any number of places.
const LINES_SUM_MAX: usize = 2_000_000;

/// What begins a line of what is kept: something at the top, or a file in which a package may be found.
const TOP: u8 = b't';
const FILE: u8 = b'f';

/// Reads one list after the other.
#[derive(Debug, Default)]
pub(crate) struct RecordSearch {
    line: Vec<u8>,
    is_in_folder: bool,
    tops: BTreeSet<Vec<u8>>,
    kept: Vec<u8>,
}

/// Whether the paths of the list at a path begin in its own folder; `None` where there is no list.
fn list_at(path: &str) -> Option<bool> {
    LISTS.iter().find_map(|(name, folder_ending, is_in_folder)| {
        let folder = path.strip_suffix(name)?;
        ends_with(folder, folder_ending).then_some(*is_in_folder)
    })
}

impl ContentSearch for RecordSearch {
    fn start(&mut self, file: &SearchedFile<'_>) -> bool {
        let list = list_at(file.path);
        self.is_in_folder = list == Some(true);
        list.is_some()
    }

    fn read(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let room = (LINE_BYTES_MAX + 1).saturating_sub(self.line.len());
            self.line.extend_from_slice(&piece[..piece.len().min(room)]);
            if piece.ends_with(b"\n") {
                self.end_line();
            }
        }
    }

    fn end(&mut self, sections: &mut Sections) {
        self.end_line();
        for top in std::mem::take(&mut self.tops) {
            keep(&mut self.kept, TOP, &top);
        }
        let kept = std::mem::take(&mut self.kept);
        if !kept.is_empty() {
            sections.add(TAG, &kept);
        }
    }
}

fn keep(kept: &mut Vec<u8>, mark: u8, path: &[u8]) {
    kept.push(mark);
    kept.extend_from_slice(path);
    kept.push(b'\n');
}

impl RecordSearch {
    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        if line.len() <= LINE_BYTES_MAX {
            let path = if self.is_in_folder { Cow::Borrowed(line.trim_ascii()) } else { first_column(&line) };
            self.take(&path);
        }
        self.line = line;
        self.line.clear();
    }

    fn take(&mut self, path: &[u8]) {
        let path = match self.is_in_folder {
            true => path.strip_prefix(b"../".as_slice()).unwrap_or_default(),
            false => path,
        };
        let mut parts = path.splitn(2, |byte| *byte == b'/');
        let (top, is_folder) = (parts.next().unwrap_or_default(), parts.next().is_some());
        let is_named = |ending: &str| top.len() > ending.len() && top.ends_with(ending.as_bytes());
        // What describes the package itself is not brought by it.
        if path.is_empty() || path.contains(&0) || is_named(".dist-info") || is_named(".egg-info") {
            return;
        }
        let is_elsewhere = matches!(top, b"" | b"." | b".." | b"__pycache__");
        if !is_elsewhere
            && (is_folder || is_named(".py"))
            && self.tops.len() < TOPS_MAX
            && !self.tops.contains(top)
        {
            self.tops.insert(top.to_vec());
        }
        let is_plain = PLAIN_ENDINGS.iter().any(|ending| path.ends_with(ending.as_bytes()));
        if !is_plain && self.kept.len() + path.len() < KEPT_BYTES_MAX {
            keep(&mut self.kept, FILE, path);
        }
    }
}

/// The path in `path,digest,size`, which may stand in quotes.
fn first_column(line: &[u8]) -> Cow<'_, [u8]> {
    let line = line.trim_ascii();
    let Some(quoted) = line.strip_prefix(b"\"") else {
        return Cow::Borrowed(line.split(|byte| *byte == b',').next().unwrap_or_default());
    };
    let mut path = Vec::new();
    let mut bytes = quoted.iter().peekable();
    while let Some(byte) = bytes.next() {
        if *byte == b'"' && bytes.next_if_eq(&&b'"').is_none() {
            break;
        }
        path.push(*byte);
    }
    Cow::Owned(path)
}

/// The lines that were kept of the list beside a description, each with its mark, and the folder in which its paths begin.
fn list_beside<'a>(tree: &'a ImageTree, description: &str) -> Option<(String, Vec<(u8, &'a str)>)> {
    let (folder, _) = description.trim_start_matches('/').rsplit_once('/')?;
    let base = folder.rsplit_once('/').map_or("", |(base, _)| base);
    let extract = LISTS.iter().find_map(|(name, ..)| tree.entry(&format!("{folder}/{name}"))?.extract())?;
    let lines = section_of(extract, TAG)?.split(|byte| *byte == b'\n').filter_map(|line| {
        let (mark, path) = line.split_first()?;
        Some((*mark, str::from_utf8(path).ok()?))
    });
    Some((base.to_owned(), lines.collect()))
}

/// The path without `.` and `..`; `None` where it leaves the image.
fn plain_path(base: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    let start = if path.starts_with('/') { "" } else { base };
    for part in start.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(format!("/{}", parts.join("/")))
}

/// Whether there is a list beside a description, and nothing of what it lists is there.
pub(super) fn is_hollow(tree: &ImageTree, description: &str) -> bool {
    let Some((base, lines)) = list_beside(tree, description) else { return false };
    let is_there = |top: &str| {
        let path = if base.is_empty() { top.to_owned() } else { format!("{base}/{top}") };
        // Some images keep only what is compiled.
        tree.locate(&path).is_some() || (top.ends_with(".py") && tree.locate(&format!("{path}c")).is_some())
    };
    let mut tops = lines.iter().filter(|(mark, _)| *mark == TOP).map(|(_, top)| *top).peekable();
    tops.peek().is_some() && !tops.any(is_there)
}

/// Tells of each file that a Python package brought and in which a package may be found: its path, and who brought it.
pub(crate) fn visit_brought(tree: &ImageTree, packages: &[Package], visit: &mut dyn FnMut(&str, &str)) {
    let mut lines_left = LINES_SUM_MAX;
    for package in packages.iter().filter(|package| package.kind == PackageKind::PyPi) {
        for location in &package.locations {
            let Some((base, lines)) = list_beside(tree, &location.path) else { continue };
            let Some(left) = lines_left.checked_sub(lines.len()) else { return };
            lines_left = left;
            for (_, path) in lines.iter().filter(|(mark, _)| *mark == FILE) {
                if let Some(path) = plain_path(&base, path) {
                    visit(&path, &package.name);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::search_file;

    fn kept(path: &str, content: &str, piece: usize) -> String {
        let found = search_file(&mut RecordSearch::default(), path, content.as_bytes(), piece);
        found.into_iter().map(|(_, section)| String::from_utf8(section).unwrap()).collect()
    }

    #[test]
    fn lists_are_reduced_in_pieces_of_any_size() {
        let record = "../../../bin/tool,sha256=x,12\r\na/__init__.py,,\na/lib/x.so,sha256=y,1\n\
            \"a/b,\"\"c\"\".jar\",sha256=z,2\na-1.dist-info/METADATA,,\na-1.dist-info/RECORD,,\n__pycache__/six.pyc,,\nsix.py,,\n\n";
        let expected = "f../../../bin/tool\nfa/lib/x.so\nfa/b,\"c\".jar\nta\ntsix.py\n";
        for piece in [1, 7, 1000] {
            assert_eq!(kept("lib/a-1.dist-info/RECORD", record, piece), expected, "{piece}");
        }
        let installed = "../a/__init__.py\n../a/lib/x.so\nPKG-INFO\n../../../bin/tool\n";
        assert_eq!(
            kept("lib/a.egg-info/installed-files.txt", installed, 5),
            "fa/lib/x.so\nf../../bin/tool\nta\n"
        );
        for other in ["lib/RECORD", "lib/a/RECORD", "lib/a.dist-info/XRECORD", "a.egg-info/RECORD"] {
            assert_eq!(kept(other, record, 5), "", "{other}");
        }
    }

    #[test]
    fn large_lists_are_bounded() {
        let many: String = (0..40_000).map(|at| format!("a/{at}/library.so,,\n")).collect();
        let found = kept("a-1.dist-info/RECORD", &many, 4096);
        assert!(found.len() < KEPT_BYTES_MAX + 100 && found.ends_with("\nta\n"));
        let tops: String = (0..1000).map(|at| format!("a{at}/__init__.py,,\n")).collect();
        assert_eq!(kept("a-1.dist-info/RECORD", &tops, 4096).lines().count(), TOPS_MAX);
        let long = format!("a/{}.so,,\nb/x.so,,\n", "x".repeat(10 * LINE_BYTES_MAX));
        assert_eq!(kept("a-1.dist-info/RECORD", &long, 1000), "fb/x.so\ntb\n");
    }

    #[test]
    fn paths_stay_in_the_image() {
        for (base, path, expected) in [
            ("usr/lib/python3/site-packages", "a/x.so", Some("/usr/lib/python3/site-packages/a/x.so")),
            ("usr/lib/python3/site-packages", "../../../bin/x", Some("/usr/bin/x")),
            ("usr", "../../x", None),
            ("usr", "/opt/./x", Some("/opt/x")),
        ] {
            assert_eq!(plain_path(base, path).as_deref(), expected, "{path}");
        }
    }
}

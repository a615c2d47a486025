//! What an extractor keeps of files: found under every name, gone with the file, and counted.

use super::{Part, archive, file, hard_link};
use crate::{
    FileExtractor, FileStart, ImageLimits, ImageTree, Layer, LayerError, LayerInput, LayerReaders,
    ReadBudget, squash,
};

/// Keeps the length and the first byte of files below `bin`.
#[derive(Default)]
struct FirstByte(Vec<u8>, usize);

impl FileExtractor for FirstByte {
    fn start(&mut self, file: &FileStart<'_>) -> bool {
        self.0.clear();
        self.1 = usize::try_from(file.size_bytes).unwrap();
        file.path.starts_with("bin/")
    }

    fn read(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn end(&mut self) -> Option<Vec<u8>> {
        assert_eq!(self.0.len(), self.1, "the whole content, once");
        let first = *self.0.first()?;
        (first != b'-').then(|| vec![first])
    }
}

fn read(parts: &[Part], limits: &ImageLimits) -> Result<Layer, LayerError> {
    let archive = archive(parts);
    let mut reader = archive.as_slice();
    let input = LayerInput { digest: None, diff_id: None, compression: None, reader: &mut reader };
    let mut extractor = FirstByte::default();
    let readers = LayerReaders {
        is_wanted: &|path| path.ends_with("kept"),
        extractor: Some(&mut extractor),
        observer: None,
    };
    crate::read_layer_with(input, readers, limits, &ReadBudget::new())
}

fn extracts(tree: &ImageTree) -> Vec<(String, String)> {
    let found = |entry: crate::Entry<'_>| {
        Some((entry.path().to_owned(), String::from_utf8_lossy(entry.extract()?).into_owned()))
    };
    tree.entries().filter_map(found).collect()
}

#[test]
fn extracts_are_found_in_the_squashed_tree() {
    let limits = ImageLimits::default();
    let below = [
        file("bin/a", "abc"),
        file("bin/b", "bcd"),
        file("bin/none", "-"),
        file("bin/empty", ""),
        file("lib/c", "cde"),
        file("bin/kept", "kept too"),
        hard_link("sbin/a", "bin/a"),
    ];
    let above = [file("bin/b", "xyz"), hard_link("sbin/b", "bin/kept"), file("bin/.wh.a", "")];
    let tree = squash(vec![read(&below, &limits).unwrap(), read(&above, &limits).unwrap()]);
    let expected = [("bin/b", "x"), ("bin/kept", "k"), ("sbin/a", "a"), ("sbin/b", "k")];
    let found = extracts(&tree);
    assert_eq!(found.iter().map(|(path, text)| (&**path, &**text)).collect::<Vec<_>>(), expected);
    assert_eq!(tree.read("bin/kept"), Some(crate::Body::Kept(b"kept too")));
}

#[test]
fn extracts_count_against_what_is_kept() {
    let parts = [file("bin/a", "abc"), file("bin/b", "bcd")];
    assert!(read(&parts, &ImageLimits { kept_bytes_max: 2, ..ImageLimits::default() }).is_ok());
    let error = read(&parts, &ImageLimits { kept_bytes_max: 1, ..ImageLimits::default() }).unwrap_err();
    assert!(error.to_string().contains("bin/b"), "{error}");
}

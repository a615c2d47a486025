//! Files that only the name of a link makes descriptions of packages.
//!
//! What describes a package is known by its path, and while a layer streams by, only the path in its archive is known. Stores of
//! packages (pnpm's, uv's) have every file once, under a name that says nothing, and installations are links to these. Such files
//! are kept whole when the layer is read once more, and looked at under the name that they are seen by.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry::Vacant;

use image_layers::{
    Body, ContentId, Entry, EntryKind, FileExtractor as _, FileStart, ImageTree, MissingBody,
};

use crate::extract::{self, LayerExtractor};
use crate::parse::CatalogLimits;
use crate::walk;

/// Bytes of one such file that is kept: manifests are small, but it may be an archive of Java.
const FILE_BYTES_MAX: u64 = 32 << 20;
/// Bytes of all of them.
const SUM_BYTES_MAX: u64 = 64 << 20;
/// Bytes of what they are under all their names together.
const EXTRACTS_BYTES_MAX: usize = 64 << 20;

/// Files that are to be read again because of the names that links give them: databases, and descriptions of packages.
pub fn missing(tree: &ImageTree) -> Vec<MissingBody> {
    let mut missing = tree.missing(walk::wanted_paths(), &walk::is_wanted);
    missing.extend(tree.renamed(&is_sought, FILE_BYTES_MAX, SUM_BYTES_MAX));
    missing.sort();
    missing.dedup();
    missing
}

/// Whether a file is a description under the name that it is seen by, of a kind that it is not under the one in its archive.
pub(crate) fn is_sought(seen: &str, archived: &str) -> bool {
    let roles = extract::roles(seen);
    roles != 0 && roles & !extract::roles(archived) != 0
}

/// What a file is under another name than the one in its archive.
#[derive(Debug)]
pub(crate) enum Renamed {
    /// An extract, as if it had been there under this name.
    Extract(Vec<u8>),
    /// Nothing that is not known without this.
    Nothing,
    /// It was not kept, or not whole.
    NotRead,
}

/// All such files of an image, each once for all names of the same kind.
#[derive(Debug, Default)]
pub(crate) struct RenamedFiles {
    /// By content, and by what the names make of it.
    files: BTreeMap<(ContentId, u64), Renamed>,
}

impl RenamedFiles {
    /// Looks at each file that is something else under the name of a link than under its own.
    pub(crate) fn read(tree: &ImageTree, limits: &CatalogLimits) -> Self {
        Self::read_within(EXTRACTS_BYTES_MAX, tree, limits)
    }

    /// The same, with so much room for all extracts.
    fn read_within(mut left: usize, tree: &ImageTree, limits: &CatalogLimits) -> Self {
        let (mut files, mut extractor) = (BTreeMap::new(), None);
        for entry in tree.links() {
            let Some((file, roles)) = seen_file(tree, entry) else { continue };
            let Vacant(place) = files.entry((file.content_id(), roles)) else { continue };
            let extractor = extractor.get_or_insert_with(|| LayerExtractor::new(limits));
            let mut renamed = read_file(extractor, entry.path(), file);
            if let Renamed::Extract(extract) = &renamed {
                match left.checked_sub(extract.len()) {
                    Some(rest) => left = rest,
                    None => renamed = Renamed::NotRead,
                }
            }
            place.insert(renamed);
        }
        Self { files }
    }

    /// The file behind an entry whose name makes something else of it than its own; the roles that the name gives it; and what it
    /// is then.
    pub(crate) fn find<'a>(
        &'a self,
        tree: &'a ImageTree,
        entry: Entry<'a>,
    ) -> Option<(Entry<'a>, u64, &'a Renamed)> {
        let (file, roles) = if self.files.is_empty() { None } else { seen_file(tree, entry) }?;
        Some((file, roles, self.files.get(&(file.content_id(), roles))?))
    }

    /// The extract of an entry under the name that it is seen by; that of the file itself, if the name makes it nothing else.
    pub(crate) fn extract_of<'a>(&'a self, tree: &'a ImageTree, entry: Entry<'a>) -> Option<&'a [u8]> {
        match self.find(tree, entry) {
            Some((_, _, Renamed::Extract(extract))) => Some(extract),
            _ if entry.kind() == EntryKind::Symlink => tree.find(entry.path())?.extract(),
            _ => entry.extract(),
        }
    }
}

/// The file behind an entry with a name that makes something else of it than its own, and what that is.
fn seen_file<'a>(tree: &'a ImageTree, entry: Entry<'a>) -> Option<(Entry<'a>, u64)> {
    // Of a million files hardly one is a link: what costs least is asked first.
    let is_link = entry.kind() == EntryKind::Symlink
        || entry.archive_path().is_some_and(|archived| archived != entry.path());
    let roles = if is_link { extract::roles(entry.path()) } else { 0 };
    let file = if roles == 0 { None } else { tree.find(entry.path()) }?;
    is_sought(entry.path(), file.archive_path()?).then_some((file, roles))
}

fn read_file(extractor: &mut LayerExtractor, path: &str, file: Entry<'_>) -> Renamed {
    match file.body() {
        _ if file.size() == 0 => Renamed::Nothing,
        Body::Kept(bytes) => {
            let start = FileStart { path, size_bytes: bytes.len() as u64, is_executable: false };
            if !extractor.start(&start) {
                return Renamed::Nothing;
            }
            extractor.read(bytes);
            extractor.end().map_or(Renamed::Nothing, Renamed::Extract)
        }
        Body::NotKept | Body::TooLarge | Body::Sparse => Renamed::NotRead,
    }
}

#[cfg(test)]
mod tests {
    use model::DiagnosticCode;

    use super::{Renamed, RenamedFiles};
    use crate::CatalogLimits;
    use crate::tests::{inventory, names, tree_of_layers};

    const MANIFEST: &[u8] = br#"{"name": "left-pad", "version": "1.3.0"}"#;
    const STORED: &str = "data/.store/v3/files/00/ab";

    /// Name and version of what is found in these layers, and where.
    fn check(layers: &[&[(&str, &[u8])]], expected: &[(&str, &str)]) {
        let found = crate::catalog(&tree_of_layers(layers), &CatalogLimits::default());
        let places: Vec<String> = names(&found.packages)
            .into_iter()
            .zip(&found.packages)
            .map(|(name, package)| format!("{name} {}", package.locations[0].path))
            .collect();
        let expected: Vec<String> = expected.iter().map(|(name, path)| format!("{name} {path}")).collect();
        assert_eq!(places, expected);
    }

    #[test]
    fn files_of_a_store_are_what_the_links_to_them_are_called() {
        let link = b"=> data/.store/v3/files/00/ab";
        let path = "usr/src/app/node_modules/left-pad/package.json";
        let at = "/usr/src/app/node_modules/left-pad/package.json";
        check(&[&[(STORED, MANIFEST), (path, link)]], &[("left-pad 1.3.0", at)]);
        check(&[&[(STORED, MANIFEST)], &[(path, link)]], &[("left-pad 1.3.0", at)]);
        // However often.
        let other = "opt/node_modules/left-pad/package.json";
        check(
            &[&[(STORED, MANIFEST), (other, link), (path, link)]],
            &[("left-pad 1.3.0", &format!("/{other}"))],
        );
        // A symbolic link leads to where the file is.
        let symlink = b"-> /data/.store/v3/files/00/ab";
        check(&[&[(STORED, MANIFEST), (path, symlink)]], &[("left-pad 1.3.0", &format!("/{STORED}"))]);
        // What is a description under its own name is not looked at twice.
        let real = "srv/node_modules/left-pad/package.json";
        check(
            &[&[(real, MANIFEST), (path, b"-> /srv/node_modules/left-pad/package.json")]],
            &[("left-pad 1.3.0", &format!("/{real}"))],
        );
    }

    #[test]
    fn a_file_is_each_kind_of_description_that_it_has_a_name_of() {
        let metadata = b"Name: requests\nVersion: 2.0\n";
        let path = "usr/lib/python3/requests.dist-info/METADATA";
        // A file `release` may describe an installation of Java.
        check(
            &[&[("data/release", metadata), (path, b"=> data/release")]],
            &[("requests 2.0", "/usr/lib/python3/requests.dist-info/METADATA")],
        );
        check(
            &[&[(".wh..wh.plnk/7.1", metadata), (path, b"=> .wh..wh.plnk/7.1")]],
            &[("requests 2.0", "/usr/lib/python3/requests.dist-info/METADATA")],
        );
    }

    #[test]
    fn extracts_have_so_much_room_together() {
        let tree = tree_of_layers(&[&[
            (STORED, MANIFEST),
            ("data/b", MANIFEST),
            ("app/node_modules/a/package.json", b"=> data/.store/v3/files/00/ab"),
            ("app/node_modules/b/package.json", b"=> data/b"),
        ]]);
        let extracts = |room: usize| {
            let files = RenamedFiles::read_within(room, &tree, &CatalogLimits::default()).files;
            let extracts = files.into_values().filter_map(|renamed| match renamed {
                Renamed::Extract(extract) => Some(extract.len()),
                Renamed::Nothing | Renamed::NotRead => None,
            });
            extracts.collect::<Vec<_>>()
        };
        let one = extracts(usize::MAX)[0];
        for (room, count) in [(one - 1, 0), (one, 1), (2 * one - 1, 1), (2 * one, 2), (2 * one + 1, 2)] {
            assert_eq!(extracts(room), vec![one; count], "{room}");
        }
    }

    #[test]
    fn what_is_too_large_then_is_told() {
        let large = vec![b' '; usize::try_from(super::FILE_BYTES_MAX + 1).unwrap()];
        let found = inventory(&[(STORED, &large), ("app/a.jar", b"=> data/.store/v3/files/00/ab")]);
        let codes: Vec<_> = found.diagnostics.iter().map(|told| (told.code, told.subject.as_str())).collect();
        assert_eq!(
            codes,
            [
                (DiagnosticCode::UnknownDistro, "/etc/os-release"),
                (DiagnosticCode::PackagesLeftOut, "/app/a.jar")
            ]
        );
    }
}

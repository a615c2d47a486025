//! Tests at the boundary: images written here, in; inventories, out.

mod identity;
mod installed;
mod languages;
mod properties;
mod real;
mod whole;

use std::path::PathBuf;

use image_layers::{ImageLimits, ImageTree, LayerInput, LayerReaders, ReadBudget, squash_tracing};
use model::{Diagnostic, Inventory, Package};

use crate::CatalogLimits;

/// A tree of one layer. A content that begins with `-> ` makes a link, one with `=> ` a hard link.
pub(crate) fn tree(files: &[(&str, &[u8])]) -> ImageTree {
    tree_of_layers(&[files])
}

/// A tree of several layers, lowest first.
pub(crate) fn tree_of_layers(layers: &[&[(&str, &[u8])]]) -> ImageTree {
    let archives: Vec<Vec<u8>> = layers.iter().map(|files| archive(files)).collect();
    let (limits, budget) = (ImageLimits::default(), ReadBudget::new());
    let read = |index: usize, is_wanted: &dyn Fn(&str) -> bool| {
        let mut reader = archives[index].as_slice();
        let input = LayerInput { digest: None, diff_id: None, compression: None, reader: &mut reader };
        let mut extractor = crate::LayerExtractor::new(&CatalogLimits::default());
        let readers = LayerReaders { is_wanted, extractor: Some(&mut extractor), observer: None };
        image_layers::read_layer_with(input, readers, &limits, &budget).unwrap()
    };
    let first = (0..layers.len()).map(|index| read(index, &crate::is_wanted)).collect();
    let mut tree = squash_tracing(first, &crate::is_traced);
    // What only links make wanted is read in a second pass, as a scan does it.
    let missing = crate::missing(&tree);
    for index in 0..layers.len() {
        let is_missing =
            |path: &str| missing.iter().any(|body| body.layer_index == index && body.archive_path == path);
        tree.fill(index, read(index, &is_missing));
    }
    tree
}

fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        let link = [(&b"-> "[..], tar::EntryType::Symlink), (b"=> ", tar::EntryType::Link)]
            .into_iter()
            .find_map(|(front, kind)| Some((content.strip_prefix(front)?, kind)));
        match link {
            Some((target, kind)) => {
                header.set_entry_type(kind);
                header.set_size(0);
                builder.append_link(&mut header, path, std::str::from_utf8(target).unwrap()).unwrap();
            }
            None => {
                header.set_size(content.len() as u64);
                header.set_mode(0o644);
                builder.append_data(&mut header, path, *content).unwrap();
            }
        }
    }
    builder.into_inner().unwrap()
}

pub(crate) fn inventory(files: &[(&str, &[u8])]) -> Inventory {
    crate::catalog(&tree(files), &CatalogLimits::default())
}

/// Packages of one database at a usual path; the diagnostics without the one about the missing os-release file.
pub(crate) fn packages_of(path: &str, content: &[u8]) -> (Vec<Package>, Vec<Diagnostic>) {
    let Inventory { packages, mut diagnostics, .. } = inventory(&[(path, content)]);
    diagnostics.retain(|diagnostic| diagnostic.code != model::DiagnosticCode::UnknownDistro);
    (packages, diagnostics)
}

/// `name version` of every package.
pub(crate) fn names(packages: &[Package]) -> Vec<String> {
    let name = |package: &Package| format!("{} {}", package.name, package.version.as_deref().unwrap_or("-"));
    packages.iter().map(name).collect()
}

/// A folder with more data, where there is one beside the workspace.
pub(crate) fn shared_data(folder: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(folder);
    path.is_dir().then_some(path)
}

/// A file for a test.
pub(crate) fn load(path: &std::path::Path) -> Vec<u8> {
    let file = std::fs::File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    image_layers::LimitedReader::new(file, "bytes of a test file", 1 << 28).read_all().unwrap()
}

//! Facts of layers as bytes: what comes back makes the same tree, and bytes of anybody else make none.

use super::{Part, archive, file, folder, hard_link, symlink};
use crate::{
    Attributes, Entry, FileExtractor, FileObserver, FileStart, FileWishes, ImageLimits, ImageTree, Layer,
    LayerInput, LayerReaders, ReadBudget, squash,
};

struct Length;

impl FileExtractor for Length {
    fn start(&mut self, file: &FileStart<'_>) -> bool {
        file.path.starts_with("bin/")
    }

    fn read(&mut self, _: &[u8]) {}

    fn end(&mut self) -> Option<Vec<u8>> {
        Some(b"found".to_vec())
    }
}

struct Nobody;

impl FileObserver for Nobody {
    fn start(&mut self, _: &str, _: u64) -> FileWishes {
        FileWishes::default()
    }

    fn read(&mut self, _: &[u8]) {}

    fn end(&mut self, _: u32) {}
}

fn read(parts: &[Part], is_observed: bool, budget: &ReadBudget) -> Layer {
    let archive = archive(parts);
    let mut reader = archive.as_slice();
    let input = LayerInput { digest: None, diff_id: None, compression: None, reader: &mut reader };
    let (mut extractor, mut observer) = (Length, Nobody);
    let observer = is_observed.then_some(&mut observer as &mut dyn FileObserver);
    let is_wanted = &|path: &str| path.ends_with("kept");
    let readers = LayerReaders { is_wanted, extractor: Some(&mut extractor), observer };
    let limits = ImageLimits { file_bytes_max: 10, ..ImageLimits::default() };
    crate::read_layer_with(input, readers, &limits, budget).unwrap()
}

fn lower() -> Vec<Part> {
    vec![
        folder("bin"),
        file("bin/tool", "abc"),
        file("db/ü/kept", "kept"),
        file("big/kept", "far too large"),
        hard_link("link/tool", "bin/tool"),
        hard_link("link/late", "not/yet"),
        symlink("lib", "usr/lib"),
        file("gone/x", ""),
    ]
}

fn upper() -> Vec<Part> {
    vec![file("lib/y", ""), file("gone/.wh..wh..opq", ""), file("db/.wh.none", ""), file("not/kept", "1")]
}

fn bytes_of(layer: &Layer) -> Vec<u8> {
    let mut bytes = Vec::new();
    layer.write_facts(&mut bytes).unwrap();
    bytes
}

fn again(bytes: &[u8]) -> std::io::Result<Layer> {
    Layer::read_facts(&mut &*bytes, &ImageLimits::default())
}

type Seen = (String, String, u64, Option<Attributes>, Option<Vec<u8>>, String);

fn all(tree: &ImageTree) -> Vec<Seen> {
    let seen = |entry: Entry<'_>| {
        let kind = format!("{:?} {:?} {:?}", entry.kind(), entry.link_target(), entry.content_id());
        let extract = entry.extract().map(<[u8]>::to_vec);
        let body = format!("{:?}", entry.body());
        (entry.path().to_owned(), kind, entry.size(), entry.attributes(), extract, body)
    };
    tree.entries().map(seen).collect()
}

#[test]
fn facts_that_come_back_make_the_same_tree_and_cost_the_same() {
    let budget = ReadBudget::new();
    let layers = [read(&lower(), false, &budget), read(&upper(), false, &budget)];
    let (limits, spent) = (ImageLimits::default(), ReadBudget::new());
    let returned: Vec<Layer> = layers
        .iter()
        .map(|layer| {
            let layer = again(&bytes_of(layer)).unwrap();
            layer.spend(&limits, &spent).unwrap();
            layer
        })
        .collect();
    for (left, right) in layers.iter().zip(&returned) {
        assert_eq!((left.digest(), left.diff_id()), (right.digest(), right.diff_id()));
        assert_eq!(
            (left.compressed_bytes(), left.unpacked_bytes()),
            (right.compressed_bytes(), right.unpacked_bytes())
        );
    }
    let costs = |it: &ReadBudget| (it.entries(), it.kept_bytes(), it.unpacked_bytes());
    assert_eq!(costs(&spent), costs(&budget));
    let few = ImageLimits { entries_max: budget.entries() - 1, ..limits };
    let spent = ReadBudget::new();
    returned[0].spend(&few, &spent).unwrap();
    let error = returned[1].spend(&few, &spent).unwrap_err();
    assert!(error.to_string().contains("entries"), "{error}");
    let (expected, found) = (squash(layers.into()), squash(returned));
    assert_eq!(all(&found), all(&expected));
    assert!(all(&found).iter().any(|(path, .., extract, _)| path == "link/tool" && extract.is_some()));
}

#[test]
fn damaged_facts_make_no_layer() {
    let bytes = bytes_of(&read(&lower(), false, &ReadBudget::new()));
    for length in 0..bytes.len() {
        assert!(again(&bytes[..length]).is_err(), "{length} bytes");
    }
    assert!(again(&[&bytes[..], b"x"].concat()).is_err());
    // Whatever changes, it ends without a panic, and a layer that still comes of it can be laid over others.
    for place in 0..bytes.len() {
        for mask in [0xff, 0x01, 0x80] {
            let mut changed = bytes.clone();
            changed[place] ^= mask;
            if let Ok(layer) = again(&changed) {
                let tree = squash(vec![layer]);
                assert!(all(&tree).len() < 100);
            }
        }
    }
    let limits = ImageLimits { index_bytes_max: 3, ..ImageLimits::default() };
    assert!(Layer::read_facts(&mut bytes.as_slice(), &limits).is_err());
}

#[test]
fn what_an_observer_had_written_down_is_not_kept() {
    let layer = read(&lower(), true, &ReadBudget::new());
    assert!(layer.write_facts(&mut Vec::new()).is_err());
}

#[test]
fn bodies_alone_fill_a_tree() {
    let parts = [file("store/other", "2"), file("store/linked", "1")];
    let archive = archive(&parts);
    let wanting = |is_wanted: &dyn Fn(&str) -> bool| {
        let mut reader = archive.as_slice();
        let input = LayerInput { digest: None, diff_id: None, compression: None, reader: &mut reader };
        crate::read_layer(input, is_wanted, &ImageLimits::default(), &ReadBudget::new()).unwrap()
    };
    let mut tree = squash(vec![wanting(&|_| false)]);
    let bodies = wanting(&|path| path.ends_with("linked")).into_bodies();
    assert!(bytes_of(&bodies).len() < bytes_of(&wanting(&|_| false)).len());
    tree.fill(0, again(&bytes_of(&bodies)).unwrap());
    assert_eq!(tree.read("store/linked"), Some(crate::Body::Kept(b"1")));
    assert_eq!(tree.read("store/other"), Some(crate::Body::NotKept));
}

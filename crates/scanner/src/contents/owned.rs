//! Whether the files that packages own are what their package databases say.

use data_encoding::HEXLOWER;
use image_layers::{Attributes, EntryKind, ImageTree};
use model::{Inventory, OwnedFile};

/// Folders in which packages of a distro have nothing: they belong to who runs the system.
const NEVER_OWNED: [&str; 11] =
    ["app/", "home/", "media/", "mnt/", "proc/", "root/", "run/", "srv/", "sys/", "tmp/", "usr/local/"];

/// Whether a package may own a file, so that the checksums of package databases are worth their time.
pub(super) fn may_be_owned(path: &str) -> bool {
    !NEVER_OWNED.iter().any(|folder| path.starts_with(folder))
}

/// Compares the content of owned files with the checksums of the databases.
pub(crate) fn compare_owned(tree: &ImageTree, inventory: &mut Inventory) {
    for file in inventory.packages.iter_mut().flat_map(|package| &mut package.files) {
        file.is_content_changed = is_changed(tree, file);
    }
}

/// `None` where there is nothing to compare.
fn is_changed(tree: &ImageTree, file: &OwnedFile) -> Option<bool> {
    let (algorithm, expected) = file.checksum.as_deref()?.split_once(':')?;
    let entry = tree.locate(&file.path).filter(|entry| entry.kind() == EntryKind::File)?;
    let Attributes { sha256, sha1, md5, .. } = entry.attributes()?;
    let actual = match algorithm {
        "sha256" => HEXLOWER.encode(&sha256?),
        "sha1" => HEXLOWER.encode(&sha1?),
        "md5" => HEXLOWER.encode(&md5?),
        _ => return None,
    };
    Some(!actual.eq_ignore_ascii_case(expected))
}

//! Files that are something else under the name that a link gives them than under their own.

use std::collections::BTreeSet;

use crate::item::{BODY_NONE, Kind};
use crate::tree::{Entry, ImageTree, MissingBody};

impl<'a> Entry<'a> {
    /// The path of its body in the archive of its layer, of a regular file: a hard link has the path of what it links to.
    pub fn archive_path(&self) -> Option<&'a str> {
        (self.kind() == crate::EntryKind::File).then(|| self.tree.text_of(self.item))
    }
}

impl ImageTree {
    /// Where the bodies can be read again of files that are seen under another path than the one in their archive, where
    /// `is_sought` says so of both.
    ///
    /// Limits: larger files than `file_bytes_max`, and what would make all of them more than `sum_bytes_max`, are left out.
    pub fn renamed(
        &self,
        is_sought: &dyn Fn(&str, &str) -> bool,
        file_bytes_max: u64,
        sum_bytes_max: u64,
    ) -> Vec<MissingBody> {
        let (mut found, mut sum) = (BTreeSet::new(), 0_u64);
        for item in self.link_items() {
            let path = self.path_of(item);
            let file = match item.kind {
                Kind::File => Some(item),
                Kind::Symlink if is_sought(path, "") => self.resolve(path).ok().map(|entry| entry.item),
                _ => None,
            };
            let is_missing = |file: &&crate::item::Item| file.kind == Kind::File && file.body == BODY_NONE;
            let Some(file) = file.filter(is_missing) else { continue };
            let archived = self.text_of(file);
            let size = file.size;
            if path == archived || size > file_bytes_max || !is_sought(path, archived) {
                continue;
            }
            let body = self.missing_body(file);
            if !found.contains(&body) && sum.saturating_add(size) <= sum_bytes_max {
                sum += size;
                found.insert(body);
            }
        }
        found.into_iter().collect()
    }
}

//! Many patterns at once: every file of an image is compared with all of them, so one byte of its path rules out nearly all.

use crate::cataloger::PathPattern;

/// A set of patterns.
pub(crate) struct PatternIndex {
    /// Patterns of names, by their last byte.
    of_names: Vec<Vec<(Tail, PathPattern)>>,
    /// Patterns of files of a folder, by the last byte of the folder.
    of_folders: Vec<Vec<(Tail, PathPattern)>>,
}

/// The last bytes of a text, at most eight of them, to be compared at once.
#[derive(Debug, Clone, Copy)]
struct Tail {
    bytes: u64,
    mask: u64,
}

impl Tail {
    fn of(text: &str) -> Self {
        let text = text.as_bytes();
        if let Some(last) = text.last_chunk() {
            return Self { bytes: u64::from_le_bytes(*last), mask: u64::MAX };
        }
        let mut last = [0; 8];
        last[8 - text.len()..].copy_from_slice(text);
        let mask = u64::MAX.checked_shl(64 - 8 * u32::try_from(text.len()).unwrap_or_default());
        Self { bytes: u64::from_le_bytes(last), mask: mask.unwrap_or_default() }
    }

    fn is_end_of(self, text: Self) -> bool {
        text.bytes & self.mask == self.bytes
    }
}

impl PatternIndex {
    pub(crate) fn new(patterns: impl Iterator<Item = PathPattern>) -> Self {
        let mut index = Self { of_names: vec![Vec::new(); 256], of_folders: vec![Vec::new(); 256] };
        for pattern in patterns {
            let (table, end) = match pattern {
                PathPattern::In(folder) | PathPattern::InWithEnding(folder, _) => {
                    (&mut index.of_folders, folder)
                }
                PathPattern::Ends(end)
                | PathPattern::Grandchild(_, end)
                | PathPattern::GreatGrandchild(_, end) => (&mut index.of_names, end),
            };
            // A pattern without an end would be one of all paths; there is none.
            if let Some(last) = end.bytes().next_back() {
                table[usize::from(last)].push((Tail::of(end), pattern));
            }
        }
        index
    }

    /// Whether a path is of one of the forms.
    pub(crate) fn matches(&self, path: &str) -> bool {
        let fits = |table: &[Vec<(Tail, PathPattern)>], end: &str| {
            let Some(last) = end.bytes().next_back() else { return false };
            let of_last = &table[usize::from(last)];
            let tail = if of_last.is_empty() { return false } else { Tail::of(end) };
            of_last.iter().any(|(own, pattern)| own.is_end_of(tail) && pattern.matches(path))
        };
        fits(&self.of_names, path)
            || split_name(path).is_some_and(|(folder, _)| fits(&self.of_folders, folder))
    }
}

/// Folder and name, of a path with a slash.
pub(crate) fn split_name(path: &str) -> Option<(&str, &str)> {
    let slash = memchr::memrchr(b'/', path.as_bytes())?;
    Some((&path[..slash], &path[slash + 1..]))
}

/// The last component of a path.
pub(crate) fn name(path: &str) -> &str {
    split_name(path).map_or(path, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::CATALOGERS;

    #[test]
    fn the_index_finds_what_one_of_its_patterns_matches() {
        let patterns = || CATALOGERS.iter().flat_map(|it| it.databases.iter().chain(it.companions)).copied();
        let index = PatternIndex::new(patterns());
        let paths = [
            "var/lib/dpkg/status",
            "var/lib/dpkg/status.d/base",
            "var/lib/dpkg/info/a.list",
            "usr/share/doc/a/copyright",
            "usr/share/doc/copyright",
            "lib/apk/db/installed",
            "rpmdb.sqlite",
            "var/lib/rpm/Packages",
            "var/lib/rpm/packages",
            "var/lib/pacman/local/a-1/desc",
            "var/db/pkg/sys-apps/sed-4.9/SIZE",
            "var/db/pkg/sys-apps/SIZE",
            "status",
            "",
            "d/",
            "ü",
        ];
        for path in paths {
            assert_eq!(index.matches(path), patterns().any(|pattern| pattern.matches(path)), "{path}");
        }
        assert_eq!(split_name("a/ü/b"), Some(("a/ü", "b")));
        assert_eq!((split_name("a"), name("a"), name("a/")), (None, "a", ""));
    }
}

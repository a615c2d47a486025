//! The declaration of a cataloger: which files it reads, and the function that reads them.

use crate::parse::{ParseInput, Parsed};
use crate::pattern_index::split_name;

/// Where evidence lies, in real paths without a leading slash, at any depth of the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PathPattern {
    /// `**/lib/dpkg/status`: these last components.
    Ends(&'static str),
    /// `**/lib/dpkg/status.d/*`: a file directly in such a folder.
    In(&'static str),
    /// `**/lib/dpkg/info/*.list`: a file directly in such a folder, with this ending of its name.
    InWithEnding(&'static str, &'static str),
    /// `**/share/doc/*/copyright`: a file of this name in a folder of such a folder.
    Grandchild(&'static str, &'static str),
    /// `**/var/db/pkg/*/*/CONTENTS`: a file of this name in a folder of a folder of such a folder.
    GreatGrandchild(&'static str, &'static str),
}

impl PathPattern {
    /// Whether a path is of this form.
    pub(crate) fn matches(self, path: &str) -> bool {
        match self {
            Self::Ends(tail) => ends_with_components(path, tail),
            Self::In(folder) => {
                split_name(path).is_some_and(|(parent, _)| ends_with_components(parent, folder))
            }
            Self::Grandchild(folder, name) => {
                let parent = path.strip_suffix(name).and_then(|head| head.strip_suffix('/'));
                parent.is_some_and(|parent| Self::In(folder).matches(parent))
            }
            Self::GreatGrandchild(folder, name) => {
                let parent = path.strip_suffix(name).and_then(|head| head.strip_suffix('/'));
                let above = parent.and_then(|parent| parent.rsplit_once('/')).map(|(above, _)| above);
                above.is_some_and(|above| Self::In(folder).matches(above))
            }
            // The ending is looked at first: it rules out most paths at once.
            Self::InWithEnding(folder, ending) => path.ends_with(ending) && Self::In(folder).matches(path),
        }
    }
}

fn ends_with_components(path: &str, tail: &str) -> bool {
    path.strip_suffix(tail).is_some_and(|head| head.is_empty() || head.ends_with('/'))
}

/// One kind of package database. A cataloger has no state, so it is a row of a table and not an object.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cataloger {
    /// Stable name: `dpkg`.
    pub(crate) id: &'static str,
    /// The files that are databases.
    pub(crate) databases: &'static [PathPattern],
    /// Files beside a database that its parser looks into.
    pub(crate) companions: &'static [PathPattern],
    /// Files that `databases` would match but that are none.
    pub(crate) exceptions: &'static [PathPattern],
    /// Well-known paths at which a link may stand, to a file or a folder.
    pub(crate) linked_paths: &'static [&'static str],
    /// Reads one database.
    pub(crate) parse: fn(&ParseInput<'_>) -> Parsed,
}

impl Cataloger {
    /// Whether a path is a database of this kind.
    pub(crate) fn is_database(&self, path: &str) -> bool {
        let matches = |pattern: &PathPattern| pattern.matches(path);
        self.databases.iter().any(matches) && !self.exceptions.iter().any(matches)
    }
}

#[cfg(test)]
mod tests {
    use super::PathPattern::{Ends, Grandchild, GreatGrandchild, In, InWithEnding};

    #[test]
    fn patterns_match_whole_components() {
        let cases = [
            (Ends("lib/dpkg/status"), "var/lib/dpkg/status", true),
            (Ends("lib/dpkg/status"), "lib/dpkg/status", true),
            (Ends("lib/dpkg/status"), "a/b/usr/lib/dpkg/status", true),
            (Ends("lib/dpkg/status"), "var/xlib/dpkg/status", false),
            (Ends("lib/dpkg/status"), "var/lib/dpkg/status-old", false),
            (Ends("lib/dpkg/status"), "var/lib/dpkg/status/x", false),
            (In("dpkg/status.d"), "var/lib/dpkg/status.d/base", true),
            (In("dpkg/status.d"), "var/lib/dpkg/status.d/a/b", false),
            (In("dpkg/status.d"), "var/lib/dpkg/status.d", false),
            (InWithEnding("dpkg/info", ".list"), "var/lib/dpkg/info/a.list", true),
            (InWithEnding("dpkg/info", ".list"), "var/lib/dpkg/info/a.listx", false),
            (InWithEnding("dpkg/info", ".list"), "var/lib/dpkg/a.list", false),
            (Grandchild("share/doc", "copyright"), "usr/share/doc/a/copyright", true),
            (Grandchild("share/doc", "copyright"), "usr/share/doc/copyright", false),
            (Grandchild("share/doc", "copyright"), "usr/share/doc/a/b/copyright", false),
            (Grandchild("share/doc", "copyright"), "usr/share/doc/a/xcopyright", false),
            (GreatGrandchild("db/pkg", "SIZE"), "var/db/pkg/sys-apps/sed-4.9/SIZE", true),
            (GreatGrandchild("db/pkg", "SIZE"), "var/db/pkg/sys-apps/SIZE", false),
            (GreatGrandchild("db/pkg", "SIZE"), "var/db/pkg/SIZE", false),
            (GreatGrandchild("db/pkg", "SIZE"), "var/db/pkg/a/b/c/SIZE", false),
            (GreatGrandchild("db/pkg", "SIZE"), "var/db/pkg/a/b/xSIZE", false),
        ];
        for (pattern, path, expected) in cases {
            assert_eq!(pattern.matches(path), expected, "{pattern:?} {path}");
        }
    }
}

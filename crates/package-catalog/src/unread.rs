//! Package databases that are recognised but not read, so that an image with one is never taken for an empty one.

use crate::cataloger::PathPattern;

/// A database without a cataloger.
pub(crate) struct UnreadDatabase {
    pub(crate) pattern: PathPattern,
    /// What it is, for people.
    pub(crate) name: &'static str,
}

/// All of them.
pub(crate) static UNREAD_DATABASES: &[UnreadDatabase] = &[
    UnreadDatabase {
        pattern: PathPattern::Ends("nix/var/nix/db/db.sqlite"),
        name: "the database of a Nix store",
    },
    UnreadDatabase { pattern: PathPattern::Ends("var/db/xbps/pkgdb-0.38.plist"), name: "a database of xbps" },
];

/// What the file at this path is, when it is one of them.
pub(crate) fn find(path: &str) -> Option<&'static str> {
    UNREAD_DATABASES.iter().find(|unread| unread.pattern.matches(path)).map(|unread| unread.name)
}

//! Red Hat, SUSE and their relatives: the database of rpm in its three forms, and the list that images without rpm have.

mod berkeley;
mod files;
mod header;
mod manifest;
mod ndb;
mod package;
mod reading;
mod sqlite;
mod sqlite_table;
#[cfg(test)]
mod tests;
mod write_ahead_log;

use crate::cataloger::{Cataloger, PathPattern};
use crate::parse::{ParseInput, Parsed};
use reading::Reading;

/// What the table says about rpm.
pub(crate) const CATALOGER: Cataloger = Cataloger {
    id: "rpm",
    databases: &[
        PathPattern::Ends("rpmdb.sqlite"),
        PathPattern::Ends("Packages.db"),
        PathPattern::Ends("rpm/Packages"),
        PathPattern::Ends(MANIFEST),
    ],
    companions: &[PathPattern::Ends("rpmdb.sqlite-wal")],
    exceptions: &[],
    linked_paths: &[
        "var/lib/rpm",
        "var/lib/rpm/rpmdb.sqlite",
        "var/lib/rpm/rpmdb.sqlite-wal",
        "var/lib/rpm/Packages.db",
        "var/lib/rpm/Packages",
        "usr/lib/sysimage/rpm",
        "usr/lib/sysimage/rpm/rpmdb.sqlite",
        "usr/lib/sysimage/rpm/rpmdb.sqlite-wal",
        "usr/lib/sysimage/rpm/Packages.db",
        "usr/share/rpm",
        "var/lib/rpmmanifest",
        "var/lib/rpmmanifest/container-manifest-2",
    ],
    parse,
};

const MANIFEST: &str = "rpmmanifest/container-manifest-2";

/// The content says what a database is; its name only says that it is one.
fn parse(input: &ParseInput<'_>) -> Parsed {
    let mut reading = Reading::new(input);
    let is_understood = if PathPattern::Ends(MANIFEST).matches(input.path) {
        manifest::read(&mut reading);
        false
    } else if input.bytes.iter().all(u8::is_ascii_whitespace) || sqlite::is_one(input.bytes) {
        // Of an empty file, SQLite may have everything in its log.
        sqlite::read(&mut reading)
    } else if ndb::is_one(input.bytes) {
        ndb::read(&mut reading)
    } else {
        berkeley::read(&mut reading)
    };
    reading.finish(is_understood)
}

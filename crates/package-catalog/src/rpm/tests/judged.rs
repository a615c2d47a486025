//! What rpm says about the databases that it made itself.

use std::process::Command;

use super::{build, messages, to_lines, tool};
use crate::tests::{inventory, load, packages_of};

#[test]
fn rpm_lists_the_same_packages_and_files() {
    if !tool::is_there() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    tool::make_database(folder.path());
    let expected = tool::query(folder.path(), "sqlite", tool::QUERY);
    assert_eq!(expected.len(), tool::PACKAGE_COUNT);
    let database = load(&folder.path().join("rpmdb.sqlite"));
    let (packages, diagnostics) = packages_of("var/lib/rpm/rpmdb.sqlite", &database);
    assert_eq!((to_lines(&packages), messages(&diagnostics)), (expected.clone(), vec![]));
    check_files(folder.path(), &database);

    let headers = tool::headers(folder.path());
    assert_eq!(headers.len(), tool::PACKAGE_COUNT);
    for (is_big_endian, page_bytes) in [(false, 4096), (true, 4096), (false, 512), (true, 65_536)] {
        let folder = tempfile::tempdir().unwrap();
        tool::make_berkeley(folder.path(), &headers, is_big_endian, page_bytes);
        let (packages, diagnostics) =
            packages_of("var/lib/rpm/Packages", &load(&folder.path().join("Packages")));
        let found = to_lines(&packages);
        assert_eq!(
            (found, messages(&diagnostics)),
            (expected.clone(), vec![]),
            "{is_big_endian} {page_bytes}"
        );
        // What rpm reads of it is the same: it is a database of rpm, not only one of ours.
        assert_eq!(
            tool::query(folder.path(), "bdb_ro", tool::QUERY),
            expected,
            "{is_big_endian} {page_bytes}"
        );
    }
    let ndb = build::ndb(&headers);
    let (packages, diagnostics) = packages_of("usr/lib/sysimage/rpm/Packages.db", &ndb);
    assert_eq!((to_lines(&packages), messages(&diagnostics)), (expected, vec![]));
}

/// One line a file, for files that are no folders and no ghosts.
fn check_files(folder: &std::path::Path, database: &[u8]) {
    let expected: Vec<String> = tool::query(folder, "sqlite", tool::FILES_QUERY)
        .into_iter()
        .filter(|line| !line.contains("|40755|") && !line.contains("/var/log/"))
        .collect();
    let read = |files: &[(&str, &[u8])]| {
        let files = [&[("var/lib/rpm/rpmdb.sqlite", database)], files].concat();
        inventory(&files).packages.into_iter().filter(|package| !package.files.is_empty()).collect::<Vec<_>>()
    };
    let packages = read(&[]);
    let to_line = |file: &model::OwnedFile| {
        let kind = if file.path == "/usr/bin/second" { 0o120_000 } else { 0o100_000 };
        let checksum = file.checksum.as_deref().map_or("", |it| it.strip_prefix("sha256:").unwrap());
        let flags = if file.is_configuration { 17 } else { 0 };
        let (mode, size) = (kind | file.permissions.unwrap(), file.size_bytes.unwrap());
        format!("first|{}|{mode:o}|{checksum}|{flags}|{size}", file.path)
    };
    let mut found: Vec<String> = packages.iter().flat_map(|package| &package.files).map(to_line).collect();
    found.sort();
    assert_eq!(found, expected);
    assert_eq!(expected.len(), 4, "{expected:?}");
    // A ghost is the package's where it is there, and nothing is known about its content.
    let ghost = ("var/log/first.log", &b"much"[..]);
    let packages = read(&[ghost]);
    let ghost = packages[0].files.iter().find(|file| file.path == "/var/log/first.log").unwrap();
    assert_eq!((ghost.size_bytes, &ghost.checksum), (None, &None));
}

#[test]
fn what_only_the_write_ahead_log_has_is_read() {
    if !tool::is_there() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    tool::make_database(folder.path());
    let all = tool::query(folder.path(), "sqlite", tool::QUERY);
    // SQLite itself writes the log: it is copied while its writer still has it open. The row of one package goes, and one changes
    // place, so that overflow pages are written anew; nothing of it is in the database file.
    let script = "import shutil, sqlite3, sys\n\
        folder = sys.argv[1]\n\
        db = sqlite3.connect(folder + '/rpmdb.sqlite')\n\
        db.execute('PRAGMA journal_mode=WAL')\n\
        db.execute('PRAGMA wal_autocheckpoint=0')\n\
        db.execute(\"DELETE FROM Packages WHERE hnum IN (SELECT hnum FROM Name WHERE key = 'part7')\")\n\
        db.execute('UPDATE Packages SET hnum = hnum + 1000 WHERE hnum > 20')\n\
        db.commit()\n\
        db.execute('UPDATE Packages SET hnum = hnum + 5000')\n\
        for name in ('rpmdb.sqlite', 'rpmdb.sqlite-wal'):\n\
        \x20 shutil.copy(folder + '/' + name, folder + '/copy-' + name)\n\
        db.rollback()\n";
    tool::run(Command::new("python3").args(["-c", script]).arg(folder.path()));
    let database = load(&folder.path().join("copy-rpmdb.sqlite"));
    let log = load(&folder.path().join("copy-rpmdb.sqlite-wal"));
    assert!(log.len() > 4096);
    let read = |files: &[(&str, &[u8])]| {
        let inventory = inventory(&[&[("etc/os-release", &b"ID=x"[..])], files].concat());
        (to_lines(&inventory.packages), messages(&inventory.diagnostics).join("\n"))
    };
    let without: Vec<String> = all.iter().filter(|line| !line.starts_with("part7|")).cloned().collect();
    assert_eq!(without.len() + 1, all.len());
    let path = "var/lib/rpm/rpmdb.sqlite";
    let log_path = "var/lib/rpm/rpmdb.sqlite-wal";
    assert_eq!(read(&[(path, &database)]), (all.clone(), String::new()));
    assert_eq!(read(&[(path, &database), (log_path, &log)]), (without.clone(), String::new()));
    // Behind a link to the folder.
    let linked: [(&str, &[u8]); 3] =
        [("db/rpmdb.sqlite", &database), ("db/rpmdb.sqlite-wal", &log), ("var/lib/rpm", b"-> /db")];
    assert_eq!(read(&linked), (without, String::new()));
    // An empty log is one that was copied back; a broken one is told, and what is before the break counts.
    assert_eq!(read(&[(path, &database), (log_path, b"")]), (all.clone(), String::new()));
    let mut broken = log.clone();
    broken[100] ^= 1;
    let (packages, told) = read(&[(path, &database), (log_path, &broken)]);
    assert_eq!(packages, all);
    assert!(told.contains("write-ahead log is broken") && told.contains("not in this inventory"), "{told}");
    broken[3] ^= 4;
    let (packages, told) = read(&[(path, &database), (log_path, &broken)]);
    assert_eq!(packages, all);
    assert!(told.contains("write-ahead log cannot be read: it has another magic number"), "{told}");
}

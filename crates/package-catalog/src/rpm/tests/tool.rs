//! The real rpm, as the judge.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// One line a package.
pub(super) const QUERY: &str = "%{NAME}|%{EPOCH}|%{VERSION}-%{RELEASE}|%{ARCH}|%{SOURCERPM}|%{LICENSE}|%{VENDOR}|%{MODULARITYLABEL}|%{SIZE}\\n";
/// One line a file.
pub(super) const FILES_QUERY: &str =
    "[%{=NAME}|%{FILENAMES}|%{FILEMODES:octal}|%{FILEDIGESTS}|%{FILEFLAGS}|%{FILESIZES}\\n]";

/// How many packages are made.
pub(super) const PACKAGE_COUNT: usize = 41;

/// Whether the tools are there; `cargo xtask setup` installs them.
pub(super) fn is_there() -> bool {
    ["rpm", "rpmbuild", "rpmdb", "db5.3_load"].iter().all(|program| {
        Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
    })
}

/// What a program writes; it must succeed.
pub(super) fn run(command: &mut Command) -> Vec<u8> {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn rpm(program: &str, folder: &Path, form: &str) -> Command {
    let mut command = Command::new(program);
    // Nothing of who runs the test: no settings, no signatures, no other database.
    command.env("HOME", folder).arg("--dbpath").arg(folder);
    command.args(["--define", &format!("_db_backend {form}")]);
    command
}

/// Makes packages, and a database of SQLite with them in `folder`.
pub(super) fn make_database(folder: &Path) {
    let top = folder.join("build");
    for inner in ["SPECS", "BUILD", "RPMS", "SOURCES", "BUILDROOT"] {
        std::fs::create_dir_all(top.join(inner)).unwrap();
    }
    let spec = top.join("SPECS/all.spec");
    std::fs::write(&spec, spec_text()).unwrap();
    let mut build = Command::new("rpmbuild");
    build.env("HOME", folder).args(["-bb", "--quiet", "--define", &format!("_topdir {}", top.display())]);
    run(build.arg(&spec));
    let mut packages: Vec<PathBuf> = Vec::new();
    for folder in std::fs::read_dir(top.join("RPMS")).unwrap() {
        let files = std::fs::read_dir(folder.unwrap().path()).unwrap();
        packages.extend(files.map(|file| file.unwrap().path()));
    }
    assert_eq!(packages.len(), PACKAGE_COUNT);
    run(rpm("rpmdb", folder, "sqlite").arg("--initdb"));
    let mut install = rpm("rpm", folder, "sqlite");
    install.args(["-i", "--justdb", "--nodeps", "--noscripts", "--nosignature", "--ignorearch"]);
    run(install.args(packages));
}

fn spec_text() -> String {
    let mut spec = "%define debug_package %{nil}\n%define _build_id_links none\n\
        Name: first\nVersion: 1.2~rc1\nRelease: 3.el9\nSummary: one\nLicense: MIT and (GPL-2.0-or-later)\n\
        Vendor: Some Vendor <v@example.org>\nEpoch: 2\n\
        ModularityLabel: nodejs:18:8080020230718:63b34585\n\
        %description\nfirst\n\
        %install\nmkdir -p %{buildroot}/etc/first.d %{buildroot}/usr/bin %{buildroot}/var/log\n\
        echo setting > %{buildroot}/etc/first.d/first.conf\necho run > %{buildroot}/usr/bin/first\n\
        ln -s first %{buildroot}/usr/bin/second\necho x > \"%{buildroot}/usr/bin/a b\"\n\
        chmod 4755 %{buildroot}/usr/bin/first\ntouch %{buildroot}/var/log/first.log\n\
        %files\n%dir /etc/first.d\n%config(noreplace) /etc/first.d/first.conf\n%attr(4755,root,root) /usr/bin/first\n\
        /usr/bin/second\n\"/usr/bin/a b\"\n%ghost /var/log/first.log\n"
        .to_owned();
    for number in 1..PACKAGE_COUNT {
        // Some have no epoch, some zero; descriptions from a few bytes to several pages.
        let version = match number % 4 {
            0 => format!("Epoch: 0\nVersion: {number}.0\nRelease: 1\n"),
            1 => format!("Epoch: {number}\n"),
            2 => format!("Version: 1^git{number}\nRelease: 2%{{?dist}}\n"),
            _ => String::new(),
        };
        let architecture = if number % 3 == 0 { "BuildArch: noarch\n" } else { "" };
        let text = "a line of a description\n".repeat(number * number * 2);
        write!(
            spec,
            "\n%package -n part{number}\nSummary: part\nLicense: Apache-2.0\n{version}{architecture}%description -n part{number}\n{text}\n%files -n part{number}\n"
        )
        .unwrap();
    }
    spec
}

/// The lines of a query, sorted.
pub(super) fn query(folder: &Path, form: &str, format: &str) -> Vec<String> {
    let output = run(rpm("rpm", folder, form).args(["-qa", "--qf", format]));
    let mut lines: Vec<String> = String::from_utf8(output).unwrap().lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

/// All headers of a database, each as the database holds it.
pub(super) fn headers(folder: &Path) -> Vec<Vec<u8>> {
    let output = run(rpm("rpmdb", folder, "sqlite").arg("--exportdb"));
    let mut headers = Vec::new();
    let mut rest = output.as_slice();
    while let Some(body) = rest.strip_prefix(b"\x8e\xad\xe8\x01\0\0\0\0") {
        let word = |at: usize| u32::from_be_bytes(body[at..at + 4].try_into().unwrap()) as usize;
        let (header, next) = body.split_at(8 + 16 * word(0) + word(4));
        headers.push(header.to_vec());
        rest = next;
    }
    assert!(rest.is_empty(), "{} bytes are left", rest.len());
    headers
}

/// A database of Berkeley DB, made by Berkeley DB.
pub(super) fn make_berkeley(folder: &Path, headers: &[Vec<u8>], is_big_endian: bool, page_bytes: usize) {
    let order = if is_big_endian { 4321 } else { 1234 };
    let mut dump = format!(
        "VERSION=3\nformat=bytevalue\ntype=hash\ndb_lorder={order}\ndb_pagesize={page_bytes}\nHEADER=END\n"
    );
    // Number zero holds the last number that was given away.
    let last = u32::try_from(headers.len()).unwrap();
    let to_bytes = |number: u32| if is_big_endian { number.to_be_bytes() } else { number.to_le_bytes() };
    let mut add = |number: u32, value: &[u8]| {
        for bytes in [&to_bytes(number)[..], value] {
            dump.push(' ');
            bytes.iter().for_each(|byte| write!(dump, "{byte:02x}").unwrap());
            dump.push('\n');
        }
    };
    add(0, &to_bytes(last));
    for (number, header) in (1..).zip(headers) {
        add(number, header);
    }
    dump.push_str("DATA=END\n");
    let text = folder.join("dump");
    std::fs::write(&text, dump).unwrap();
    run(Command::new("db5.3_load").arg("-f").arg(text).arg(folder.join("Packages")));
}

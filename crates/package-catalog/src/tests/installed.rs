//! What the package managers of languages list on this machine, and what they write, against what is read of it.
//!
//! Ruby, PHP and Python are there where `cargo xtask setup` ran.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use model::{Package, PackageKind};

use super::{inventory, load, names, packages_of};

/// What a program prints; `None` where it is not there.
fn run(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stderr(Stdio::inherit()).output().ok()?;
    assert!(output.status.success(), "{program}");
    Some(String::from_utf8(output.stdout).unwrap())
}

/// Packages of these files of the machine.
fn packages_of_files<'a>(paths: impl Iterator<Item = &'a str>) -> Vec<Package> {
    let contents: Vec<(&str, Vec<u8>)> =
        paths.map(|path| (path.trim_start_matches('/'), load(Path::new(path)))).collect();
    let files: Vec<(&str, &[u8])> =
        contents.iter().map(|(path, content)| (*path, content.as_slice())).collect();
    let found = inventory(&files);
    let told: Vec<_> = found.diagnostics.iter().filter(|told| told.subject != "/etc/os-release").collect();
    assert!(told.iter().all(|told| told.code == model::DiagnosticCode::UnknownDistro), "{told:?}");
    found.packages
}

fn gem_line(package: &Package) -> String {
    let platform = package.purl.split_once("platform=").map_or("ruby", |(_, platform)| platform);
    let author = package.maintainer.as_deref().unwrap_or_default();
    let version = package.version.as_deref().unwrap_or_default();
    format!("{}\t{version}\t{platform}\t{}\t{author}", package.name, package.licenses.join(","))
}

#[test]
fn rubygems_lists_the_same_gems() {
    let program = r#"
        Gem.path.product(["*", "default/*"]).each do |folder, files|
          Dir[File.join(folder, "specifications", files + ".gemspec")].each do |file|
            it = Gem::Specification.load(file)
            puts [file, it.name, it.version, it.platform, it.licenses.join(","), it.authors.first].join("\t")
          end
        end"#;
    let Some(listed) = run("ruby", &["-e", program]) else { return };
    let found = packages_of_files(listed.lines().filter_map(|line| line.split('\t').next()));
    let found: BTreeSet<String> = found.iter().map(gem_line).collect();
    let expected: BTreeSet<String> =
        listed.lines().filter_map(|line| line.split_once('\t')).map(|(_, line)| line.to_owned()).collect();
    assert_eq!(found, expected);
    assert!(expected.len() > 10);
}

/// RubyGems writes, we read: whatever the values are.
#[test]
fn what_rubygems_writes_is_read() {
    let program = r##"
        ["é", "\"q\" 'p'", "\#{name}", "a\\b", "s.version = \"9\"", "\u{1F600} \u{7f}", "%q<x>", "# stub: x 1", "end\t;"].each do |odd|
          ["ruby", "java", "x86_64-linux", Gem::Platform.new("x86-mingw32")].each do |platform|
            it = Gem::Specification.new("odd_gem-x", "1.2.3.pre.4")
            it.platform = platform
            it.authors = [odd, "other"]
            it.licenses = ["MIT", odd]
            it.summary = odd
            it.description = "s.name = \"#{odd}\"\n" + odd
            it.metadata = { "s.name" => odd }
            it.files = [odd]
            it.add_runtime_dependency("rack", ">= 1", "< 3")
            print it.to_ruby, "\0"
          end
        end"##;
    let Some(written) = run("ruby", &["-e", program]) else { return };
    let odd = [
        "é",
        "\"q\" 'p'",
        "#{name}",
        "a\\b",
        "s.version = \"9\"",
        "\u{1F600} \u{7f}",
        "%q<x>",
        "# stub: x 1",
        "end\t;",
    ];
    let mut expected = odd.iter().flat_map(|odd| {
        ["ruby", "java", "x86_64-linux", "x86-mingw32"]
            .map(|platform| format!("odd_gem-x\t1.2.3.pre.4\t{platform}\tMIT,{odd}\t{odd}"))
    });
    for text in written.split_terminator('\0') {
        let (packages, diagnostics) = packages_of("usr/lib/specifications/odd.gemspec", text.as_bytes());
        assert_eq!(diagnostics, []);
        assert_eq!(packages.iter().map(gem_line).next(), expected.next(), "{text}");
    }
    assert_eq!(expected.next(), None);
}

/// PHP serializes, we read.
#[test]
fn what_php_serializes_is_read() {
    let program = r#"
        $odd = ["é", "\"", "a;b}", "{", "\0x", "s:4:\"name\";", str_repeat("x", 300)];
        foreach ($odd as $text) {
            $object = new stdClass; $object->name = $text; $object->version = [1.5, -2, true, null];
            $record = ["attribs" => ["version" => "2.0", 7 => [$object, $object]], $text => $text, "name" => "odd",
                "channel" => "pecl.php.net", "lead" => [["name" => $text], ["name" => "b"]], "float" => [0.1, -1e100, INF, NAN],
                "version" => ["release" => "1.0$text", "api" => "9"], "license" => ["attribs" => ["uri" => "x"], "_content" => $text],
                "tail" => [[[[[[$text]]]]]]];
            echo base64_encode(serialize($record)), "\t", base64_encode($text), "\n";
        }"#;
    let Some(written) = run("php", &["-r", program]) else { return };
    assert_eq!(written.lines().count(), 7);
    for line in written.lines() {
        let (record, text) = line.split_once('\t').unwrap();
        let text = String::from_utf8(base64(text)).unwrap();
        let (packages, diagnostics) = packages_of("usr/share/php/.registry/odd.reg", &base64(record));
        assert_eq!(diagnostics, [], "{text}");
        let package = &packages[0];
        assert_eq!((package.name.as_str(), package.kind), ("odd", PackageKind::Pear));
        assert_eq!(package.version.as_deref(), Some(format!("1.0{text}").trim()));
        assert_eq!(
            (package.licenses[0].as_str(), package.maintainer.as_deref()),
            (text.trim(), Some(text.trim()))
        );
    }
}

fn base64(text: &str) -> Vec<u8> {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b'=').map(value).collect();
    let bytes = digits.chunks(4).flat_map(|four| {
        let number =
            (0..4).fold(0_u32, |number, at| number << 6 | u32::from(four.get(at).copied().unwrap_or(0)));
        number.to_be_bytes()[1..four.len()].to_vec()
    });
    bytes.collect()
}

#[test]
fn python_lists_the_same_packages() {
    // All folders of packages of this machine that are known: the system's, and the environments of tests.
    let program = r#"
import glob, importlib.metadata, os, sys
cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
folders = [folder for folder in sys.path if os.path.isdir(folder)]
folders += glob.glob(cache + "/lazaret/python-*/lib/python3*/site-packages")
for it in importlib.metadata.distributions(path=folders):
    file = it._path / ("METADATA" if it._path.name.endswith(".dist-info") else "PKG-INFO")
    print(it._path if it._path.is_file() else file, it.metadata["Name"], it.version, sep="\t")
"#;
    let Some(listed) = run("/usr/bin/python3", &["-I", "-c", program]) else { return };
    let found = packages_of_files(listed.lines().filter_map(|line| line.split('\t').next()));
    let to_line = |package: &Package| {
        format!(
            "{}\t{}\t{}",
            package.locations[0].path,
            package.name,
            package.version.as_deref().unwrap_or_default()
        )
    };
    let found: BTreeSet<String> = found.iter().map(to_line).collect();
    let expected: BTreeSet<String> = listed.lines().map(str::to_owned).collect();
    assert_eq!(found, expected);
    assert!(!expected.is_empty());
}

/// Python zips, we read: deflated and stored, with lengths before an entry and behind it.
#[test]
fn what_python_zips_is_read() {
    let program = r#"
import base64, io, zipfile
class Pipe(io.RawIOBase):
    def __init__(self): self.data = b""
    def writable(self): return True
    def write(self, data): self.data += bytes(data); return len(data)
for name, content in (
    ("EGG-INFO/PKG-INFO", "Metadata-Version: 1.0\nName: Odd.Egg\nVersion: 1.0\nLicense: MIT\n"),
    ("node_modules/@odd/egg/package.json", '{"name": "@odd/egg", "version": "1.0", "license": "MIT"}'),
):
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        for target in (io.BytesIO(), Pipe()):
            with zipfile.ZipFile(target, "w", method) as archive:
                archive.writestr("node_modules/", "")
                archive.writestr("first.py", f"x = '{name}'" * 100)
                archive.writestr("node_modules/@odd/egg/lib/package.json", "{}")
                archive.writestr(name, content)
                archive.writestr("last.py", "y" * 1000)
            print(base64.b64encode(target.data if isinstance(target, Pipe) else target.getvalue()).decode())
"#;
    let Some(written) = run("/usr/bin/python3", &["-I", "-c", program]) else { return };
    let archives: Vec<Vec<u8>> = written.lines().map(base64).collect();
    let egg = ("usr/lib/python3/Odd.Egg-1.0-py3.EGG", "pkg:pypi/odd-egg@1.0");
    let yarn = ("app/.yarn/cache/@odd-egg-npm-1.0-9a8a4f3c81.zip", "pkg:npm/%40odd/egg@1.0");
    assert_eq!(archives.len(), 8);
    for (number, archive) in archives.iter().enumerate() {
        let (path, purl) = if number < 4 { egg } else { yarn };
        let (packages, diagnostics) = packages_of(path, archive);
        // Stored, with a length that stands only behind it: where it ends cannot be seen.
        if number % 4 == 1 {
            // An egg elsewhere is none that Python looks for.
            let code = match number < 4 {
                true => model::DiagnosticCode::BrokenRecord,
                false => model::DiagnosticCode::PackagesLeftOut,
            };
            assert_eq!((packages, diagnostics[0].code), (vec![], code));
            continue;
        }
        assert_eq!(diagnostics, [], "{number}");
        assert_eq!((packages[0].purl.as_str(), packages[0].licenses.concat().as_str()), (purl, "MIT"));
        assert_eq!(packages[0].locations[0].path, format!("/{path}"));
        for length in [10, archive.len() / 2, archive.len() - 30] {
            let (cut, _) = packages_of(path, &archive[..length]);
            assert!(cut.is_empty() || names(&cut) == names(&packages), "{cut:?}");
        }
        assert_eq!(packages_of("app/.yarn/other/a.zip", archive), (vec![], vec![]));
    }
}

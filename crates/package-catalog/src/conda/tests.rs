//! Records of conda, what they own, and broken ones.

use model::DiagnosticCode;

use super::channel_name;
use crate::tests::{inventory, names, packages_of};

const PATH: &str = "opt/conda/conda-meta/numpy-1.26.4-py312heda63a1_0.json";

const RECORD: &str = r#"{
    "arch": "x86_64", "build": "py312heda63a1_0", "build_number": 0,
    "channel": "https://conda.anaconda.org/t/tk-secret/conda-forge/linux-64",
    "depends": ["python"], "fn": "numpy-1.26.4-py312heda63a1_0.conda", "license": "BSD-3-Clause",
    "files": ["lib/python3.12/site-packages/numpy-1.26.4.dist-info/METADATA",
              "lib/python3.12/site-packages/numpy/core.so", "lib/python3.12/site-packages/numpy/__init__.py", 7],
    "link": {"source": "/opt/conda/pkgs/numpy", "type": 1}, "name": "numpy",
    "paths_data": {"paths": [{"_path": "x", "sha256": "00"}], "paths_version": 1},
    "subdir": "linux-64", "url": "https://user:pass@host/x", "version": "1.26.4"
}"#;

#[test]
fn a_record_is_read() {
    let (packages, diagnostics) = packages_of(PATH, RECORD.as_bytes());
    assert_eq!((names(&packages), diagnostics), (vec!["numpy 1.26.4".to_owned()], vec![]));
    let package = &packages[0];
    assert_eq!(
        package.purl,
        "pkg:conda/numpy@1.26.4?build=py312heda63a1_0&channel=conda-forge&subdir=linux-64&type=conda"
    );
    assert_eq!(
        (package.licenses[0].as_str(), package.architecture.as_deref()),
        ("BSD-3-Clause", Some("linux-64"))
    );
    let files: Vec<_> = package.files.iter().map(|file| file.path.as_str()).collect();
    let folder = "/opt/conda/lib/python3.12/site-packages/numpy";
    assert_eq!(files, [format!("{folder}-1.26.4.dist-info/METADATA"), format!("{folder}/core.so")]);
    for nowhere in
        ["opt/conda/pkgs/numpy/info/index.json", "opt/conda/conda-meta/history", "conda-metadata/a.json"]
    {
        assert_eq!(packages_of(nowhere, RECORD.as_bytes()), (vec![], vec![]), "{nowhere}");
    }
}

#[test]
fn descriptions_that_conda_has_installed_have_an_owner() {
    let metadata: (&str, &[u8]) = (
        "opt/conda/lib/python3.12/site-packages/numpy-1.26.4.dist-info/METADATA",
        b"Name: numpy\nVersion: 1.26.4\n",
    );
    let other: (&str, &[u8]) =
        ("opt/conda/lib/python3.12/site-packages/x-1.dist-info/METADATA", b"Name: x\nVersion: 1\n");
    let found = inventory(&[(PATH, RECORD.as_bytes()), metadata, other]);
    let owners: Vec<_> = found.packages.iter().map(|it| (it.purl.as_str(), it.owner.as_deref())).collect();
    assert_eq!(owners[0], ("pkg:pypi/numpy@1.26.4", Some("numpy")));
    assert_eq!(owners[1], ("pkg:pypi/x@1", None));
    assert_eq!(owners[2].1, None);
    // Whoever installed conda itself comes first.
    let folder = metadata.0.trim_end_matches("/METADATA");
    let installed = format!("P:py3-numpy\nV:1-r0\nF:{folder}\nR:METADATA\n");
    let found =
        inventory(&[(PATH, RECORD.as_bytes()), metadata, ("lib/apk/db/installed", installed.as_bytes())]);
    let owner =
        found.packages.iter().find(|it| it.purl.starts_with("pkg:pypi")).and_then(|it| it.owner.as_deref());
    assert_eq!(owner, Some("py3-numpy"));
    // A name that both have would speak for the system's package, which has brought something else.
    for (file, expected) in [("usr/x", None), (metadata.0, Some("numpy"))] {
        let (folder, name) = file.rsplit_once('/').unwrap();
        let installed = format!("P:numpy\nV:1-r0\nF:{folder}\nR:{name}\n");
        let found =
            inventory(&[(PATH, RECORD.as_bytes()), metadata, ("lib/apk/db/installed", installed.as_bytes())]);
        let owner =
            found.packages.iter().find(|it| it.purl.starts_with("pkg:pypi")).unwrap().owner.as_deref();
        assert_eq!(owner, expected, "{file}");
    }
}

#[test]
fn channels_are_named_without_secrets() {
    for (channel, subdir, expected) in [
        ("https://repo.anaconda.com/pkgs/main/linux-64", Some("linux-64"), Some("main")),
        (
            "https://conda.anaconda.org/conda-forge/label/dev/noarch",
            Some("noarch"),
            Some("conda-forge/label/dev"),
        ),
        ("https://user:secret@conda.example.com/t/token/mine?key=secret", Some("noarch"), Some("mine")),
        ("defaults", None, Some("defaults")),
        ("pypi", Some("noarch"), Some("pypi")),
        ("https://conda.example.com", None, None),
        ("", None, None),
    ] {
        assert_eq!(channel_name(channel, subdir).as_deref(), expected, "{channel}");
    }
}

#[test]
fn broken_records_are_told() {
    for (text, expected, code) in [
        ("{\"name\": \"a\"}", vec!["a -"], DiagnosticCode::MissingVersion),
        ("{\"name\": \"a\", \"version\": 5, \"files\": {}}", vec!["a -"], DiagnosticCode::MissingVersion),
        ("{\"version\": \"1\"}", vec![], DiagnosticCode::PackagesLeftOut),
        ("{\"name\": \"a\", \"version\": \"1\"", vec![], DiagnosticCode::PackagesLeftOut),
        ("[1, 2]", vec![], DiagnosticCode::PackagesLeftOut),
    ] {
        let (packages, diagnostics) = packages_of(PATH, text.as_bytes());
        assert_eq!(names(&packages), expected, "{text}");
        assert_eq!(diagnostics[0].code, code, "{text}");
    }
}

#[test]
fn programs_of_conda_stay_in_the_list() {
    let record = r#"{"name": "redis-server", "version": "7.0.14", "files": ["bin/redis-server"]}"#;
    let found = inventory(&[
        ("opt/conda/conda-meta/redis-server-7.0.14-0.json", record.as_bytes()),
        ("opt/conda/bin/redis-server", b"#7.0.14buildkitsandbox-1702957741000000000"),
    ]);
    let owners: Vec<_> = found.packages.iter().map(|it| (it.purl.as_str(), it.owner.as_deref())).collect();
    let expected =
        [("pkg:conda/redis-server@7.0.14", None), ("pkg:generic/redis@7.0.14", Some("redis-server"))];
    assert_eq!(owners, expected);
    // Also beside the system's package of the same name.
    let found = inventory(&[
        ("opt/conda/conda-meta/redis-server-7.0.14-0.json", record.as_bytes()),
        ("opt/conda/bin/redis-server", b"#7.0.14buildkitsandbox-1702957741000000000"),
        ("lib/apk/db/installed", b"P:redis-server\nV:7.2-r0\nF:usr/bin\nR:redis-server\n"),
    ]);
    let owners: Vec<_> = found.packages.iter().map(|it| (it.name.as_str(), it.owner.as_deref())).collect();
    assert_eq!(owners, [("redis-server", None), ("redis-server", None), ("redis", None)]);
}

#[test]
fn a_package_of_very_many_files_is_listed_with_the_first_of_them() {
    let files: Vec<String> =
        (0..60_000).map(|number| format!("\"share/data/a-long-name-of-a-file/{number:07}\"")).collect();
    let record = format!(r#"{{"name": "big", "files": [{}], "version": "1"}}"#, files.join(","));
    let (packages, diagnostics) = packages_of(PATH, record.as_bytes());
    assert_eq!(names(&packages), ["big 1"]);
    assert!((50_000..60_000).contains(&packages[0].files.len()));
    assert_eq!(diagnostics.len(), 1);
    assert!(diagnostics[0].message.contains("the others are left out"), "{diagnostics:?}");
}

//! Installations of several vendors.

use crate::tests::inventory;

fn check(release: &str, programs: &[&str], expected: Option<(&str, &[&str])>) {
    let mut files: Vec<(&str, &[u8])> =
        vec![("etc/os-release", b"ID=x"), ("opt/java/release", release.as_bytes())];
    let paths: Vec<String> = programs.iter().map(|program| format!("opt/java/bin/{program}")).collect();
    files.extend(paths.iter().map(|path| (path.as_str(), &b"x"[..])));
    let found = inventory(&files);
    let expected_cpes: Vec<String> = expected
        .iter()
        .flat_map(|(_, cpes)| cpes.iter().map(|cpe| format!("cpe:2.3:a:{cpe}:*:*:*:*:*:*")))
        .collect();
    assert_eq!(
        found.packages.first().map(|it| it.purl.as_str()),
        expected.map(|(purl, _)| purl),
        "{release}"
    );
    assert_eq!(found.packages.first().map(|it| it.cpes.clone()).unwrap_or_default(), expected_cpes);
    assert_eq!(found.diagnostics, []);
}

#[test]
fn installations_are_known_by_their_vendors() {
    let debian = "IMPLEMENTOR=\"Debian\"\nJAVA_RUNTIME_VERSION=\"17.0.15+6-Debian-1deb12u1\"\nJAVA_VERSION=\"17.0.15\"\n";
    check(
        debian,
        &["java", "javac"],
        Some(("pkg:generic/oracle/openjdk@17.0.15%2B6", &["oracle:openjdk:17.0.15:*"])),
    );
    check(debian, &["javac"], None);
    let early = "IMPLEMENTOR=\"Debian\"\nJAVA_RUNTIME_VERSION=\"28-ea+18-1-Debian\"\nJAVA_VERSION=\"28\"\n";
    check(early, &["java"], Some(("pkg:generic/oracle/openjdk@28-ea%2B18", &["oracle:openjdk:28:*"])));
    let eight = "JAVA_VERSION=\"1.8.0_302\"\nIMPLEMENTOR=\"Eclipse Foundation\"\nFULL_VERSION=\"1.8.0_302-b08\"\n\
        SEMANTIC_VERSION=\"8.0.302+8\"\n";
    let cpes = ["oracle:openjdk:1.8.0:update302", "oracle:openjdk:8:update302"];
    check(eight, &["java"], Some(("pkg:generic/oracle/openjdk@1.8.0_302-b08", &cpes)));
    let zulu = "IMPLEMENTOR=\"Azul Systems, Inc.\"\nJAVA_VERSION=\"11.0.20.1\"\nJAVA_RUNTIME_VERSION=\"11.0.20.1+1-LTS\"\n";
    let cpes = ["azul:zulu:11.0.20.1:*", "oracle:openjdk:11.0.20.1:*"];
    check(zulu, &["java"], Some(("pkg:generic/azul/zulu@11.0.20.1%2B1", &cpes)));
    let oracle = "IMPLEMENTOR=\"Oracle Corporation\"\nBUILD_TYPE=\"commercial\"\nJAVA_VERSION=\"21.0.2\"\n";
    check(
        oracle,
        &["java", "javac"],
        Some(("pkg:generic/oracle/jdk@21.0.2", &["oracle:jdk:21.0.2:*", "oracle:jre:21.0.2:*"])),
    );
    check(oracle, &["java"], Some(("pkg:generic/oracle/jre@21.0.2", &["oracle:jre:21.0.2:*"])));
    let graal = "IMPLEMENTOR=\"GraalVM Community\"\nJAVA_VERSION=\"17.0.8\"\nJAVA_RUNTIME_VERSION=\"17.0.8+7-jvmci-23.0-b15\"\n\
        GRAALVM_VERSION=\"17.0.8\"\n";
    let cpes = ["oracle:graalvm_for_jdk:17.0.8:*", "oracle:graalvm:17.0.8:*"];
    check(graal, &["java"], Some(("pkg:generic/oracle/graalvm@17.0.8%2B7", &cpes)));
    let old = "IMPLEMENTOR=\"GraalVM Community\"\nJAVA_VERSION=\"11.0.17\"\nGRAALVM_VERSION=\"22.3.0\"\n";
    check(old, &["java"], Some(("pkg:generic/oracle/graalvm@22.3.0", &["oracle:graalvm:22.3.0:*"])));
}

#[test]
fn other_files_of_that_name_are_nothing() {
    for content in ["release 1.0\n", "\0\0\u{fffd}", "JAVA=1\n"] {
        check(content, &["java"], None);
    }
}

#[test]
fn what_programs_say_of_an_installation_is_in_its_own_words() {
    let release: &[u8] = b"JAVA_VERSION=\"17.0.15\"\nIMPLEMENTOR=\"Eclipse Adoptium\"\n";
    let java: &[u8] = b"\x7fELF\0openjdk\0\0\0java\0\0\x0017\0\0\x0017.0.15+6\0openjdk\0java\0\0 and more to be long enough for a program";
    let locations = |files: &[(&str, &[u8])]| -> Vec<String> {
        let packages = inventory(files).packages;
        packages.iter().map(|it| format!("{} {}", it.name, it.locations[0].path)).collect()
    };
    let found = locations(&[("opt/a/release", release), ("opt/a/bin/java", java), ("opt/b/bin/java", java)]);
    assert_eq!(found, ["openjdk /opt/a/release", "openjdk /opt/b/bin/java"]);
    let found = locations(&[("opt/a/release", release), ("opt/a/jre/bin/java", java)]);
    assert_eq!(found, ["openjdk /opt/a/release"]);
}

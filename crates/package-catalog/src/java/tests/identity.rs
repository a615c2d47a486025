//! Which package an archive is.

use super::build::{STORED, Zip, properties, properties_name};
use super::{messages, urls};
use crate::tests::packages_of;

/// Packages of an archive of this name, with a manifest and Maven properties `group:artifact:version`.
fn check(path: &str, manifest: &str, stated: &[&str], expected: &[&str]) {
    let mut zip = Zip::default();
    if !manifest.is_empty() {
        zip = zip.add(STORED, "META-INF/MANIFEST.MF", format!("{manifest}\n\nName: x\n").as_bytes());
    }
    for one in stated {
        let parts: Vec<&str> = one.split(':').collect();
        zip = zip.add(STORED, &properties_name(parts[1]), &properties(parts[0], parts[1], parts[2]));
    }
    let (packages, _) = packages_of(path, &zip.finish());
    let urls: Vec<_> = packages.iter().map(|it| it.purl.strip_prefix("pkg:maven/").unwrap()).collect();
    assert_eq!(urls, expected, "{path} {manifest} {stated:?}");
}

#[test]
fn maven_properties_that_fit_come_first() {
    check("a-1.jar", "Implementation-Version: 9", &["g:a:1.5"], &["g/a@1.5"]);
    // What else is in it are packages beside it.
    check(
        "a-1.jar",
        "",
        &["g:a:1", "com.google.guava:guava:31.1-jre"],
        &["g/a@1", "com.google.guava/guava@31.1-jre"],
    );
    check(
        "app.jar",
        "Implementation-Title: my-app\nImplementation-Version: 3",
        &["g:my-app:3", "h:lib:1"],
        &["h/lib@1", "g/my-app@3"],
    );
    check("app.jar", "Bundle-SymbolicName: g.core;singleton:=true", &["g:core:3"], &["g/core@3"]);
    check("app.jar", "Implementation-Version: 3", &["g:other:3"], &["g/other@3"]);
    check("app.jar", "Implementation-Version: 4", &["g:other:3"], &["app@4", "g/other@3"]);
    check(
        "commons-lang3.jar",
        "",
        &["org.apache.commons:commons-lang3:3.12.0"],
        &["org.apache.commons/commons-lang3@3.12.0"],
    );
    check("app.jar", "Created-By: x", &["g:other:3"], &["g/other@3"]);
    // The longest name that fits.
    check("log4j-core-2.0.jar", "", &["g:log4j:1", "g:log4j-core:2.0"], &["g/log4j@1", "g/log4j-core@2.0"]);
    check(
        "maven3-x-provider.jar",
        "",
        &["g:maven-x-provider:3", "h:simple:1"],
        &["g/maven-x-provider@3", "h/simple@1"],
    );
    // Variables that nobody put in.
    check("a-1.jar", "", &["${project.groupId}:a:${version}"], &["a@1"]);
    check("a-1.jar", "Implementation-Version: ${v}", &[], &["a@1"]);
}

#[test]
fn without_properties_the_name_and_the_manifest_tell() {
    let databind =
        "Bundle-SymbolicName: com.fasterxml.jackson.core.jackson-databind\nImplementation-Version: 2.9.8";
    check(
        "jackson-databind-2.9.8.jar",
        databind,
        &[],
        &["com.fasterxml.jackson.core/jackson-databind@2.9.8"],
    );
    check(
        "spring-core-5.3.20.jar",
        "Implementation-Title: spring-core\nImplementation-Version: 5.3.20",
        &[],
        &["org.springframework/spring-core@5.3.20"],
    );
    check(
        "tool-1.2.3.jar",
        "Automatic-Module-Name: org.example.tool\nSpecification-Version: 1.2",
        &[],
        &["org.example.tool/tool@1.2.3"],
    );
    check(
        "catalina.jar",
        "Implementation-Title: Apache Tomcat\nImplementation-Version: 9.0.50",
        &[],
        &["org.apache.tomcat/tomcat-catalina@9.0.50"],
    );
    check(
        "app.jar",
        "Implementation-Vendor-Id: org.example\nImplementation-Title: my-app\nImplementation-Version: 1.0 (build 7)",
        &[],
        &["org.example/my-app@1.0"],
    );
    check("app.jar", "Main-Class: org.example.tool.app.Main", &[], &["org.example.tool/app"]);
    let title = "Implementation-Title: io.example#a-core;1.9.5\nImplementation-Version: 1.9.5";
    check("a-core-1.9.5.jar", title, &[], &["io.example/a-core@1.9.5"]);
    check("b-1.0.jar", title, &[], &["b@1.0"]);
    check("a-2.13.8.jar", "Bundle-Version: 2.13.8.v20211217-122810-VFINAL", &[], &["a@2.13.8"]);
    check("a-10.2.1.jre8.jar", "", &["g:a:10.2.1"], &["g/a@10.2.1.jre8"]);
    check("log4j-core-2.14.1.jar", "", &[], &["org.apache.logging.log4j/log4j-core@2.14.1"]);
    check(
        "kotlin-stdlib-1.4.10.jar",
        "Implementation-Version: 1.4.10-release-411",
        &[],
        &["org.jetbrains.kotlin/kotlin-stdlib@1.4.10"],
    );
    // Nothing is known of it.
    check("data.jar", "", &[], &[]);
}

#[test]
fn the_folder_of_its_classes_tells_the_group() {
    let class = |folder: &str| format!("{folder}/A.class");
    for (path, folder, expected) in [
        ("rsocket-core-1.1.4.jar", "io/rsocket/core", "io.rsocket/rsocket-core@1.1.4"),
        (
            "micrometer-core-1.12.2.jar",
            "io/micrometer/core/instrument",
            "io.micrometer/micrometer-core@1.12.2",
        ),
        ("kafka-streams-3.6.1.jar", "org/apache/kafka/streams", "org.apache.kafka/kafka-streams@3.6.1"),
        ("postgresql-1.19.3.jar", "org/testcontainers/containers", "org.testcontainers/postgresql@1.19.3"),
        ("postgresql-42.7.1.jar", "org/postgresql/jdbc", "org.postgresql/postgresql@42.7.1"),
        ("dagger-2.50.jar", "dagger/internal", "dagger@2.50"),
        ("x-1.0.jar", "META-INF/versions/9/org/x", "x@1.0"),
    ] {
        let zip = Zip::default().add(STORED, &class(folder), b"");
        let (packages, _) = packages_of(path, &zip.finish());
        assert_eq!(packages[0].purl, format!("pkg:maven/{expected}"));
    }
    // What bundles add to a version is no more of it.
    check(
        "org.eclipse.jdt.core-3.36.0.jar",
        "Bundle-SymbolicName: org.eclipse.jdt.core; singleton:=true\nBundle-Version: 3.36.0.v20231115-1055",
        &[],
        &["org.eclipse.jdt/org.eclipse.jdt.core@3.36.0"],
    );
    check("a-1.2.jar", "Implementation-Version: 1.2.3", &[], &["a@1.2.3"]);
    // The name of the file is better than a part of the bundle's.
    check(
        "mysql-connector-j.jar",
        "Bundle-SymbolicName: com.mysql.cj\nImplementation-Vendor-Id: com.mysql\nImplementation-Version: 8.2.0",
        &[],
        &["com.mysql/mysql-connector-j@8.2.0"],
    );
}

#[test]
fn plugins_of_jenkins_say_who_they_are() {
    let manifest =
        "Short-Name: git\nPlugin-Version: 4.11.3\nLong-Name: Git plugin\nGroup-Id: org.jenkins-ci.plugins";
    check("git.hpi", manifest, &[], &["org.jenkins-ci.plugins/git@4.11.3"]);
    check(
        "mine.jpi",
        "Short-Name: mine\nPlugin-Version: 1.0 (private)",
        &[],
        &["org.jenkins-ci.plugins/mine@1.0"],
    );
}

#[test]
fn instrumentation_is_no_package() {
    check(
        "spring-4.0.jar",
        "Weave-Classes: org.example.A\nImplementation-Title: x\nImplementation-Version: 1",
        &[],
        &[],
    );
}

#[test]
fn project_files_stand_in_for_properties_and_name_licenses() {
    let pom = b"<project><parent><groupId>g</groupId><version>2</version></parent><artifactId>a</artifactId>\
        <licenses><license><name>Apache License 2.0</name></license></licenses></project>";
    let zip = Zip::default().add(STORED, "META-INF/maven/g/a/pom.xml", pom).finish();
    let (packages, diagnostics) = packages_of("lib/a.jar", &zip);
    assert_eq!(urls(&packages), [("pkg:maven/g/a@2", "/lib/a.jar")]);
    assert_eq!(packages[0].licenses, ["Apache License 2.0"]);
    assert_eq!(messages(&diagnostics), [""; 0]);

    let manifest = b"Bundle-License: \"Apache-2.0\";link=\"https://x/a,b\", MIT\nBundle-Vendor: Example\nBundle-Version: 2.0\n";
    let zip = Zip::default()
        .add(STORED, "META-INF/MANIFEST.MF", manifest)
        .add(STORED, "META-INF/maven/g/a/pom.xml", pom)
        .finish();
    let (packages, _) = packages_of("lib/a.jar", &zip);
    assert_eq!(packages[0].licenses, ["Apache-2.0", "MIT"]);
    assert_eq!(packages[0].maintainer.as_deref(), Some("Example"));
}

#[test]
fn what_has_no_version_is_told() {
    let zip = Zip::default().add(STORED, "META-INF/MANIFEST.MF", b"Manifest-Version: 1.0\n").finish();
    let (packages, diagnostics) = packages_of("lib/a.jar", &zip);
    assert_eq!((packages.len(), packages[0].version.as_deref()), (1, None));
    assert_eq!(messages(&diagnostics), ["/lib/a.jar archive `a` has no version"]);
}

//! What the name of an archive's file says: `log4j-core-2.14.1.jar`.

/// What may stand behind a version and belongs to it, before another part that begins with a digit.
const QUALIFIERS: [&str; 17] = [
    "alpha",
    "beta",
    "milestone",
    "rc",
    "cr",
    "m",
    "snapshot",
    "stable",
    "b",
    "build",
    "sp",
    "ga",
    "final",
    "jre",
    "jdk",
    "pre",
    "preview",
];

/// Which build of the same artifact it is; no part of its version.
const CLASSIFIERS: [&str; 18] = [
    "all",
    "bin",
    "dependencies",
    "exec",
    "fat",
    "jakarta",
    "javadoc",
    "javax",
    "nodep",
    "nodeps",
    "runner",
    "shaded",
    "sources",
    "standalone",
    "test",
    "tests",
    "uber",
    "with",
];
/// Builds for one operating system; the processor stands behind.
const PLATFORMS: [&str; 8] = ["linux", "osx", "windows", "macos", "mac", "win", "natives", "freebsd"];

/// Name and version in the name of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FileName<'a> {
    /// Without version and ending.
    pub(super) name: &'a str,
    pub(super) version: Option<&'a str>,
    /// All but the ending.
    pub(super) stem: &'a str,
}

impl<'a> FileName<'a> {
    /// Takes apart the name of the file at this path, in a file system or in an archive.
    pub(super) fn of(path: &'a str) -> Self {
        let file = path.rsplit(['/', ':']).next().unwrap_or(path);
        let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
        let plain = without_classifiers(stem);
        match version_start(plain) {
            Some(at) => Self { name: &plain[..at - 1], version: Some(&plain[at..]), stem },
            None => Self { name: stem, version: None, stem },
        }
    }
}

/// Where the version begins: at the first part with a digit in front behind which there is nothing but parts of versions.
fn version_start(stem: &str) -> Option<usize> {
    let mut start = None;
    let mut begin = 0;
    let mut before = "";
    for part in stem.split('-') {
        let is_continued = start.is_some() && (is_qualifier(before) || begins_with_digit(before));
        if begin > 0 && begins_with_digit(part) && !is_continued {
            start = Some(begin);
        }
        before = part;
        begin += part.len() + 1;
    }
    start
}

fn begins_with_digit(part: &str) -> bool {
    part.starts_with(|character: char| character.is_ascii_digit())
}

/// `beta`, `rc1`, `M2`, `SNAPSHOT`
fn is_qualifier(part: &str) -> bool {
    let word = part.trim_end_matches(|character: char| character.is_ascii_digit() || character == '.');
    QUALIFIERS.iter().any(|qualifier| qualifier.eq_ignore_ascii_case(word))
}

/// `-sources`, `-jar-with-dependencies`, `-linux-x86_64`
fn without_classifiers(stem: &str) -> &str {
    let mut plain = stem;
    for platform in PLATFORMS {
        if let Some((front, _)) = plain.split_once(&format!("-{platform}-"))
            && version_start(front).is_some()
        {
            plain = front;
        }
    }
    while let Some((front, last)) = plain.rsplit_once('-') {
        let is_classifier = CLASSIFIERS.contains(&last) || (last == "jar" && plain.len() < stem.len());
        // It only is one behind a version.
        if !is_classifier || version_start(front).is_none() {
            break;
        }
        plain = front;
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_begin_behind_the_last_word_of_the_name() {
        for (file, name, version) in [
            ("log4j-core-2.14.1.jar", "log4j-core", Some("2.14.1")),
            ("log4j-1.2-api-2.14.1.jar", "log4j-1.2-api", Some("2.14.1")),
            ("hibernate-jpa-2.1-api-1.0.0.Final.jar", "hibernate-jpa-2.1-api", Some("1.0.0.Final")),
            ("guava-31.1-jre.jar", "guava", Some("31.1-jre")),
            ("foo-1.0-beta-2.jar", "foo", Some("1.0-beta-2")),
            ("foo-1.0-20200101.123456-1.jar", "foo", Some("1.0-20200101.123456-1")),
            ("spring-core-5.3.0.RELEASE.jar", "spring-core", Some("5.3.0.RELEASE")),
            ("jackson-module-scala_2.12-2.10.1.jar", "jackson-module-scala_2.12", Some("2.10.1")),
            ("bcprov-jdk15on-1.68.jar", "bcprov-jdk15on", Some("1.68")),
            ("netty-native-epoll-4.1.68.Final-linux-x86_64.jar", "netty-native-epoll", Some("4.1.68.Final")),
            ("mysql-connector-java-8.0.28-bin.jar", "mysql-connector-java", Some("8.0.28")),
            ("app-1.0-jar-with-dependencies.jar", "app", Some("1.0")),
            ("aopalliance-repackaged-2.6.1.jar", "aopalliance-repackaged", Some("2.6.1")),
            ("catalina.jar", "catalina", None),
            ("x-1.0-alpha-9-stable-1.jar", "x", Some("1.0-alpha-9-stable-1")),
            ("jta-1.1.jar", "jta", Some("1.1")),
            ("x.war:WEB-INF/lib/commons-io-2.11.0.jar", "commons-io", Some("2.11.0")),
            ("app-all.jar", "app-all", None),
            ("1.0.jar", "1.0", None),
            ("-.jar", "-", None),
            ("", "", None),
        ] {
            let found = FileName::of(file);
            assert_eq!((found.name, found.version), (name, version), "{file}");
        }
    }
}

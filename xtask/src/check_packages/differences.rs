//! Every difference that is known, with its reason.

use super::compare::{Difference, Side};

/// Why some packages are on one list only. `*` stands for any text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rule {
    /// Names of images.
    pub(super) images: &'static [&'static str],
    pub(super) kind: &'static str,
    pub(super) side: Side,
    pub(super) name: &'static str,
    pub(super) version: &'static str,
    pub(super) place: &'static str,
    /// A sentence for who reads the table.
    pub(super) reason: &'static str,
}

/// All of them.
pub(super) const RULES: &[Rule] = &[
    Rule {
        images: &["centos-7", "centos-8", "ubi-8-s390x", "fedora-35"],
        kind: "rpm",
        side: Side::Judge,
        name: "gpg-pubkey",
        version: "*",
        place: "*",
        reason: "rpm keeps the keys that it trusts as records beside the packages; they have no files and nothing can be wrong with them",
    },
    Rule {
        images: &["debian-12-large"],
        kind: "npm",
        side: Side::Lazaret,
        name: "parcel-transformer-*-engines",
        version: "1.0.0",
        place: "*/@parcel/core/test/fixtures/plugins/node_modules/*",
        reason: "test data of a package, which lies in a `node_modules` as if it were installed; npm looks only where it installs",
    },
    Rule {
        images: &["debian-12-large"],
        kind: "npm",
        side: Side::Lazaret,
        name: "ruby-typeprof",
        version: "*",
        place: "*/gems/typeprof-*/vscode/package.json",
        reason: "an extension for an editor that comes with a gem: a package with its manifest, but in no application of npm",
    },
    Rule {
        images: &["debian-12-node"],
        kind: "npm",
        side: Side::Judge,
        name: "lodash",
        version: "*",
        place: "/usr/share/nodejs/lodash-es/package.json",
        reason: "Debian makes the manifest of lodash-es a link to that of lodash, which is on both lists; a link is no second package",
    },
    Rule {
        images: &["debian-12-node"],
        kind: "npm",
        side: Side::Lazaret,
        name: "bin",
        version: "1.0.0",
        place: "/usr/share/nodejs/terser/bin/package.json",
        reason: "a manifest with a name and a version inside of a package, which is there for the loader; npm reads only the outer one",
    },
    Rule {
        images: &["debian-12-node"],
        kind: "npm",
        side: Side::Lazaret,
        name: "readdirp",
        version: "*",
        place: "/usr/share/doc/node-readdirp/package.json",
        reason: "a manifest that Debian keeps as documentation, outside of what npm looks at",
    },
    Rule {
        images: &["debian-12-large"],
        kind: "pypi",
        side: Side::Lazaret,
        name: "cryptography",
        version: "38.0.4",
        place: "/usr/lib/python3/dist-packages/cryptography.egg-info/PKG-INFO",
        reason: "Debian's package describes itself twice in one folder, as `.dist-info` and as `.egg-info`; pip tells the first",
    },
    Rule {
        images: &["go-programs"],
        kind: "golang",
        side: Side::Judge,
        name: "*",
        version: "(devel)",
        place: "*",
        reason: "Go writes `(devel)` for modules that were built from a folder, and the path of a folder that replaces a module",
    },
    Rule {
        images: &["go-programs"],
        kind: "golang",
        side: Side::Lazaret,
        name: "*",
        version: "",
        place: "*",
        reason: "the same modules under their own names and without a version, since `(devel)` is none that a range could hold",
    },
    Rule {
        images: &["composer"],
        kind: "composer",
        side: Side::Judge,
        name: "acme/log",
        version: "v1.4.2",
        place: "*",
        reason: "Composer tells a version as it is written, with the `v` of a tag; the same versions stand without it in advisories",
    },
    Rule {
        images: &["composer"],
        kind: "composer",
        side: Side::Lazaret,
        name: "acme/log",
        version: "1.4.2",
        place: "*",
        reason: "the same package, with its version as advisories write it",
    },
    Rule {
        images: &["java-repository"],
        kind: "maven",
        side: Side::Lazaret,
        name: "org.jctools:jctools-core",
        version: "*",
        place: "*/netty-common-*.jar",
        reason: "netty-common holds a copy of the classes of JCTools, and its description; a repository knows only whole archives",
    },
    Rule {
        images: &["java-repository"],
        kind: "maven",
        side: Side::Lazaret,
        name: "net.bytebuddy:byte-buddy-dep",
        version: "*",
        place: "*/byte-buddy-*.jar",
        reason: "byte-buddy is made of byte-buddy-dep, whose description it holds; a repository knows only whole archives",
    },
];

impl Rule {
    /// Whether it is about an image at all.
    pub(super) fn is_about(&self, image: &str) -> bool {
        self.images.contains(&image)
    }

    /// Whether a difference is one of those that it explains.
    pub(super) fn explains(&self, image: &str, kind: &str, difference: &Difference) -> bool {
        let listed = &difference.listed;
        self.is_about(image)
            && (self.kind, self.side) == (kind, difference.side)
            && fits(self.name, &listed.name)
            && fits(self.version, &listed.version)
            && fits(self.place, &listed.place)
    }
}

/// Whether a text fits a pattern.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((begin, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(text) = text.strip_prefix(begin) else { return false };
    let mut starts = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    starts.any(|at| fits(rest, &text[at..]))
}

#[cfg(test)]
mod tests {
    use super::super::compare::Listed;
    use super::*;

    #[test]
    fn stars_stand_for_any_text() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("a", "a", true),
            ("a", "ab", false),
            ("*", "", true),
            ("*", "ä/b", true),
            ("a*", "ab", true),
            ("a*", "ba", false),
            ("*b", "abb", true),
            ("*/test/*", "srv/a/test/package.json", true),
            ("*/test/*", "srv/a/tests/package.json", false),
            ("a*b*c", "a1b2b3c", true),
            ("a*b*c", "a1b2b3", false),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_rule_explains_only_what_it_names() {
        let rule = Rule {
            images: &["one"],
            kind: "npm",
            side: Side::Lazaret,
            name: "a*",
            version: "1",
            place: "*",
            reason: "",
        };
        let difference = |side, name, version| Difference { side, listed: Listed::new(name, version, "p") };
        let fitting = difference(Side::Lazaret, "ab", "1");
        assert!(rule.explains("one", "npm", &fitting));
        assert!(!rule.explains("two", "npm", &fitting));
        assert!(!rule.explains("one", "gem", &fitting));
        for other in [
            difference(Side::Judge, "ab", "1"),
            difference(Side::Lazaret, "b", "1"),
            difference(Side::Lazaret, "ab", "2"),
        ] {
            assert!(!rule.explains("one", "npm", &other), "{other:?}");
        }
    }

    #[test]
    fn every_rule_is_narrow_and_says_why() {
        for rule in RULES {
            assert!(rule.reason.len() > 20 && !rule.images.is_empty(), "{rule:?}");
            let is_narrow = [rule.name, rule.version, rule.place].iter().any(|pattern| *pattern != "*");
            assert!(is_narrow, "{rule:?} explains everything");
        }
    }
}
